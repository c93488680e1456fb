//! A stable word for each kind of error, which programs can rely on.

use windlass_scheduler::EngineError;
use windlass_store::StoreError;

use super::error::ServiceError;
use super::journal::JournalError;

impl ServiceError {
    /// A stable word for the kind of error, the same on every front end.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(error) | Self::Engine(EngineError::Store(error)) => store_error_code(error),
            Self::Engine(_) => "engine",
            Self::Random(_) => "system",
            Self::Journal(error) => journal_code(error),
            Self::WrongKind { .. }
            | Self::BadName { .. }
            | Self::UnknownTool { .. }
            | Self::InvalidResult { .. }
            | Self::WrongResult { .. } => "usage",
            Self::InvalidPlan { .. } => "invalid_plan",
            Self::NoActivePlan { .. } => "no_active_plan",
            Self::NotAScript { .. } => "not_a_script",
            Self::OtherWorkstream { .. } => "other_workstream",
            Self::NoSuchVersion { .. }
            | Self::NoVersionBefore { .. }
            | Self::NoScript { .. }
            | Self::UnknownWorkflow { .. } => "not_found",
            Self::NeverRan { .. } => "never_ran",
            Self::NotActive { .. } => "not_active",
            Self::WaitsForPerson { .. } => "waits_for_person",
            Self::GrantNotConfirmed { .. } | Self::PlanGrantNotConfirmed { .. } => {
                "grant_not_confirmed"
            }
        }
    }
}

const fn journal_code(error: &JournalError) -> &'static str {
    match error {
        JournalError::PlanRefused { .. } => "invalid_plan",
        JournalError::PlanNotFound { .. }
        | JournalError::ExecutionNotFound { .. }
        | JournalError::StepNotFound { .. } => "not_found",
        JournalError::OutOfOrder { .. }
        | JournalError::StepOver { .. }
        | JournalError::Over { .. }
        | JournalError::NotControlled { .. } => "not_now",
        JournalError::NotLed { .. } => "not_led",
        JournalError::Contradiction { .. }
        | JournalError::ResultTooLarge { .. }
        | JournalError::OutOfRange { .. } => "usage",
    }
}

/// A stable word for the kind of an error of the store, the same on every front end.
#[must_use]
pub const fn store_error_code(error: &StoreError) -> &'static str {
    match error {
        StoreError::NotFound { .. } => "not_found",
        StoreError::Ambiguous { .. } => "ambiguous_id",
        StoreError::ActionRefused(_) => "action_refused",
        StoreError::NotNow { .. } | StoreError::NotRunning { .. } => "not_now",
        StoreError::InDoubt { .. } => "in_doubt",
        StoreError::WaitsForPerson { .. } => "waits_for_person",
        StoreError::MigrationPending { .. } => "migration_pending",
        StoreError::NewerSchema { .. } => "newer_schema",
        StoreError::Moved { .. } => "moved",
        StoreError::Replaced { .. } => "database_replaced",
        StoreError::BadUrl { .. } => "bad_database_url",
        StoreError::Unavailable { .. } => "database_unavailable",
        StoreError::DiskFull => "disk_full",
        StoreError::ReadOnly { .. } => "database_read_only",
        StoreError::Corrupt { .. } => "database_corrupt",
        StoreError::Steer(_) => "plan_refused",
        StoreError::Answer(_) | StoreError::AnswerInvalid(_) => "answer_refused",
        StoreError::Scopes(_) => "scope_refused",
        StoreError::ClaimLost { .. } => "claim_lost",
        StoreError::ReservationRefused { .. } => "reservation_refused",
        StoreError::Illegal(_) => "illegal_transition",
        StoreError::Unreadable { .. } | StoreError::Database(_) | _ => "database",
    }
}
