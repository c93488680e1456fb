//! `limit`: how much runs at a time, or begins in a while, of what workflows have in common.

use std::collections::BTreeSet;

use serde::Serialize;
use windlass_api::service::Service;
use windlass_api::text::nearest;
use windlass_core::{LimitKey, RunLimit};
use windlass_store::{Limit, LimitHolder};

use super::engine::described_registry;
use crate::cli::LimitArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Limits {
    rows: Vec<Limit>,
    /// What a person reads where there are none.
    #[serde(skip)]
    if_none: String,
}

pub(crate) async fn run(context: &Context, args: &LimitArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let limit = RunLimit { at_once: args.at_once, rate: args.rate };
    let is_set = args.at_once.is_some() || args.rate.is_some();
    let before = service.limits(args.key.as_ref()).await?;
    if let (true, Some(LimitKey::Connector(namespace))) = (is_set, &args.key) {
        require_namespace(context, namespace).await?;
    }
    if let (true, Some(LimitKey::Host(server))) = (is_set, &args.key) {
        require_no_port(server)?;
    }
    if let Some(key) = args.key.clone().filter(|_| is_set || args.none) {
        service.set_limit(key, is_set.then_some(limit)).await?;
    }
    let rows = service.limits(args.key.as_ref()).await?;
    let if_none = match &args.key {
        None => "No limit is set.".to_owned(),
        Some(key) if args.none && !before.is_empty() => format!("The limit of `{key}` is removed."),
        Some(key) => format!("`{key}` has no limit."),
    };
    context.output.print(&Limits { rows, if_none })?;
    Ok(ExitStatus::Done)
}

/// Names the limits of a workflow that a session passes by which a person starts: nobody is made to wait who asks for it now.
pub(super) async fn warn_of_limits(service: &Service, workflow: &str) -> Result<()> {
    let limits = service.limits(None).await?;
    if limits.is_empty() {
        return Ok(());
    }
    let grant = service.current_grant(workflow).await?.unwrap_or_default();
    let keys: BTreeSet<_> =
        LimitKey::of(workflow, &grant).iter().map(LimitKey::to_string).collect();
    for limit in limits.iter().filter(|limit| keys.contains(&limit.key)) {
        tracing::warn!(
            "the limit of `{}` does not hold back what a person runs; `up` obeys it",
            limit.key
        );
    }
    Ok(())
}

/// Refuses a server with a port: servers are granted and limited by their names, with all their ports.
pub(super) fn require_no_port(server: &str) -> Result<()> {
    let Some((name, port)) = server.rsplit_once(':') else { return Ok(()) };
    let is_port = !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit());
    if !is_port || name.contains(':') && !name.ends_with(']') {
        return Ok(());
    }
    Err(CommandError::Usage {
        message: format!("`{server}` names a port: it would match no request"),
        hint: Some(format!("write `{name}`, which stands for all of its ports")),
    })
}

/// Refuses a namespace of which scripts can call nothing.
async fn require_namespace(context: &Context, namespace: &str) -> Result<()> {
    let registry = described_registry(context).await?;
    let known: BTreeSet<_> = registry.callables().map(|it| it.spec().namespace.as_str()).collect();
    if known.contains(namespace) || registry.missing().contains_key(namespace) {
        return Ok(());
    }
    let known_names = known.iter().copied().collect::<Vec<_>>().join(", ");
    Err(CommandError::Usage {
        message: format!("no tool belongs to `{namespace}`"),
        hint: Some(match nearest(namespace, known) {
            Some(name) => format!("did you mean `connector:{name}`?"),
            None => format!("there are {known_names}"),
        }),
    })
}

impl Printable for Limits {
    fn write(&self, page: &mut TextPage) {
        if self.rows.is_empty() {
            return page.line(&self.if_none);
        }
        page.table(LIMIT_COLUMNS, self.rows.iter().map(limit_row).collect());
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
