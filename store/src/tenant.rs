//! The boundary between workspaces.

/// Whether that workflow is one of that workspace, as a condition that stands in the query itself; the workflow is a value, or the
/// column of the table that is asked.
macro_rules! is_of {
    ($workspace:expr, $workflow:expr) => {{
        use diesel::dsl::exists;
        use diesel::prelude::*;

        use crate::rows::Db;
        use crate::schema::workflows;

        exists(
            workflows::table
                .filter(workflows::id.eq($workflow))
                .filter(workflows::workspace_id.eq(Db($workspace))),
        )
    }};
}

pub(crate) use is_of;
