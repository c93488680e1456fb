//! The journal of executions: what an agent plans to do with its own tools, and what became of it.
//!
//! An agent records a plan, begins executions of it, and says of each step that it runs, is done or failed. Nothing is carried out here,
//! nothing is undone, and no failure policy is applied: the agent decides, and the journal keeps what it decided and did.
//!
//! A plan is a graph whose nodes are a chain, and an execution is a run of it. The store enforces their order.

mod cleanup;
mod decide;
mod error;
mod history;
mod ids;
mod ledger;
mod plan;
mod run;
mod words;

use windlass_core::Actor;

pub use self::cleanup::{Cleanup, CleanupInput, CleanupType};
pub use self::decide::{
    ActionInput, ActionType, DecisionAction, DecisionInput, Details, RecordedAction,
    RecordedDecision, UndoCandidate, UndoCandidates,
};
pub use self::error::JournalError;
pub use self::history::{History, HistoryInput, HistoryRow, QueryType};
pub(super) use self::ids::is_recorded;
pub use self::ledger::{EventRow, Ledger, LedgerInput, StepCounts, StepRow};
pub use self::plan::{
    FailurePolicy, PlanInput, PlanView, PolicyAction, RecordedPlanReport, StepInput,
};
pub use self::run::{
    RecordedStep, ReportedStatus, StartInput, StartedExecution, StepFailure, StepReport,
};
pub use self::words::{ExecutionStatus, StepStatus};
use super::handle::Service;

/// The journal of executions, as one actor sees it.
#[derive(Debug, Clone)]
pub struct ExecutionJournal {
    service: Service,
    actor: Actor,
}

impl Service {
    /// The journal of executions. `actor` is who records.
    #[must_use]
    pub fn journal(&self, actor: Actor) -> ExecutionJournal {
        ExecutionJournal { service: self.clone(), actor }
    }
}
