//! Pauses, resumes and archives workflows, and starts manual sessions.

use diesel::prelude::*;
use windlass_core::{
    Action, HandlerKind, MutationId, SessionId, Status, Timestamp, Trigger, WorkflowId,
    WorkflowStatus,
};

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::{Operation, Tx, blame, graph, notifications, script, sessions};
use crate::effect_window;
use crate::error::{Result, StoreError};
use crate::literals::IsUnsettled;
use crate::model::Workflow;
use crate::params::{ControlWorkflow, StartSession};
use crate::rows::{At, Db, RunRow, WorkflowRow};
use crate::schema::{handler_runs, handler_state, mutations};

impl Operation for ControlWorkflow {
    type Output = Workflow;

    async fn run(self, tx: &Tx<'_>) -> Result<Workflow> {
        let mut workflow = tx.lock(self.workspace, self.workflow).await?;
        if !workflow.kind.0.can_pause() {
            return Err(StoreError::NotNow {
                what: format!("`{}` is a recorded plan, which its agent does", workflow.name),
                hint: "record the decision to stop an execution instead".to_owned(),
            });
        }
        let action = match self.action {
            Action::Activate => {
                return Err(StoreError::NotNow {
                    what: format!("`{}` is activated with a version of its script", workflow.name),
                    hint: "activate the version that shall run".to_owned(),
                });
            }
            Action::Pause => "workflow.paused",
            Action::Resume => "workflow.resumed",
            Action::Archive => "workflow.archived",
            Action::Unarchive => "workflow.unarchived",
        };
        let has_script = workflow.active_script_id.is_some();
        workflow.status = Db(workflow.status.0.after(self.action, has_script)?);
        if self.action == Action::Resume {
            clear_stop(tx, &mut workflow).await?;
        }
        journal::add(tx, &workflow, Entry::by(&self.actor, action, &workflow.id.0)).await?;
        Ok(advance_workflow(tx, workflow).await?.workflow.into())
    }
}

/// Clears what stopped the workflow: the person who resumes it asserts that the cause is fixed. A mutation in doubt has to be
/// resolved separately.
pub(super) async fn clear_stop(tx: &Tx<'_>, workflow: &mut WorkflowRow) -> Result<()> {
    // In a graph the branches without a doubt go on.
    if !workflow.kind.0.is_graph()
        && let Some((mutation, _)) = in_doubt(tx, workflow).await?
    {
        return Err(StoreError::InDoubt { mutation });
    }
    workflow.error = None;
    workflow.error_class = None;
    workflow.maintenance = false;
    workflow.contradicted_mutation_id = None;
    workflow.stopped_by_run_id = None;
    workflow.transient_failures = 0;
    workflow.backoff_until = None;
    workflow.lost_runs = 0;
    blame::forget(tx, workflow).await?;
    effect_window::reset(workflow);
    if workflow.kind.0.is_graph() {
        return graph::notices::resolve_stops_of_graph(tx, workflow.id).await;
    }
    notifications::resolve(tx, workflow.id, notifications::OF_ANY_STOP).await
}

/// A mutation in doubt, and when it is looked up next. A mutation whose worker still waits for the answer is not in doubt.
pub(super) async fn in_doubt(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
) -> Result<Option<(MutationId, Option<Timestamp>)>> {
    let unsettled = mutations::table
        .inner_join(handler_runs::table.on(handler_runs::id.eq(mutations::handler_run_id)))
        .filter(mutations::workflow_id.eq(workflow.id))
        .filter(IsUnsettled)
        .filter(handler_runs::status.eq(Db(Status::PausedReconciliation)))
        .select((mutations::id, mutations::next_reconcile_at));
    let found: Option<(Db<MutationId>, Option<At>)> = unsettled.optional(tx.conn).await?;
    Ok(found.map(|(Db(mutation), next)| (mutation, next.map(|At(next)| next))))
}

impl Operation for StartSession {
    type Output = SessionId;

    async fn run(self, tx: &Tx<'_>) -> Result<SessionId> {
        let mut workflow = tx.lock(self.workspace, self.workflow).await?;
        script::require_script(&workflow)?;
        require_runnable(tx, &workflow).await?;
        workflow.transient_failures = 0;
        workflow.backoff_until = None;
        let producers = handler_state::workflow_id
            .eq(workflow.id)
            .and(handler_state::kind.eq(Db(HandlerKind::Producer)))
            .and(handler_state::declared.eq(true));
        diesel::update(handler_state::table.filter(producers))
            .set(handler_state::next_run_at.eq(Some(At(tx.now))))
            .execute(tx.conn)
            .await?;
        let session = manual_session(tx, workflow.id).await?;
        let entry = Entry::by(&self.actor, "session.started", &session.0);
        journal::add(tx, &workflow, entry).await?;
        advance_workflow(tx, workflow).await?;
        Ok(session.0)
    }
}

/// The manual session: the open one, whose first run is still queued, or a new one.
async fn manual_session(tx: &Tx<'_>, workflow: Db<WorkflowId>) -> Result<Db<SessionId>> {
    match sessions::find_open(tx, workflow).await? {
        Some(session) => sessions::make_manual(tx, session).await,
        None => {
            let session = sessions::fresh(tx, workflow, Trigger::Manual, 0);
            sessions::insert(tx, &session).await?;
            Ok(session.id)
        }
    }
}

/// Refuses a session that cannot be now.
async fn require_runnable(tx: &Tx<'_>, workflow: &WorkflowRow) -> Result<()> {
    let name = &workflow.name;
    let not_running =
        |reason, action| Err(StoreError::NotRunning { workflow: name.clone(), reason, action });
    match workflow.status.0 {
        WorkflowStatus::Draft | WorkflowStatus::Ready => {
            return not_running("it was never activated", Action::Activate);
        }
        WorkflowStatus::Paused => return not_running("it is paused", Action::Resume),
        WorkflowStatus::Archived => return not_running("it is archived", Action::Unarchive),
        WorkflowStatus::Active => {}
    }
    let not_now = |reason: &str, hint: String| {
        let what = format!("`{name}` cannot run now, because {reason}");
        Err(StoreError::NotNow { what, hint })
    };
    match in_doubt(tx, workflow).await? {
        Some((mutation, Some(next_lookup))) => {
            let reason = format!("it is not known yet whether `{mutation}` happened");
            return not_now(&reason, format!("its tool looks it up again at {next_lookup}"));
        }
        Some((mutation, None)) => return Err(StoreError::InDoubt { mutation }),
        None => {}
    }
    let is_contradicted = workflow.contradicted_mutation_id.is_some();
    if workflow.error.is_some() || workflow.maintenance || is_contradicted {
        return Err(StoreError::WaitsForPerson { workflow: name.clone() });
    }
    let active = RunRow::query()
        .filter(handler_runs::workflow_id.eq(workflow.id))
        .filter(handler_runs::status.eq(Db(Status::Active)));
    match active.optional(tx.conn).await? {
        None => Ok(()),
        Some(run) => {
            let reason = format!("its run `{}` is under way", run.id.0);
            not_now(&reason, "wait until that run has ended".to_owned())
        }
    }
}
