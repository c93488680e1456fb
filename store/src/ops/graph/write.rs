//! Writes how nodes change: the node, its attempt, and the question that was open for it.

use diesel::prelude::*;
use serde_json::{Map, Value, json};
use windlass_core::graph::{
    AttemptEnd, AttemptStatus, Node, NodeChange, NodeFailureClass, NodeState, NodeStatus, OwnerType,
};
use windlass_core::{Actor, ApprovalStatus, AttemptId, NodeRunId, Text as _, WorkflowKind};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::load::LockedGraph;
use super::notices::Notice;
use super::{ask, journal, notices};
use crate::convert::to_i32;
use crate::error::Result;
use crate::model::NotificationKind;
use crate::rows::{At, Db, Json, storable};
use crate::schema::{attempts, node_runs};

/// Writes the changes, in memory too, so that [`advance`](super::advance::advance) goes on from them.
pub(in super::super) async fn apply(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    changes: Vec<NodeChange>,
    by: &Actor,
) -> Result<()> {
    for change in changes {
        apply_one(tx, locked, &change, by).await?;
        locked.state.apply(&change);
    }
    Ok(())
}

async fn apply_one(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    change: &NodeChange,
    by: &Actor,
) -> Result<()> {
    let before = locked.state.node(change.position);
    let Some(head) = locked.nodes.get(change.position) else { return Ok(()) };
    let (node_run, open_attempt) = (head.id, head.attempt);
    if let (Some(end), Some(attempt)) = (&change.attempt, open_attempt) {
        end_attempt(tx, attempt, end).await?;
    }
    if before.status == NodeStatus::AwaitingHuman {
        let is_late =
            change.attempt.as_ref().is_some_and(|it| it.status == AttemptStatus::TimedOut);
        let status = if is_late { ApprovalStatus::Expired } else { ApprovalStatus::Cancelled };
        ask::close(tx, node_run, status).await?;
    }
    write_node(tx, node_run, change).await?;
    let has_new_attempt = change.state.attempt_count > before.attempt_count;
    let mut attempt = open_attempt.filter(|_| change.attempt.is_none());
    if has_new_attempt && let Some(node) = locked.graph.nodes.get(change.position) {
        attempt = Some(begin_attempt(tx, node_run, node, change).await?);
    }
    journal::add_change(tx, locked, (&before, change), by);
    match (is_told(&before), is_told(&change.state)) {
        (false, true) => tell_block(tx, locked, (change.position, &change.state)).await?,
        (true, false) => resolve_block(tx, locked, change.position).await?,
        (true, true) | (false, false) => {}
    }
    if let Some(head) = locked.nodes.get_mut(change.position) {
        head.attempt = attempt;
    }
    // Only a human node begins to wait for a person with an attempt. Another one failed for good, and a person decides.
    let is_escalated =
        change.state.status == NodeStatus::AwaitingHuman && !change.state.has_attempt;
    if is_escalated {
        ask::escalate(tx, locked, change).await?;
    }
    Ok(())
}

/// Whether people are told that the node is blocked. A doubt is told of with its mutation, or looked up.
fn is_told(state: &NodeState) -> bool {
    state.status == NodeStatus::Blocked && state.failure != Some(NodeFailureClass::InDoubt)
}

/// Tells people that a node is blocked.
pub(super) async fn tell_block(
    tx: &Tx<'_>,
    locked: &LockedGraph,
    (position, state): (usize, &NodeState),
) -> Result<()> {
    let is_of_agent = locked.workflow.kind.0 == WorkflowKind::Journal;
    let node = locked.graph.nodes.get(position);
    let Some(node) = node.filter(|_| !is_of_agent) else { return Ok(()) };
    let notice = Notice {
        kind: NotificationKind::Error,
        title: format!("node `{}` of `{}` is blocked", node.id, locked.workflow.name),
        body: state.blocked_reason.clone().unwrap_or_default(),
        approval: None,
        node: Some(node.id.clone()),
    };
    notices::add(tx, locked, notice).await
}

async fn resolve_block(tx: &Tx<'_>, locked: &LockedGraph, position: usize) -> Result<()> {
    match locked.graph.nodes.get(position) {
        Some(node) => notices::resolve_block(tx, locked.run.session_id, &node.id).await,
        None => Ok(()),
    }
}

async fn end_attempt(tx: &Tx<'_>, attempt: Db<AttemptId>, end: &AttemptEnd) -> Result<()> {
    let failure = end.failure.as_ref().map(|(class, reason)| {
        (
            attempts::failure_class.eq(Some(Db(*class))),
            attempts::failure_message.eq(Some(storable(reason.clone()))),
        )
    });
    diesel::update(attempts::table.find(attempt))
        .set((
            attempts::status.eq(Db(end.status)),
            failure,
            attempts::ended_at.eq(Some(At(tx.now))),
        ))
        .execute(tx.conn)
        .await?;
    Ok(())
}

async fn begin_attempt(
    tx: &Tx<'_>,
    node_run: Db<NodeRunId>,
    node: &Node,
    change: &NodeChange,
) -> Result<Db<AttemptId>> {
    let id: Db<AttemptId> = Db(tx.mint());
    let input = node_runs::table.find(node_run).select(node_runs::input).single_value();
    diesel::insert_into(attempts::table)
        .values((
            attempts::id.eq(id),
            attempts::node_run_id.eq(node_run),
            attempts::number.eq(to_i32(change.state.attempt_count)),
            attempts::status.eq(Db(AttemptStatus::Running)),
            attempts::submitted_by.eq(owner(node)),
            attempts::input.eq(input),
            attempts::findings.eq("[]"),
            attempts::started_at.eq(At(tx.now)),
        ))
        .execute(tx.conn)
        .await?;
    Ok(id)
}

/// Who does a node, as the journal names it.
pub(super) fn owner(node: &Node) -> String {
    let name = node.owner.reference.as_str();
    let of =
        |kind: &str| format!("{kind}:{}", name.strip_prefix(&format!("{kind}:")).unwrap_or(name));
    match node.owner.executor_type {
        OwnerType::Agent => of("agent"),
        OwnerType::User => of("user"),
        OwnerType::System | OwnerType::Plugin => Actor::Windlass.to_text(),
    }
}

async fn write_node(tx: &Tx<'_>, node_run: Db<NodeRunId>, change: &NodeChange) -> Result<()> {
    let state = &change.state;
    let now = At(tx.now);
    let input = match &change.edits {
        None => change.input.clone(),
        Some(edits) => Some(with_edits(tx, node_run, change.input.as_ref(), edits).await?),
    };
    let output = change.output.as_ref().map(|output| (!output.is_null()).then_some(Json(output)));
    let counts = (
        node_runs::attempt_count.eq(to_i32(state.attempt_count)),
        node_runs::retry_count.eq(to_i32(state.retry_count)),
        node_runs::effect_round.eq(to_i32(state.effect_round)),
        node_runs::transient_failures.eq(to_i32(state.transient_failures)),
    );
    let is_ready = state.status == NodeStatus::Ready;
    let is_begun = state.status.is_begun();
    let instants = (
        node_runs::available_at.eq(state.available_at.map(At)),
        node_runs::deadline_at.eq(state.deadline_at.map(At)),
        is_ready.then_some(node_runs::ready_at.eq(Some(now))),
        is_begun.then_some(node_runs::started_at.eq(Some(now))),
        node_runs::completed_at.eq(state.status.is_final().then_some(now)),
        node_runs::updated_at.eq(now),
    );
    diesel::update(node_runs::table.find(node_run))
        .set((
            node_runs::status.eq(Db(state.status)),
            counts,
            node_runs::effect.eq(Db(state.effect)),
            node_runs::must_continue.eq(state.must_continue),
            node_runs::blocked_reason.eq(state.blocked_reason.clone().map(storable)),
            node_runs::failure_class.eq(state.failure.map(Db)),
            input.map(|input| node_runs::input.eq(Some(Json(input)))),
            output.map(|output| node_runs::output.eq(output)),
            instants,
        ))
        .execute(tx.conn)
        .await?;
    Ok(())
}

/// The node's input with what a person wants to be done otherwise.
async fn with_edits(
    tx: &Tx<'_>,
    node_run: Db<NodeRunId>,
    input: Option<&Value>,
    edits: &[String],
) -> Result<Value> {
    let stored = match input {
        Some(input) => Some(input.clone()),
        None => {
            let stored = node_runs::table.find(node_run).select(node_runs::input);
            stored.first::<Option<Json>>(tx.conn).await?.map(|Json(input)| input)
        }
    };
    let mut fields = match stored {
        Some(Value::Object(fields)) => fields,
        Some(Value::Null) | None => Map::new(),
        Some(other) => Map::from_iter([("input".to_owned(), other)]),
    };
    fields.insert("requiredEdits".to_owned(), json!(edits));
    Ok(Value::Object(fields))
}
