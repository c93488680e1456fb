//! Moves a run of a graph on, and writes what the transaction changed of the run as a whole.

use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_core::graph::{self, Begin, BeginHow, GraphEnd, GraphState, GraphStatus, NodeStatus};
use windlass_core::{Actor, Failure, SessionResult, WorkflowKind};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::load::{self, LockedGraph};
use super::notices::Notice;
use super::{ask, enqueue, journal, notices, withdraw, write};
use crate::cached::CacheStatement;
use crate::convert::to_i32;
use crate::error::Result;
use crate::model::NotificationKind;
use crate::rows::{At, Db, WorkflowRow, storable};
use crate::schema::{graph_runs, sessions, workflows};

/// Moves the open run of a locked workflow on, if it has one, and saves the workflow.
pub(in super::super) async fn advance_workflow(
    tx: &Tx<'_>,
    workflow: WorkflowRow,
) -> Result<WorkflowRow> {
    let Some(session) = load::open(tx, &workflow).await? else {
        let mut workflow = WorkflowRow { due_at: None, ..workflow };
        save_workflow(tx, &mut workflow).await?;
        return Ok(workflow);
    };
    let mut locked = load::load(tx, workflow, session).await?;
    advance(tx, &mut locked).await?;
    save(tx, &mut locked, "advanced").await?;
    Ok(locked.workflow)
}

/// Works out what follows from the run's state and writes it: nodes that may begin, questions, runs for workers, the end.
pub(in super::super) async fn advance(tx: &Tx<'_>, locked: &mut LockedGraph) -> Result<()> {
    if locked.is_over() {
        return Ok(());
    }
    load::load_outputs(tx, locked).await?;
    let advance = graph::advance(&locked.graph, &locked.state, tx.now);
    write::apply(tx, locked, advance.changes, &Actor::Windlass).await?;
    for begin in advance.begin {
        start_node(tx, locked, begin).await?;
    }
    let was_due_at = locked.workflow.due_at;
    match advance.end {
        Some(GraphEnd::Completed) => end(tx, locked, &End::Completed, &Actor::Windlass).await?,
        Some(GraphEnd::Failed(failure)) => {
            end(tx, locked, &End::Failed(failure), &Actor::Windlass).await?;
        }
        None => {
            set_status(tx, locked, advance.status);
            if locked.workflow.kind.0 != WorkflowKind::Journal {
                locked.workflow.due_at = advance.due_at.map(At);
            }
        }
    }
    tx.wake_if(locked.workflow.due_at.is_some() && locked.workflow.due_at != was_due_at);
    Ok(())
}

async fn start_node(tx: &Tx<'_>, locked: &mut LockedGraph, begin: Begin) -> Result<()> {
    match begin.how {
        BeginHow::Ask => ask::begin(tx, locked, begin.position).await,
        BeginHow::Run => enqueue::begin(tx, locked, begin.position).await,
        BeginHow::Continue => enqueue::go_on(tx, locked, begin.position).await,
        // It is the agent's turn, which looks at its inbox.
        BeginHow::Tell => Ok(()),
    }
}

fn set_status(tx: &Tx<'_>, locked: &mut LockedGraph, status: GraphStatus) {
    let Db(before) = locked.run.status;
    if before == status {
        return;
    }
    locked.run.status = Db(status);
    if locked.workflow.kind.0 != WorkflowKind::Journal {
        let message = format!("the run is {status}");
        let details = json!({ "fromStatus": before, "toStatus": status, "message": message });
        journal::add(tx, locked, ("run.status_changed", &Actor::Windlass), None, details);
    }
}

/// How a run ends.
pub(super) enum End {
    /// All nodes are over.
    Completed,
    /// A node failed, or the run's time is over.
    Failed(Failure),
    /// Somebody cancelled it.
    Cancelled(String),
    /// Another run replaces it.
    Replaced(String),
}

impl End {
    const fn status(&self) -> (GraphStatus, SessionResult, &'static str) {
        match self {
            Self::Completed => (GraphStatus::Completed, SessionResult::Completed, "run.completed"),
            Self::Failed(_) => (GraphStatus::Failed, SessionResult::Failed, "run.failed"),
            Self::Cancelled(_) => (GraphStatus::Aborted, SessionResult::Cancelled, "run.cancelled"),
            Self::Replaced(_) => (GraphStatus::Aborted, SessionResult::Cancelled, "run.aborted"),
        }
    }
}

/// Cancels what is open of the run and ends it.
pub(super) async fn cancel(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    why: End,
    by: &Actor,
) -> Result<()> {
    let changes = graph::cancel(&locked.graph, &locked.state);
    write::apply(tx, locked, changes, by).await?;
    end(tx, locked, &why, by).await
}

/// Ends the run: nothing of it is open any more, but for a request that is out. Its answer still reaches the ledger.
async fn end(tx: &Tx<'_>, locked: &mut LockedGraph, how: &End, by: &Actor) -> Result<()> {
    let (status, result, action) = how.status();
    withdraw::runs(tx, locked).await?;
    ask::close_all(tx, locked).await?;
    let (error, error_class) = match how {
        End::Completed => (None, None),
        End::Failed(failure) => (Some(failure.message.clone()), Some(Db(failure.class))),
        End::Cancelled(reason) | End::Replaced(reason) => (Some(reason.clone()), None),
    };
    diesel::update(sessions::table.find(locked.run.session_id))
        .set((
            sessions::result.eq(Some(Db(result))),
            sessions::error.eq(error.clone().map(storable)),
            sessions::error_class.eq(error_class),
            sessions::ended_at.eq(Some(At(tx.now))),
        ))
        .execute(tx.conn)
        .await?;
    let before = std::mem::replace(&mut locked.run.status, Db(status)).0;
    locked.run.held = false;
    locked.state.is_over = true;
    locked.state.is_held = false;
    if locked.workflow.kind.0 != WorkflowKind::Journal {
        locked.workflow.due_at = None;
    }
    let message = format!("the run is {status}");
    let details = json!({ "fromStatus": before, "toStatus": status, "message": message });
    journal::add(tx, locked, (action, by), error.clone(), details);
    tell_end(tx, locked, how, error).await
}

/// Tells people of the end of a plan that ended by itself.
async fn tell_end(
    tx: &Tx<'_>,
    locked: &LockedGraph,
    how: &End,
    error: Option<String>,
) -> Result<()> {
    notices::resolve_session(tx, locked.run.session_id).await?;
    let (kind, title) = match how {
        End::Completed => (NotificationKind::RunCompleted, "is done"),
        End::Failed(_) => (NotificationKind::RunFailed, "failed"),
        End::Cancelled(_) | End::Replaced(_) => return Ok(()),
    };
    if locked.workflow.kind.0 == WorkflowKind::Journal {
        return Ok(());
    }
    let title = format!("the plan `{}` {title}", locked.workflow.name);
    let body = error.unwrap_or_else(|| locked.graph.title.clone());
    let notice = Notice { kind, title, body, approval: None, node: None };
    notices::add(tx, locked, notice).await
}

/// Writes the journal and the run as a whole, with a checkpoint where something changed.
pub(in super::super) async fn save(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    reason: &str,
) -> Result<()> {
    locked.run.failure_count = to_i32(locked.state.failure_count);
    let has_changed = !locked.entries.is_empty();
    if has_changed {
        locked.run.updated_at = At(tx.now);
        if locked.workflow.kind.0 != WorkflowKind::Journal {
            let details = checkpoint(locked, reason);
            journal::add(tx, locked, ("checkpoint.saved", &Actor::Windlass), None, details);
        }
        journal::write(tx, locked).await?;
    }
    let run = &locked.run;
    diesel::update(graph_runs::table.find(run.session_id))
        .set((
            graph_runs::status.eq(run.status),
            graph_runs::held.eq(run.held),
            graph_runs::failure_count.eq(run.failure_count),
            graph_runs::journal_seq.eq(run.journal_seq),
            graph_runs::checkpoint_count.eq(run.checkpoint_count),
            graph_runs::updated_at.eq(run.updated_at),
        ))
        .cached()
        .execute(tx.conn)
        .await?;
    save_workflow(tx, &mut locked.workflow).await
}

/// What is known of the run now. It lists the artifacts that came since the last one.
fn checkpoint(locked: &mut LockedGraph, reason: &str) -> Value {
    let made = std::mem::take(&mut locked.made);
    locked.run.checkpoint_count = locked.run.checkpoint_count.saturating_add(1);
    let with = |status: NodeStatus| ids(&locked.graph, &locked.state, move |it| it == status);
    let (ready, running) = (with(NodeStatus::Ready), with(NodeStatus::Running));
    let waiting = with(NodeStatus::AwaitingHuman);
    let active = ids(&locked.graph, &locked.state, NodeStatus::is_begun);
    json!({
        "sequence": locked.run.checkpoint_count,
        "runStatus": locked.run.status.0,
        "readyNodeIds": ready,
        "activeNodeIds": active,
        "artifactIds": made,
        "lastCompletedNodeIds": ids(&locked.graph, &locked.state, NodeStatus::has_result),
        "reason": reason,
        "snapshot": {
            "reason": reason,
            "currentNodeId": <[String]>::first(&running),
            "waitingNodeId": <[String]>::first(&waiting),
            "readyNodeIds": ready,
        },
    })
}

fn ids(graph: &graph::Graph, state: &GraphState, fits: impl Fn(NodeStatus) -> bool) -> Vec<String> {
    let nodes = graph.nodes.iter().zip(&state.nodes);
    nodes.filter(|(_, state)| fits(state.status)).map(|(node, _)| node.id.clone()).collect()
}

async fn save_workflow(tx: &Tx<'_>, workflow: &mut WorkflowRow) -> Result<()> {
    workflow.updated_at = At(tx.now);
    diesel::update(workflows::table.find(workflow.id))
        .set(&*workflow)
        .cached()
        .execute(tx.conn)
        .await?;
    Ok(())
}
