//! Why an operation cannot be done.

use serde_json::Value;
use windlass_core::graph::{Finding, blocking_message};
use windlass_core::{ApprovalId, Grant, MutationId, WorkflowKind};
use windlass_scheduler::EngineError;
use windlass_store::StoreError;

use super::journal::JournalError;

/// The result of an operation.
pub type Result<T, E = ServiceError> = std::result::Result<T, E>;

/// Why an operation cannot be done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store refuses, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gives no random numbers, which secrets are made of.
    #[error("the operating system gives no random numbers")]
    Random(#[from] std::io::Error),
    /// The engine ended.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The journal of executions does not take something.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An id belongs to another kind of record.
    #[error("`{id}` is no {expected}")]
    WrongKind {
        /// The id, as it was given.
        id: String,
        /// The kind that was expected.
        expected: RecordName,
    },
    /// A workflow cannot have this name.
    #[error("`{name}` cannot be the name of a workflow")]
    BadName {
        /// The name.
        name: String,
    },
    /// The workflow has no such version.
    #[error("`{workflow}` has no version `{version}`")]
    NoSuchVersion {
        /// The workflow's name.
        workflow: String,
        /// The version.
        version: String,
        /// Those that it has, the newest first.
        known: Vec<String>,
    },
    /// There is nothing to compare a version with.
    #[error("`{workflow}` has no version before `{version}`")]
    NoVersionBefore {
        /// The workflow's name.
        workflow: String,
        /// The version.
        version: String,
    },
    /// The workflow has no script.
    #[error("`{workflow}` has no script yet")]
    NoScript {
        /// The workflow's name.
        workflow: String,
    },
    /// No version of the workflow is active.
    #[error("no version of `{workflow}` runs")]
    NotActive {
        /// The workflow's name.
        workflow: String,
    },
    /// The workflow waits for a person.
    #[error("`{workflow}` does not run: {why}")]
    WaitsForPerson {
        /// The workflow's name.
        workflow: String,
        /// For what it waits.
        why: String,
    },
    /// The script calls what no version before it was allowed, and nobody confirmed that.
    #[error("the script calls {}, and nobody has allowed that yet", list_grant(.new))]
    GrantNotConfirmed {
        /// What it newly calls.
        new: Grant,
        /// What it may call once that is confirmed.
        grant: Grant,
    },
    /// A result is none that the tool can answer with.
    #[error("{problem}")]
    WrongResult {
        /// What is wrong with it.
        problem: String,
        /// Whose result it is.
        mutation: MutationId,
        /// A result that the tool could answer with. It says what was said, where that fits.
        example: Value,
    },
    /// No tool has this name.
    #[error("there is no tool `{name}`")]
    UnknownTool {
        /// The name.
        name: String,
        /// The known name that is nearest.
        nearest: Option<String>,
    },
    /// No workflow has this name.
    #[error("there is no workflow `{name}`")]
    UnknownWorkflow {
        /// The name.
        name: String,
        /// The known name that is nearest.
        nearest: Option<String>,
    },
    /// A draft is no plan that can be begun. Nothing was written.
    #[error("plan draft failed validation: {}", blocking_message(.findings))]
    InvalidPlan {
        /// Everything that was found.
        findings: Vec<Finding>,
    },
    /// What was submitted is no result of a node.
    #[error("result_shape_invalid: the result cannot be read: {problem}")]
    InvalidResult {
        /// What is wrong with it.
        problem: String,
    },
    /// The workflow has the graph of a plan, and so no script.
    #[error("`{workflow}` is a {kind}, and has no script")]
    NotAScript {
        /// The workflow's name.
        workflow: String,
        /// What it is.
        kind: WorkflowKind,
    },
    /// No plan is active in the workstream.
    #[error("no plan run is active in workstream `{workstream}`")]
    NoActivePlan {
        /// The workstream.
        workstream: String,
    },
    /// An answer in the messages of one workstream is to a question of another one.
    #[error("approval `{approval}` is asked in workstream `{asked_in}`, not in `{answered_in}`")]
    OtherWorkstream {
        /// The approval.
        approval: ApprovalId,
        /// Where it is asked.
        asked_in: String,
        /// Where it was answered.
        answered_in: String,
    },
    /// The plan calls what nobody has allowed.
    #[error("the plan calls {}, and nobody has allowed that yet", list_grant(.calls))]
    PlanGrantNotConfirmed {
        /// What it calls.
        calls: Grant,
    },
    /// No handler of the workflow has run yet.
    #[error("nothing of `{workflow}` ran yet")]
    NeverRan {
        /// The workflow's name.
        workflow: String,
    },
}

/// A kind of record that an operation acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordName {
    /// A mutation.
    Output,
    /// An event.
    Event,
    /// A handler run.
    Run,
}

impl std::fmt::Display for RecordName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Output => "output",
            Self::Event => "event",
            Self::Run => "run",
        })
    }
}

/// The tools of a grant in one line.
#[must_use]
pub fn list_grant(grant: &Grant) -> String {
    grant.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}
