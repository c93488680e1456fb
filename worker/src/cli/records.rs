//! The arguments of commands that show something.

use clap::Args;
use windlass_core::EventStatus;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// List archived workflows too
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The workflow's name or id; without one all of them
    #[arg(value_name = "NAME")]
    pub(crate) workflow: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WorkflowArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
    /// Only events of this topic
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// Only events in this status: pending, reserved, consumed, skipped or parked
    #[arg(long)]
    pub(crate) status: Option<EventStatus>,
    /// At most this many, the oldest first
    #[arg(long, default_value_t = u32::MAX, hide_default_value = true)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
    /// At most this many, the newest first
    #[arg(long, default_value_t = u32::MAX, hide_default_value = true)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The id of a workflow, script version, event, input, run, output, session or notification
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The id of the run
    pub(crate) run: String,
    /// Wait for more until the run has ended
    #[arg(long)]
    pub(crate) follow: bool,
}
