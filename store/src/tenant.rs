//! The boundary between workspaces.

/// The condition that a workflow belongs to a workspace, as part of the query itself. The workflow is a value or a column of the
/// queried table.
macro_rules! in_workspace {
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

pub(crate) use in_workspace;
