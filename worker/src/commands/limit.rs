//! `limit`: how much runs at a time, or begins in a while, of what workflows have in common.

use serde::Serialize;
use windlass_core::RunLimit;
use windlass_store::{Limit, LimitHolder};

use crate::cli::LimitArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Limits(Vec<Limit>);

pub(crate) async fn run(context: &Context, args: &LimitArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let limit = RunLimit { at_once: args.at_once, rate: args.rate };
    let is_set = args.at_once.is_some() || args.rate.is_some();
    if let Some(key) = args.key.clone().filter(|_| is_set || args.none) {
        service.set_limit(key, is_set.then_some(limit)).await?;
    }
    context.output.print(&Limits(service.limits(args.key.as_ref()).await?))?;
    Ok(ExitStatus::Done)
}

impl Printable for Limits {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("No limit is set.");
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
    let held_by = limit.held_by.iter().map(LimitHolder::to_string);
    [
        limit.key.clone(),
        number(limit.at_once),
        limit.running.to_string(),
        limit.queued.to_string(),
        rate.unwrap_or_else(|| "-".to_owned()),
        held_by.collect::<Vec<_>>().join(", "),
    ]
}
