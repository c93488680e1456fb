//! Generates statements for tables from the database's catalogue.

use serde_json::Value;

use super::side::{Kind, Side};
use crate::error::{Result, StoreError};

/// The columns of a table in both databases, in the order in which they are copied.
pub(super) struct Columns {
    pub(super) source: OneSide,
    pub(super) target: OneSide,
}

/// The columns of a table in one database.
pub(super) struct OneSide {
    kind: Kind,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    /// The database's name of its type.
    sql_type: String,
    /// Its position in the primary key, from 1; 0 if it is not part of it.
    key: i64,
}

impl Columns {
    pub(super) async fn of_both(table: &str, source: &mut Side, target: &mut Side) -> Result<Self> {
        let (source, target) =
            (OneSide::read(table, source).await?, OneSide::read(table, target).await?);
        let names = |side: &OneSide| {
            side.columns.iter().map(|it| (it.name.clone(), it.key)).collect::<Vec<_>>()
        };
        if names(&source) == names(&target) && source.columns.iter().any(|column| column.key > 0) {
            return Ok(Self { source, target });
        }
        Err(StoreError::NotNow {
            what: format!("the table `{table}` is not the same in both databases"),
            hint: "migrate both databases first".to_owned(),
        })
    }
}

impl OneSide {
    async fn read(table: &str, side: &mut Side) -> Result<Self> {
        let mut columns = Vec::new();
        for line in side.texts(side.columns_query(), Some(table)).await? {
            let (name, sql_type, key): (String, String, i64) =
                serde_json::from_str(&line).map_err(unreadable)?;
            columns.push(Column { name, sql_type: sql_type.to_lowercase(), key });
        }
        columns.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self { kind: side.kind(), columns })
    }

    fn keys(&self) -> Vec<(usize, &Column)> {
        let mut keys: Vec<_> =
            self.columns.iter().enumerate().filter(|(_, column)| column.key > 0).collect();
        keys.sort_by_key(|(_, column)| column.key);
        keys
    }

    /// The query for the next rows by primary key, each as a JSON array. The last key of the previous rows is bound.
    pub(super) fn page(&self, table: &str, is_further: bool, limit: usize) -> String {
        let values = self.columns.iter().map(|column| match column.sql_type.as_str() {
            "boolean" => format!("CAST(\"{}\" AS INTEGER)", column.name),
            _ => format!("\"{}\"", column.name),
        });
        let values = values.collect::<Vec<_>>().join(", ");
        let row = match self.kind {
            Kind::Sqlite => format!("json_array({values})"),
            Kind::Postgres => format!("json_build_array({values})::text"),
        };
        let keys = self.keys();
        let names =
            keys.iter().map(|(_, key)| format!("\"{}\"", key.name)).collect::<Vec<_>>().join(", ");
        let after = keys.iter().enumerate().map(|(nth, (_, key))| self.bound("$1", nth, key));
        let after = after.collect::<Vec<_>>().join(", ");
        let condition =
            if is_further { format!("WHERE ({names}) > ({after})") } else { String::new() };
        format!("SELECT {row} AS line FROM \"{table}\" {condition} ORDER BY {names} LIMIT {limit}")
    }

    /// One value of a JSON array, as the column's type.
    fn bound(&self, array: &str, nth: usize, column: &Column) -> String {
        match (self.kind, column.sql_type.as_str()) {
            (Kind::Sqlite, _) => format!("json_extract({array}, '$[{nth}]')"),
            (Kind::Postgres, "boolean") => format!("(({array}::json->>{nth})::integer)::boolean"),
            (Kind::Postgres, sql_type) => format!("({array}::json->>{nth})::{sql_type}"),
        }
    }

    /// The statement that inserts a bound array of rows.
    pub(super) fn insert(&self, table: &str) -> String {
        let names = self.columns.iter().map(|column| format!("\"{}\"", column.name));
        let names = names.collect::<Vec<_>>().join(", ");
        let values = self.columns.iter().enumerate();
        let values = values.map(|(nth, column)| self.bound("value", nth, column));
        let values = values.collect::<Vec<_>>().join(", ");
        let rows = match self.kind {
            Kind::Sqlite => "json_each($1)",
            Kind::Postgres => "json_array_elements($1::json)",
        };
        format!(
            "INSERT INTO \"{table}\" ({names}) SELECT {values} FROM {rows} RETURNING '' AS line"
        )
    }

    /// The primary key of a row, as a JSON array.
    pub(super) fn key_of(&self, row: &str) -> Result<String> {
        let row: Vec<Value> = serde_json::from_str(row).map_err(unreadable)?;
        let key = self.keys().into_iter().map(|(place, _)| row.get(place).cloned());
        Ok(Value::from_iter(key.map(Option::unwrap_or_default)).to_string())
    }
}

pub(super) fn unreadable(source: serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "row", source: Box::new(source) }
}
