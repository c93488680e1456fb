//! Enqueues the runs of nodes that workers do.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use windlass_core::{HandlerKind, RunId, Step, Trigger};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::super::queue::{self, Enqueued};
use super::super::sessions::{self, SessionProgress};
use super::load::LockedGraph;
use crate::error::Result;
use crate::rows::{Db, Json};
use crate::schema::{attempts, handler_runs, node_runs, run_values};

/// Enqueues the run of a node that has just begun. It is given the node's input.
pub(super) async fn begin(tx: &Tx<'_>, locked: &mut LockedGraph, position: usize) -> Result<()> {
    let Some(Enqueued { run, .. }) = next(tx, locked, position, None).await? else { return Ok(()) };
    let Some(node_run) = locked.nodes.get(position).map(|head| head.id) else { return Ok(()) };
    diesel::insert_into(handler_runs::table).values(&run).execute(tx.conn).await?;
    let values = node_runs::table.find(node_run).select((
        run.id.into_sql::<Text>(),
        None::<Json>.into_sql::<Nullable<Text>>(),
        node_runs::input,
    ));
    diesel::insert_into(run_values::table)
        .values(values)
        .into_columns((run_values::run_id, run_values::prepare_result, run_values::input_state))
        .execute(tx.conn)
        .await?;
    has_run(tx, locked, position, run.id).await
}

/// Enqueues the run that goes on with a node after its effect, where its last run stopped.
pub(super) async fn go_on(tx: &Tx<'_>, locked: &mut LockedGraph, position: usize) -> Result<()> {
    let stopped = locked.nodes.get(position).and_then(|head| head.run_id);
    let enqueued = next(tx, locked, position, stopped.map(|Db(run)| run)).await?;
    let Some(mut enqueued) = enqueued else { return Ok(()) };
    queue::insert(tx, &mut enqueued).await?;
    has_run(tx, locked, position, enqueued.run.id).await
}

async fn next(
    tx: &Tx<'_>,
    locked: &LockedGraph,
    position: usize,
    retry_of: Option<RunId>,
) -> Result<Option<Enqueued>> {
    let Some(node) = locked.graph.nodes.get(position) else { return Ok(None) };
    let step = Step {
        kind: HandlerKind::Node,
        handler: node.id.clone(),
        retry_of,
        trigger: Trigger::Event,
    };
    let (session, script) = (locked.run.session_id, locked.run.script_id);
    queue::of_node(tx, &locked.workflow, (session, script), &step).await.map(Some)
}

async fn has_run(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    position: usize,
    run: Db<RunId>,
) -> Result<()> {
    let progress = SessionProgress { n_begun: 1, ..SessionProgress::default() };
    sessions::record_progress(tx, locked.run.session_id, progress).await?;
    let Some(head) = locked.nodes.get_mut(position) else { return Ok(()) };
    head.run_id = Some(run);
    diesel::update(node_runs::table.find(head.id))
        .set(node_runs::run_id.eq(Some(run)))
        .execute(tx.conn)
        .await?;
    if let Some(attempt) = head.attempt {
        diesel::update(attempts::table.find(attempt))
            .set(attempts::handler_run_id.eq(Some(run)))
            .execute(tx.conn)
            .await?;
    }
    tx.wake();
    Ok(())
}
