//! Enqueues runs.

use diesel::prelude::*;
use diesel::sql_types::Text;
use windlass_core::{RunId, RunState, ScriptId, SessionId, Step, queue_rank};

use super::dialect::RunQueryDsl;
use super::{Tx, locked_run, reservations};
use crate::error::{Result, StoreError};
use crate::params::FollowUp;
use crate::rows::{At, Db, RunRow, WorkflowRow};
use crate::schema::{handler_runs, handler_state, run_inputs};

/// An enqueued run.
pub(super) struct Enqueued {
    pub(super) run: RunRow,
    pub(super) state: RunState,
}

/// The run for `step`, in a session, with the active script version. With a `follow_up`, its worker has claimed it already.
pub(super) async fn next_run(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    step: &Step,
    session: Db<SessionId>,
    follow_up: Option<FollowUp>,
) -> Result<Enqueued> {
    let no_script = || StoreError::not_found("active script of workflow", &workflow.id.0);
    let script = workflow.active_script_id.ok_or_else(no_script)?;
    let run = fresh(tx, workflow, session, script, step);
    let Enqueued { mut run, mut state } = match step.retry_of {
        None => Enqueued { state: RunState::queued(run.kind.0), run },
        Some(stopped) => from_stopped(tx, run, stopped).await?,
    };
    if let Some(FollowUp { worker, lease }) = follow_up {
        state = state.claim()?.run;
        run = RunRow {
            claimed_by: Some(Db(worker)),
            lease_expires_at: Some(At(tx.now.after(lease))),
            fence: 1,
            started_at: Some(At(tx.now)),
            ..run
        };
    }
    run.phase = Db(state.phase);
    run.status = Db(state.status);
    Ok(Enqueued { run, state })
}

/// Inserts the run. A retry takes over the inputs and reservations of the stopped run. Any other run starts with the handler's
/// current state, which nothing changes before this run commits.
pub(super) async fn insert(tx: &Tx<'_>, run: &mut RunRow) -> Result<()> {
    let Some(stopped) = run.retry_of else {
        let state = handler_state::table
            .find((run.workflow_id, run.kind, run.handler_name.clone()))
            .select(handler_state::state)
            .single_value();
        let inserted = diesel::insert_into(handler_runs::table)
            .values((&*run, handler_runs::input_state.eq(state)))
            .returning(handler_runs::input_state);
        run.input_state = inserted.get_result(tx.conn).await?;
        return Ok(());
    };
    diesel::insert_into(handler_runs::table)
        .values((&*run, handler_runs::input_state.eq(&run.input_state)))
        .execute(tx.conn)
        .await?;
    copy_inputs(tx, stopped, run.id).await?;
    reservations::transfer(tx, stopped, run.id).await
}

fn fresh(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    session: Db<SessionId>,
    script: Db<ScriptId>,
    step: &Step,
) -> RunRow {
    let RunState { kind, phase, status, .. } = RunState::queued(step.kind);
    RunRow {
        id: Db(tx.mint()),
        workspace_id: workflow.workspace_id,
        workflow_id: workflow.id,
        session_id: session,
        script_id: script,
        kind: Db(kind),
        handler_name: step.handler.clone(),
        phase: Db(phase),
        status: Db(status),
        retry_of: step.retry_of.map(Db),
        mutation_id: None,
        mutation_outcome: None,
        prepare_result: None,
        input_state: None,
        output_state: None,
        error: None,
        error_class: None,
        error_at: None,
        cost: 0,
        claimed_by: None,
        lease_expires_at: None,
        fence: 0,
        label: workflow.label.clone(),
        priority: workflow.priority,
        rank: At(queue_rank(tx.now, workflow.priority)),
        limited: false,
        created_at: At(tx.now),
        started_at: None,
        ended_at: None,
    }
}

/// A retry of a stopped run: it continues from that run's phase, with its values.
async fn from_stopped(tx: &Tx<'_>, run: RunRow, stopped: RunId) -> Result<Enqueued> {
    let found = locked_run::load(tx.conn, stopped).await?;
    let found = found.ok_or_else(|| StoreError::not_found("run", &stopped))?;
    let state = found.state.retry()?;
    let values = handler_runs::table
        .find(Db(stopped))
        .select((handler_runs::prepare_result, handler_runs::input_state));
    let (prepare_result, input_state) = values.first(tx.conn).await?;
    let mutation_outcome = state.outcome.map(Db);
    let mutation_id = found.run.mutation_id;
    let run = RunRow { mutation_id, mutation_outcome, prepare_result, input_state, ..run };
    Ok(Enqueued { run, state })
}

/// Copies the inputs of one run to another.
async fn copy_inputs(tx: &Tx<'_>, from: Db<RunId>, to: Db<RunId>) -> Result<()> {
    let inputs = run_inputs::table
        .filter(run_inputs::run_id.eq(from))
        .select((to.into_sql::<Text>(), run_inputs::input_id));
    diesel::insert_into(run_inputs::table)
        .values(inputs)
        .into_columns((run_inputs::run_id, run_inputs::input_id))
        .execute(tx.conn)
        .await?;
    Ok(())
}
