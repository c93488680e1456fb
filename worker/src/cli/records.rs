//! The arguments of commands that show something.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use windlass_core::{EventStatus, Timestamp, span};

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
    /// End with exit code 3 where a workflow waits for a person
    #[arg(long)]
    pub(crate) check: bool,
    /// Show it again whenever it changes, until the program is interrupted
    #[arg(long, conflicts_with_all = ["check", "json"])]
    pub(crate) watch: bool,
}

/// Which records of a list are shown.
#[derive(Debug, Args)]
pub(crate) struct RangeArgs {
    /// At most this many; without it all, but on a terminal 100
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
    /// Only those of the last `2h` (or s, m, d), or since an instant such as 2026-03-01T09:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Since>,
}

/// Since when.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Since {
    /// This long before now.
    Last(Duration),
    /// This instant.
    At(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let instant = || Timestamp::parse(text).map(Self::At);
        span(text)
            .ok()
            .map(Self::Last)
            .or_else(instant)
            .ok_or_else(|| "write for example `2h`, `7d` or `2026-03-01T09:00:00Z`".to_owned())
    }
}

#[derive(Debug, Args)]
pub(crate) struct WorkflowArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VersionsArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
    /// Show how the newest version differs from the one before it, a version from the one before it, or two versions
    #[arg(long, value_name = "VERSION", num_args = 0..=2)]
    pub(crate) diff: Option<Vec<String>>,
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
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct NotifyArgs {
    /// Send a test message through every channel of `[notify]`
    #[arg(long)]
    pub(crate) test: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// A workflow's name, NAME@VERSION, or the id of a workflow, script version, event, input, run, output, session or notification
    #[arg(value_name = "NAME|ID")]
    pub(crate) id: String,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The id of a run or a session; with a workflow's name its newest run that logged something, with a plan's name its newest run
    #[arg(value_name = "RUN|SESSION|NAME")]
    pub(crate) of: String,
    /// Wait for more until it has ended
    #[arg(long)]
    pub(crate) follow: bool,
}
