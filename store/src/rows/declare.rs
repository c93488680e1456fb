//! How the rows of a table are declared.

/// Declares row structs, which are read and inserted whole.
macro_rules! rows {
    ($( $(#[$meta:meta])* $table:ident: $name:ident { $( $(#[$of_field:meta])* $field:ident: $type:ty, )+ } )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, HasQuery, Insertable)]
        #[diesel(
            table_name = $table,
            check_for_backend(Pg, Sqlite),
            treat_none_as_default_value = false
        )]
        pub(crate) struct $name { $( $(#[$of_field])* pub(crate) $field: $type, )+ }
    )+ };
}

pub(super) use rows;
