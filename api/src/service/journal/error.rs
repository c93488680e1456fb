//! Why the journal does not take something.

use super::words::{ExecutionStatus, StepStatus};

/// Why the journal does not take something. Nothing was written, but where it says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A plan is none.
    #[error("the plan cannot be recorded: {}", .problems.join("; "))]
    PlanRefused {
        /// Everything that is wrong with it.
        problems: Vec<String>,
    },
    /// There is no such plan.
    #[error("plan not found: there is no plan `{plan}`")]
    PlanNotFound {
        /// The id, as it was given.
        plan: String,
    },
    /// There is no such execution.
    #[error("execution not found: there is no execution `{execution}`")]
    ExecutionNotFound {
        /// The id, as it was given.
        execution: String,
    },
    /// The execution has no such step.
    #[error("execution `{execution}` has no step `{step}`; it has {}", quoted(.known))]
    StepNotFound {
        /// The execution.
        execution: String,
        /// The step.
        step: String,
        /// The steps that it has.
        known: Vec<String>,
    },
    /// A step before it is not done.
    #[error("step `{step}` cannot be {wanted} yet: step `{before}` before it is {}, and steps are done in order", .status.as_str())]
    OutOfOrder {
        /// The step.
        step: String,
        /// What was said of it.
        wanted: &'static str,
        /// The first step before it that is not done.
        before: String,
        /// How far that one has come.
        status: StepStatus,
    },
    /// The step is over.
    #[error("step `{step}` is {} already, and that is final", .status.as_str())]
    StepOver {
        /// The step.
        step: String,
        /// How it ended.
        status: StepStatus,
    },
    /// The execution is over. That somebody reported a step of it is in its journal.
    #[error("execution `{execution}` is {}, and that is final: what was said of step `{step}` is noted in its journal and changes nothing", .status.as_str())]
    Over {
        /// The execution.
        execution: String,
        /// The step.
        step: String,
        /// How it ended.
        status: ExecutionStatus,
    },
    /// Another agent leads the execution.
    #[error("execution `{execution}` belongs to `{lead}`, and `{actor}` cannot record its steps")]
    NotLed {
        /// The execution.
        execution: String,
        /// Who began it.
        lead: String,
        /// Who wants to record.
        actor: String,
    },
    /// What an agent does is not paused, resumed or archived from here.
    #[error("`{id}` is of the journal: its agent carries it out, and nothing pauses or resumes it")]
    NotControlled {
        /// The id, as it was given.
        id: String,
    },
    /// What is said of a step does not go with its status.
    #[error("`{field}` is for a step that {goes_with}, and step `{step}` is said to be {status}")]
    Contradiction {
        /// The step.
        step: String,
        /// The field.
        field: &'static str,
        /// For which steps it is.
        goes_with: &'static str,
        /// What is said of the step.
        status: &'static str,
    },
    /// What a tool answered is too large to keep.
    #[error(
        "the result of step `{step}` has {bytes} bytes, more than {most}: keep it in a file, and record where that is"
    )]
    ResultTooLarge {
        /// The step.
        step: String,
        /// How many bytes of JSON it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// A number is out of its range.
    #[error("`{field}` is {given}, and has to be between {least} and {most}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was given.
        given: u32,
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}
