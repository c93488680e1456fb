//! Activates a script version.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{
    Action, FailureClass, HandlerKind, LimitKey, Manifest, Schedule, ScriptId, Status, Timestamp,
};

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::{BATCH, Operation, Tx, blame, control, limits, notifications, script, sessions};
use crate::error::{Result, StoreError};
use crate::literals::{IsOpenOfScript, IsQueued};
use crate::model::Workflow;
use crate::params::ActivateScript;
use crate::rows::{
    At, Db, HandlerRow, Json, RunRow, ScriptRow, SubscriptionRow, TopicRow, WorkflowRow,
};
use crate::schema::{handler_runs, handler_state, scripts, subscriptions, topics};

impl Operation for ActivateScript {
    type Output = Workflow;

    async fn run(self, tx: &Tx<'_>) -> Result<Workflow> {
        let mut workflow = tx.lock(self.workspace, self.workflow).await?;
        script::require_script(&workflow)?;
        let version = ScriptRow::query()
            .filter(scripts::id.eq(Db(self.script)).and(scripts::workflow_id.eq(workflow.id)));
        let version = version.optional(tx.conn).await?;
        let version = version.ok_or_else(|| StoreError::not_found("script", &self.script))?;

        workflow.status = Db(workflow.status.0.after(Action::Activate, true)?);
        if ends_refusal(tx, &workflow, &version).await? {
            control::clear_stop(tx, &mut workflow).await?;
        }
        workflow.active_script_id = Some(version.id);
        workflow.maintenance = false;
        if workflow.error.is_none() {
            workflow.stopped_by_run_id = None;
        }
        sync_handlers(tx, &workflow, &version.manifest.0).await?;
        limits::store_limit_keys(tx, &workflow, LimitKey::of(&workflow.name, &version.granted.0))
            .await?;
        blame::forget(tx, &mut workflow).await?;
        revise_queued_run(tx, &workflow).await?;
        notifications::resolve(tx, workflow.id, notifications::OF_FAILED_SCRIPT).await?;
        let entry = Entry::by(&self.actor, "script.activated", &self.script)
            .with(json!({ "version": format!("{}.{}", version.major, version.minor) }));
        journal::add(tx, &workflow, entry).await?;
        Ok(advance_workflow(tx, workflow).await?.workflow.into())
    }
}

/// Whether the workflow is stopped because its version was not granted something, and this version is granted more.
async fn ends_refusal(tx: &Tx<'_>, workflow: &WorkflowRow, version: &ScriptRow) -> Result<bool> {
    let is_refused = workflow.error_class.as_ref().map(|class| class.0)
        == Some(FailureClass::Permission)
        && workflow.contradicted_mutation_id.is_none();
    let Some(stopped_by) = workflow.stopped_by_run_id.filter(|_| is_refused) else {
        return Ok(false);
    };
    let refused = handler_runs::table
        .filter(handler_runs::id.eq(stopped_by))
        .filter(handler_runs::workflow_id.eq(workflow.id))
        .select(handler_runs::script_id);
    let Some(refused): Option<Db<ScriptId>> = refused.optional(tx.conn).await? else {
        return Ok(false);
    };
    let refused = ScriptRow::query().filter(scripts::id.eq(refused)).first(tx.conn).await?;
    let is_wider = !refused.granted.0.not_covered(&version.granted.0).is_empty();
    Ok(is_wider && control::in_doubt(tx, workflow).await?.is_none())
}

/// Makes handlers, subscriptions and topics match the version. A handler's state is kept even if the version does not declare it.
async fn sync_handlers(tx: &Tx<'_>, workflow: &WorkflowRow, manifest: &Manifest) -> Result<()> {
    let earlier = HandlerRow::query()
        .filter(handler_state::workflow_id.eq(workflow.id))
        .filter(handler_state::kind.eq(Db(HandlerKind::Producer)));
    let earlier: Vec<HandlerRow> = earlier.load(tx.conn).await?;
    diesel::update(handler_state::table.filter(handler_state::workflow_id.eq(workflow.id)))
        .set((
            handler_state::declared.eq(false),
            handler_state::has_work.eq(false),
            handler_state::wake_at.eq(None::<At>),
            handler_state::next_run_at.eq(None::<At>),
        ))
        .execute(tx.conn)
        .await?;
    for (name, producer) in &manifest.producers {
        let earlier = earlier.iter().find(|handler| handler.name == *name);
        let first = first_run(&producer.schedule, earlier, tx.now);
        declare(tx, workflow, name, Some((&producer.schedule, first))).await?;
    }
    for name in manifest.consumers.keys() {
        declare(tx, workflow, name, None).await?;
    }
    subscribe(tx, workflow, manifest).await?;
    create_topics(tx, workflow, manifest).await
}

/// When a producer runs first: one with an interval at once; one with a cron expression at its next moment, or at the moment for
/// which it waits already.
fn first_run(schedule: &Schedule, earlier: Option<&HandlerRow>, now: Timestamp) -> Option<At> {
    match schedule {
        Schedule::Interval(_) => Some(At(now)),
        Schedule::Cron(_) => earlier
            .filter(|it| it.schedule.as_ref().is_some_and(|Json(same)| same == schedule))
            .and_then(|it| it.next_run_at)
            .or_else(|| schedule.next_after(now).map(At)),
    }
}

/// Declares a handler: a producer has a schedule, and may have a time for its first run; a consumer has work.
async fn declare(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    name: &str,
    schedule: Option<(&Schedule, Option<At>)>,
) -> Result<()> {
    let kind = schedule.map_or(HandlerKind::Consumer, |_| HandlerKind::Producer);
    let row = HandlerRow {
        workflow_id: workflow.id,
        kind: Db(kind),
        name: name.to_owned(),
        declared: true,
        state: None,
        has_work: schedule.is_none(),
        wake_at: None,
        schedule: schedule.map(|(schedule, _)| Json(schedule.clone())),
        next_run_at: schedule.and_then(|(_, first)| first),
        last_run_at: None,
        parked_in_a_row: 0,
        updated_at: At(tx.now),
        updated_by_run_id: None,
    };
    diesel::insert_into(handler_state::table)
        .values(&row)
        .on_conflict((handler_state::workflow_id, handler_state::kind, handler_state::name))
        .do_update()
        .set((
            handler_state::declared.eq(true),
            handler_state::has_work.eq(row.has_work),
            handler_state::schedule.eq(row.schedule.as_ref()),
            handler_state::next_run_at.eq(row.next_run_at),
        ))
        .execute(tx.conn)
        .await?;
    Ok(())
}

async fn subscribe(tx: &Tx<'_>, workflow: &WorkflowRow, manifest: &Manifest) -> Result<()> {
    let of_workflow = subscriptions::workflow_id.eq(workflow.id);
    diesel::delete(subscriptions::table.filter(of_workflow)).execute(tx.conn).await?;
    let rows: Vec<SubscriptionRow> = manifest
        .consumers
        .iter()
        .flat_map(|(name, consumer)| consumer.subscribe.iter().map(move |topic| (name, topic)))
        .map(|(consumer, topic)| SubscriptionRow {
            workflow_id: workflow.id,
            consumer: consumer.clone(),
            topic: topic.clone(),
        })
        .collect();
    for batch in rows.chunks(BATCH) {
        diesel::insert_into(subscriptions::table).values(batch).execute(tx.conn).await?;
    }
    Ok(())
}

/// Creates the topics that the version declares; older ones are kept, with their events.
async fn create_topics(tx: &Tx<'_>, workflow: &WorkflowRow, manifest: &Manifest) -> Result<()> {
    for name in &manifest.topics {
        let row = TopicRow {
            id: Db(tx.mint()),
            workflow_id: workflow.id,
            name: name.clone(),
            created_at: At(tx.now),
        };
        diesel::insert_into(topics::table)
            .values(&row)
            .on_conflict((topics::workflow_id, topics::name))
            .do_nothing()
            .execute(tx.conn)
            .await?;
    }
    Ok(())
}

/// Moves a queued run to the new version: a retry gets the new script; any other run is deleted, and the workflow decides anew
/// what is due.
async fn revise_queued_run(tx: &Tx<'_>, workflow: &WorkflowRow) -> Result<()> {
    // `IsOpenOfScript` adds nothing but the index to use.
    let queued = RunRow::query()
        .filter(handler_runs::workflow_id.eq(workflow.id))
        .filter(IsOpenOfScript)
        .filter(IsQueued);
    let Some(run) = queued.optional(tx.conn).await? else { return Ok(()) };
    // A worker may claim it at this moment: then it keeps its version.
    let still_queued = handler_runs::id.eq(run.id).and(handler_runs::status.eq(Db(Status::Queued)));
    if run.retry_of.is_some() {
        diesel::update(handler_runs::table.filter(still_queued))
            .set(handler_runs::script_id.eq(workflow.active_script_id.unwrap_or(run.script_id)))
            .execute(tx.conn)
            .await?;
        return Ok(());
    }
    let withdrawn =
        diesel::delete(handler_runs::table.filter(still_queued)).execute(tx.conn).await?;
    if withdrawn > 0 {
        sessions::withdraw_run(tx, run.session_id).await?;
    }
    Ok(())
}
