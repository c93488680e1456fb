//! Runs that wait for a worker.

use diesel::prelude::*;
use diesel::sql_types::Text;
use windlass_core::{Id, RunId, RunState, ScriptId, SessionId, Step, rank};

use super::dialect::RunQueryDsl;
use super::{Tx, held, reservations, sessions};
use crate::error::{Result, StoreError};
use crate::rows::{At, Db, Json, RunRow, WorkflowRow};
use crate::schema::{handler_runs, handler_state, run_inputs};

/// Enqueues the run that `step` says, in that session, pinned to the active script version.
pub(super) async fn enqueue(
    tx: &mut Tx<'_>,
    workflow: &mut WorkflowRow,
    step: &Step,
    session: Db<SessionId>,
) -> Result<RunId> {
    let no_script = || StoreError::not_found("active script of workflow", &workflow.id.0);
    let script = workflow.active_script_id.ok_or_else(no_script)?;
    let run = queued(tx, workflow, (session, script), step);
    let id = run.id.0;
    match step.retry_of {
        None => begin(tx, run).await?,
        Some(stopped) => {
            continue_from(tx, stopped, run).await?;
            workflow.pending_retry_run_id = None;
        }
    }
    sessions::count_begun(tx, session).await?;
    Ok(id)
}

fn queued(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    (session, script): (Db<SessionId>, Db<ScriptId>),
    step: &Step,
) -> RunRow {
    let state = RunState::queued(step.kind);
    RunRow {
        id: Db(RunId::mint(tx.now)),
        workspace_id: workflow.workspace_id,
        workflow_id: workflow.id,
        session_id: session,
        script_id: script,
        kind: Db(state.kind),
        handler_name: step.handler.clone(),
        phase: Db(state.phase),
        status: Db(state.status),
        retry_of: None,
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
        available_at: At(tx.now),
        label: workflow.label.clone(),
        priority: workflow.priority,
        rank: At(rank(tx.now, workflow.priority)),
        limited: false,
        created_at: At(tx.now),
        started_at: None,
        ended_at: None,
    }
}

/// From scratch, with the handler's state as it is: nothing changes it before this run commits.
async fn begin(tx: &mut Tx<'_>, run: RunRow) -> Result<()> {
    let state = handler_state::table
        .find((run.workflow_id, run.kind, &run.handler_name))
        .select(handler_state::state);
    let input_state: Option<Option<Json>> = state.first(tx.conn).await.optional()?;
    let run = RunRow { input_state: input_state.flatten(), ..run };
    diesel::insert_into(handler_runs::table).values(&run).execute(tx.conn).await?;
    Ok(())
}

/// From where the stopped run had come to, with all that it had.
async fn continue_from(tx: &mut Tx<'_>, stopped: RunId, run: RunRow) -> Result<()> {
    let found = held::load(tx, stopped).await?;
    let found = found.ok_or_else(|| StoreError::not_found("run", &stopped))?;
    let (stopped, state) = (found.run, found.state.retry()?);
    let run = RunRow {
        retry_of: Some(stopped.id),
        phase: Db(state.phase),
        status: Db(state.status),
        mutation_id: stopped.mutation_id,
        mutation_outcome: state.outcome.map(Db),
        prepare_result: stopped.prepare_result,
        input_state: stopped.input_state,
        ..run
    };
    diesel::insert_into(handler_runs::table).values(&run).execute(tx.conn).await?;
    copy_inputs(tx, stopped.id, run.id).await?;
    reservations::transfer(tx, stopped.id, run.id).await
}

/// What caused the one run caused the other.
async fn copy_inputs(tx: &mut Tx<'_>, from: Db<RunId>, to: Db<RunId>) -> Result<()> {
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
