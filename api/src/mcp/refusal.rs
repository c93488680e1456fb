//! Words why a call cannot be done, for an agent: what is wrong, and what to do.

use windlass_core::error_chain;
use windlass_store::StoreError;

use crate::service::ServiceError;
use crate::service::journal::JournalError;

/// Why a call was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What is wrong and what to do.
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// One refusal for everything that is wrong.
    pub(super) fn listing(what: &str, problems: impl IntoIterator<Item = String>) -> Self {
        let lines = problems.into_iter().map(|problem| format!("\n- {problem}"));
        Self { text: format!("{what}:{}", lines.collect::<String>()) }
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        if let ServiceError::Journal(error) = error {
            error.into()
        } else {
            Self::new(error_chain(&error))
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::new(error_chain(&error))
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        if let JournalError::PlanRefused { problems } = error {
            return Self::listing("the plan cannot be recorded", problems);
        }
        Self {
            text: advice(&error)
                .map_or_else(|| error.to_string(), |advice| format!("{error}. {advice}")),
        }
    }
}

/// What an agent can do about it, with its tools.
const fn advice(error: &JournalError) -> Option<&'static str> {
    match error {
        JournalError::PlanNotFound { .. } => {
            Some("Record the plan with record_plan, and give the `plan_id` of its answer.")
        }
        JournalError::ExecutionNotFound { .. } => {
            Some("query_history lists the executions that there are.")
        }
        JournalError::OutOfOrder { .. } => {
            Some("Report that step first, or stop the execution with record_decision.")
        }
        JournalError::StepOver { .. } => {
            Some("query_ledger with `include_step_details` shows how far each step has come.")
        }
        JournalError::Over { .. } => Some(
            "Record what you do now with record_action, and begin another execution for what is left.",
        ),
        JournalError::NotLed { .. } => Some(
            "An execution belongs to the agent that began it: begin one of your own, or connect under that agent's name.",
        ),
        JournalError::PlanRefused { .. }
        | JournalError::StepNotFound { .. }
        | JournalError::NotControlled { .. }
        | JournalError::Contradiction { .. }
        | JournalError::ResultTooLarge { .. }
        | JournalError::OutOfRange { .. } => None,
    }
}
