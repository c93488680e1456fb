//! Enqueues runs.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use windlass_core::{RunId, RunState, ScriptId, SessionId, Step, queue_rank};

use super::dialect::RunQueryDsl;
use super::{Tx, blame, locked_run, reservations};
use crate::convert::stored_outcome;
use crate::error::{Result, StoreError};
use crate::params::FollowUp;
use crate::pipeline::pipeline;
use crate::rows::{At, Db, Json, RunRow, StartValues, WorkflowRow};
use crate::schema::{handler_runs, handler_state, run_inputs, run_values};

/// An enqueued run.
pub(super) struct Enqueued {
    pub(super) run: RunRow,
    pub(super) state: RunState,
    pub(super) values: StartValues,
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
    let (mut state, mut run) = match step.retry_of {
        None => (RunState::queued(run.kind.0), blame::with_trial(tx, workflow, run).await?),
        Some(stopped) => retry(tx, run, stopped).await?,
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
    Ok(Enqueued { run, state, values: StartValues::default() })
}

/// The run of a node in a session of its graph. One that retries another goes on with the node after its effect.
pub(super) async fn of_node(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    (session, script): (Db<SessionId>, Db<ScriptId>),
    step: &Step,
) -> Result<Enqueued> {
    let run = fresh(tx, workflow, session, script, step);
    let (state, mut run) = match step.retry_of {
        None => (RunState::queued(run.kind.0), run),
        Some(stopped) => retry(tx, run, stopped).await?,
    };
    run.phase = Db(state.phase);
    run.status = Db(state.status);
    Ok(Enqueued { run, state, values: StartValues::default() })
}

/// Inserts the run and its values. A retry takes over the inputs and reservations of the stopped run.
pub(super) async fn insert(tx: &Tx<'_>, Enqueued { run, values, .. }: &mut Enqueued) -> Result<()> {
    let insert = async {
        diesel::insert_into(handler_runs::table).values(&*run).execute(tx.conn).await?;
        Ok(())
    };
    ((), *values) = pipeline!(insert, insert_values(tx, run))?;
    if let Some(stopped) = run.retry_of {
        copy_inputs(tx, stopped, run.id).await?;
        reservations::transfer(tx, stopped, run.id).await?;
    }
    Ok(())
}

/// Inserts the values that the run starts with: those of the run that it retries, or else the handler's current state, which nothing
/// changes before this run commits.
async fn insert_values(tx: &Tx<'_>, run: &RunRow) -> Result<StartValues> {
    let columns = (run_values::run_id, run_values::prepare_result, run_values::input_state);
    let returning = (run_values::prepare_result, run_values::input_state);
    let mut inserted: Vec<StartValues> = match run.retry_of {
        Some(stopped) => {
            let values = run_values::table.find(stopped).select((
                run.id.into_sql::<Text>(),
                run_values::prepare_result,
                run_values::input_state,
            ));
            let insert =
                diesel::insert_into(run_values::table).values(values).into_columns(columns);
            insert.returning(returning).load(tx.conn).await?
        }
        None => {
            let handler = (run.workflow_id, run.kind, &run.handler_name);
            let state = handler_state::table
                .find(handler)
                .filter(handler_state::state.is_not_null())
                .select((
                    run.id.into_sql::<Text>(),
                    None::<Json>.into_sql::<Nullable<Text>>(),
                    handler_state::state,
                ));
            let insert = diesel::insert_into(run_values::table).values(state).into_columns(columns);
            insert.returning(returning).load(tx.conn).await?
        }
    };
    Ok(inserted.pop().unwrap_or_default())
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
        trial_event_id: None,
        trial: None,
        mutation_id: None,
        mutation_outcome: None,
        refused: false,
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
async fn retry(tx: &Tx<'_>, run: RunRow, stopped: RunId) -> Result<(RunState, RunRow)> {
    let found = locked_run::load(tx.conn, stopped).await?;
    let found = found.ok_or_else(|| StoreError::not_found("run", &stopped))?;
    let state = found.state.retry()?;
    let (mutation_outcome, refused) = stored_outcome(state.outcome);
    let mutation_id = found.run.mutation_id;
    Ok((state, RunRow { mutation_id, mutation_outcome, refused, ..run }))
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
