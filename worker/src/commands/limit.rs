//! `limit`: how much runs at a time, or begins in a while, of what workflows have in common.

use clap::Args;
use serde::Serialize;
use windlass_core::{LimitKey, Rate, RunLimit};
use windlass_store::{Holder, Limit, SetLimit};

use super::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// What is limited: `workflow:NAME`, `connector:Http` or `host:api.example.com`; without it, all limits are listed
    #[arg(value_name = "KEY")]
    key: Option<LimitKey>,
    /// How many runs at a time, of all workers together
    #[arg(long, value_name = "N", requires = "key", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,
    /// How many runs may begin in a window, for example `60/1m`
    #[arg(long, value_name = "N/TIME", requires = "key")]
    rate: Option<Rate>,
    /// Take the limit away
    #[arg(long, requires = "key", conflicts_with_all = ["at_once", "rate"])]
    none: bool,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Limits(Vec<Limit>);

pub(crate) async fn run(context: &Context, args: &LimitArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let workspace = service.workspace;
    let limit = RunLimit { at_once: args.at_once, rate: args.rate };
    let is_set = args.at_once.is_some() || args.rate.is_some();
    if let Some(key) = args.key.clone().filter(|_| is_set || args.none) {
        let (limit, actor) = (is_set.then_some(limit), context.actor.clone());
        service.store.set_limit(SetLimit { workspace, key, limit, actor }).await?;
    }
    let mut limits = service.store.limits(workspace).await?;
    if let Some(key) = &args.key {
        limits.retain(|limit| limit.key == key.to_string());
    }
    context.output.answer(&Limits(limits))?;
    Ok(Ending::Done)
}

impl Answer for Limits {
    fn write(&self, page: &mut Page) {
        if self.0.is_empty() {
            return page.line("There is no such limit.");
        }
        page.wide_table(110, LIMIT_COLUMNS, self.0.iter().map(limit_row).collect());
    }
}

/// What a table of limits shows of each.
pub(super) const LIMIT_COLUMNS: [&str; 6] =
    ["LIMIT", "AT ONCE", "RUNNING", "QUEUED", "BEGUN", "HELD BY"];

/// A limit, how much of it is used, and by whom.
pub(super) fn limit_row(limit: &Limit) -> [String; 6] {
    let number = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
    let rate = limit
        .rate
        .zip(limit.per_s)
        .map(|(runs, per)| format!("{} of {runs} in {per} s", limit.begun.unwrap_or(0)));
    let held_by = limit.held_by.iter().map(Holder::to_string);
    [
        limit.key.clone(),
        number(limit.at_once),
        limit.running.to_string(),
        limit.queued.to_string(),
        rate.unwrap_or_else(|| "-".to_owned()),
        held_by.collect::<Vec<_>>().join(", "),
    ]
}
