//! Ids as agents write them: `plan_…` and `exec_…`. Behind the prefix is the id of a script version or a session.

use windlass_core::{Id, ScriptId, SessionId, Text as _};
use windlass_store::{AnyId, StoreError};

use super::ExecutionJournal;
use super::error::JournalError;
use crate::service::Result;

const PLAN: &str = "plan";
const EXECUTION: &str = "exec";

/// The id of a recorded plan.
#[must_use]
pub(super) fn plan_id(plan: ScriptId) -> String {
    with_prefix(PLAN, plan)
}

/// The id of an execution.
#[must_use]
pub(super) fn execution_id(execution: SessionId) -> String {
    with_prefix(EXECUTION, execution)
}

fn with_prefix<I: Id>(prefix: &str, id: I) -> String {
    let text = id.to_text();
    let digits = text.split_once('_').map_or(text.as_str(), |(_, digits)| digits);
    format!("{prefix}_{digits}")
}

/// The same id with the prefix that it is stored with.
fn as_stored<I: Id>(prefix: &str, text: &str) -> String {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    rest.map_or_else(|| text.to_owned(), |rest| format!("{}_{rest}", I::PREFIX))
}

/// Whether an id is written as those of recorded plans and executions are.
pub(in super::super) fn is_recorded(id: &str) -> bool {
    let is_digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|it| it.is_ascii_hexdigit());
    id.split_once('_')
        .is_some_and(|(kind, rest)| [PLAN, EXECUTION].contains(&kind) && is_digits(rest))
}

impl ExecutionJournal {
    /// The plan of an id, of which a part is enough if no other id has it.
    pub(super) async fn find_plan(&self, text: &str) -> Result<ScriptId> {
        let missing = || JournalError::PlanNotFound { plan: text.to_owned() };
        let written = as_stored::<ScriptId>(PLAN, text.trim());
        if let Ok(id) = ScriptId::parse_text(&written) {
            return Ok(id);
        }
        match self.service.store.resolve_id(self.service.workspace, &written).await {
            Ok(AnyId::Script(id)) => Ok(id),
            Ok(_) | Err(StoreError::NotFound { .. }) => Err(missing().into()),
            Err(error) => Err(error.into()),
        }
    }

    /// The execution of an id, of which a part is enough if no other id has it.
    pub(super) async fn find_execution(&self, text: &str) -> Result<SessionId> {
        let missing = || JournalError::ExecutionNotFound { execution: text.to_owned() };
        let written = as_stored::<SessionId>(EXECUTION, text.trim());
        if let Ok(id) = SessionId::parse_text(&written) {
            return Ok(id);
        }
        match self.service.store.resolve_id(self.service.workspace, &written).await {
            Ok(AnyId::Session(id)) => Ok(id),
            Ok(_) | Err(StoreError::NotFound { .. }) => Err(missing().into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::Timestamp;

    use super::*;

    #[test]
    fn both_spellings_name_the_same_plan() {
        let plan = ScriptId::mint(Timestamp::from_micros(1_700_000_000_000_000));
        let shown = plan_id(plan);

        assert!(shown.starts_with("plan_") && shown.len() == 37, "{shown}");
        for spelling in [shown, plan.to_string()] {
            assert_eq!(as_stored::<ScriptId>(PLAN, &spelling).parse(), Ok(plan));
        }
        assert_eq!(as_stored::<SessionId>(EXECUTION, "exec_01a2"), "ses_01a2");
    }
}
