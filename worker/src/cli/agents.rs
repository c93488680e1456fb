//! The arguments of commands for agents.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass_api::mcp::harmless_name;
use windlass_api::service::journal::{
    ActionType, CleanupType, DecisionAction, ExecutionStatus, ReportedStatus,
};
use windlass_core::Actor;

#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// What the agent is called; without it as its client says
    #[arg(long, value_name = "NAME", value_parser = agent_name)]
    pub(crate) agent: Option<String>,
}

/// The name of an agent.
fn agent_name(text: &str) -> Result<String, String> {
    harmless_name(text)
        .filter(|name| name == text)
        .ok_or_else(|| "write up to 64 letters, digits, `-`, `_` and `.`".to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    /// Who records, for example `agent:claude`; without it the user of this shell
    #[arg(long = "as", global = true, value_name = "ACTOR")]
    pub(crate) actor: Option<Actor>,
    #[command(subcommand)]
    pub(crate) command: JournalCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Record a plan
    Record {
        /// The plan as JSON; `-` for stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Record that an execution of a plan begins
    Start {
        /// The plan's id, `plan_…`
        #[arg(value_name = "PLAN")]
        plan: String,
        /// What is to be kept with the execution
        #[arg(long)]
        notes: Option<String>,
    },
    /// Record that a step runs, is completed or failed
    Step(StepArgs),
    /// Record a decision
    Decide {
        /// The execution's id, `exec_…`
        #[arg(value_name = "EXECUTION")]
        execution: String,
        /// `stop` gives up what is not done; `continue` changes nothing
        #[arg(value_name = "stop|continue", value_parser = word::<DecisionAction>)]
        action: DecisionAction,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Record something that was done beside the steps
    Act(ActArgs),
    /// Show an execution
    Show {
        /// The execution's id, `exec_…`
        #[arg(value_name = "EXECUTION")]
        execution: String,
        /// List its steps
        #[arg(long)]
        steps: bool,
        /// List what was recorded
        #[arg(long)]
        events: bool,
    },
    /// List executions, those that began last first
    History {
        /// Only those that are `running`, `completed`, `failed` or `cancelled`; may be given several times
        #[arg(long, value_parser = word::<ExecutionStatus>)]
        status: Vec<ExecutionStatus>,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: u32,
    },
    /// Remove old executions that are over; without `--yes` only say which
    Clean {
        /// `completed_old`, `failed_old`, `all_old`, or `orphaned_plans`: plans without executions, of any age
        #[arg(long, value_name = "WHAT", default_value = "all_old", value_parser = word::<CleanupType>)]
        what: CleanupType,
        /// Executions that ended so many days ago
        #[arg(long, value_name = "N", default_value_t = 30)]
        older_than_days: u32,
        /// Remove them
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct StepArgs {
    /// The execution's id, `exec_…`
    #[arg(value_name = "EXECUTION")]
    pub(crate) execution: String,
    /// The step's id in its plan
    #[arg(value_name = "STEP")]
    pub(crate) step: String,
    /// What became of it
    #[arg(value_name = "running|completed|failed", value_parser = word::<ReportedStatus>)]
    pub(crate) status: ReportedStatus,
    /// What the tool answered, as JSON
    #[arg(long, value_name = "JSON", value_parser = json)]
    pub(crate) result: Option<Value>,
    /// What went wrong
    #[arg(long, value_name = "TEXT")]
    pub(crate) error: Option<String>,
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// One of a few words.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(Value::from(text)).map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct ActArgs {
    /// The execution's id, `exec_…`
    #[arg(value_name = "EXECUTION")]
    pub(crate) execution: String,
    /// What was done: `stopped`, `cleaned_up`, `notified`, `rolled_back` or `other`
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<ActionType>)]
    pub(crate) action_type: ActionType,
    /// The same in words
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: String,
    /// The step that it is about
    #[arg(long)]
    pub(crate) step: Option<String>,
}
