//! The arguments of commands by which a person controls workflows and settles what stopped.

use clap::Args;
use windlass_core::{LimitKey, Rate};

#[derive(Debug, Args)]
pub(crate) struct ActivateArgs {
    /// The workflow's name or id, and the version, for example `receipts@1.2`; without one the newest
    #[arg(value_name = "NAME[@VERSION]")]
    pub(crate) workflow: String,
}

#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
}

#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// What is limited: `workflow:NAME`, `connector:Http` or `host:api.example.com`; without it, all limits are listed
    #[arg(value_name = "KEY")]
    pub(crate) key: Option<LimitKey>,
    /// How many runs at a time, of all workers together
    #[arg(long, value_name = "N", requires = "key", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) at_once: Option<u32>,
    /// How many runs may begin in a window, for example `60/1m`
    #[arg(long, value_name = "N/TIME", requires = "key")]
    pub(crate) rate: Option<Rate>,
    /// Remove the limit
    #[arg(long, requires = "key", conflicts_with_all = ["at_once", "rate"])]
    pub(crate) none: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    pub(crate) workflow: String,
    /// Only workers with this label may take its runs: `windlass worker --labels LABEL`
    #[arg(long, conflicts_with = "any_worker")]
    pub(crate) label: Option<String>,
    /// Any worker may take its runs again
    #[arg(long)]
    pub(crate) any_worker: bool,
    /// Higher runs first; each point counts as much as a minute of waiting, so that no run waits for ever
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(-1000..=1000))]
    pub(crate) priority: Option<i32>,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The id of the output
    pub(crate) mutation: String,
    #[command(flatten)]
    pub(crate) resolution: ResolutionArgs,
    /// Why, for the journal
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct ResolutionArgs {
    /// It did not happen: its events are pending again, and a new run prepares afresh
    #[arg(long)]
    pub(crate) did_not_happen: bool,
    /// Leave it, whatever happened: its events are skipped, and `next` runs once
    #[arg(long)]
    pub(crate) skip: bool,
    /// Let its tool look it up again, where the tool can do that
    #[arg(long)]
    pub(crate) try_again: bool,
    /// It happened, and this JSON is what the tool answered: `next` continues with it
    #[arg(long, value_name = "RESULT")]
    pub(crate) happened: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EventArgs {
    /// Events by their ids; the id of an input stands for all events that it caused
    #[arg(value_name = "ID", required_unless_present = "workflow")]
    pub(crate) ids: Vec<String>,
    /// Not only these events, but all that are parked for the same reason
    #[arg(long, conflicts_with = "workflow")]
    pub(crate) same_reason: bool,
    /// All parked events of this workflow
    #[arg(long, value_name = "NAME", conflicts_with = "ids")]
    pub(crate) workflow: Option<String>,
    /// Instead all events of this topic of the workflow that are not over
    #[arg(long, requires = "workflow")]
    pub(crate) topic: Option<String>,
    #[command(flatten)]
    pub(crate) action: EventActionArgs,
    /// With `--replay`: what was done for these events before may be done again
    #[arg(long, requires = "replay")]
    pub(crate) repeat_effects: bool,
    /// Why, for the journal
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct EventActionArgs {
    /// Parked events are pending again, as if nothing had gone wrong with them
    #[arg(long)]
    pub(crate) put_back: bool,
    /// Consumed events are processed once more, for example by a repaired version; what is done for them then is done anew
    #[arg(long, requires = "reason", conflicts_with_all = ["same_reason", "workflow"])]
    pub(crate) replay: bool,
    /// Events that are pending, reserved or parked leave the queue unprocessed, for good
    #[arg(long)]
    pub(crate) skip: bool,
}
