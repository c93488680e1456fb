//! Saves script versions.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Grant, WorkflowId, WorkflowKind, WorkflowStatus, WorkspaceId, digest_text};

use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::{Operation, Tx};
use crate::error::{Result, StoreError};
use crate::model::{SavedScript, ScriptVersion};
use crate::params::{Bump, SaveScript};
use crate::rows::{At, Db, Json, ScriptRow, WorkflowRow, storable};
use crate::schema::{scripts, workflows};

impl Operation for SaveScript {
    type Output = SavedScript;

    async fn run(self, tx: &Tx<'_>) -> Result<SavedScript> {
        let workflow = find_or_create_workflow(tx, self.workspace, &self.name).await?;
        let newest = newest(tx, workflow.id, None).await?;
        let digest = digest_text(&self.source);
        let is_same =
            |newest: &&ScriptRow| newest.digest == digest && newest.granted.0 == self.grant;
        if let Some(newest) = newest.as_ref().filter(is_same) {
            return Ok(SavedScript { script: ScriptVersion::from(newest.clone()), is_new: false });
        }
        let (major, minor) = match (self.bump, newest) {
            (_, None) => (1, 0),
            (Bump::Major, Some(newest)) => (newest.major + 1, 0),
            (Bump::Minor, Some(newest)) => {
                let repaired = repaired(tx, &workflow).await?.unwrap_or(newest);
                refuse_widening(&repaired, &self.grant)?;
                (repaired.major, repaired.minor + 1)
            }
        };
        let row = ScriptRow {
            id: Db(tx.mint()),
            workflow_id: workflow.id,
            major,
            minor,
            file_name: self.file_name,
            source: storable(self.source),
            digest,
            manifest: Json(self.manifest),
            granted: Json(self.grant),
            comment: storable(self.comment),
            created_at: At(tx.now),
        };
        diesel::insert_into(scripts::table).values(&row).execute(tx.conn).await?;
        leave_draft(tx, &workflow).await?;
        let entry = Entry::by(&self.actor, "script.saved", &row.id.0)
            .with(json!({ "version": format!("{major}.{minor}"), "comment": row.comment }));
        journal::add(tx, &workflow, entry).await?;
        Ok(SavedScript { script: ScriptVersion::from(row), is_new: true })
    }
}

/// Refuses a repair that asks for more than the repaired version was granted.
fn refuse_widening(repaired: &ScriptRow, wanted: &Grant) -> Result<()> {
    let beyond = repaired.granted.0.not_covered(wanted);
    if beyond.is_empty() {
        return Ok(());
    }
    let beyond = beyond.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    Err(StoreError::NotNow {
        what: format!(
            "a repair of version {}.{} cannot be granted {beyond}, which that version was not",
            repaired.major, repaired.minor
        ),
        hint: "deploy it as a new version, so that a person looks at what it may do".to_owned(),
    })
}

async fn find_or_create_workflow(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    name: &str,
) -> Result<WorkflowRow> {
    let fresh = fresh_workflow(tx, workspace, WorkflowKind::Script, name.to_owned());
    let workflow = insert_or_lock(tx, fresh).await?;
    require_script(&workflow)?;
    Ok(workflow)
}

/// Refuses a workflow whose program is a graph.
pub(super) fn require_script(workflow: &WorkflowRow) -> Result<()> {
    if workflow.kind.0 == WorkflowKind::Script {
        return Ok(());
    }
    Err(StoreError::NotNow {
        what: format!("`{}` is no script but a {}", workflow.name, workflow.kind.0),
        hint: "use the commands of plans for it, or choose another name".to_owned(),
    })
}

/// A workflow that nothing has happened to.
pub(super) fn fresh_workflow(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    kind: WorkflowKind,
    name: String,
) -> WorkflowRow {
    WorkflowRow {
        id: Db(tx.mint()),
        workspace_id: Db(workspace),
        kind: Db(kind),
        title: name.clone(),
        name,
        status: Db(WorkflowStatus::Draft),
        error: None,
        error_class: None,
        maintenance: false,
        contradicted_mutation_id: None,
        stopped_by_run_id: None,
        pending_retry_run_id: None,
        label: None,
        priority: 0,
        active_script_id: None,
        transient_failures: 0,
        backoff_until: None,
        lost_runs: 0,
        blaming: false,
        window_started_at: None,
        window_mutations: 0,
        window_doubts: 0,
        due_at: None,
        created_at: At(tx.now),
        updated_at: At(tx.now),
    }
}

/// Inserts a workflow unless there is one of its name, and locks the one of that name.
pub(super) async fn insert_or_lock(tx: &Tx<'_>, fresh: WorkflowRow) -> Result<WorkflowRow> {
    diesel::insert_into(workflows::table)
        .values(&fresh)
        .on_conflict((workflows::workspace_id, workflows::name))
        .do_nothing()
        .execute(tx.conn)
        .await?;
    let named = workflows::table
        .filter(workflows::workspace_id.eq(fresh.workspace_id))
        .filter(workflows::name.eq(&fresh.name))
        .select(workflows::id);
    let Db(id) = named.first(tx.conn).await?;
    tx.lock(fresh.workspace_id.0, id).await
}

/// The newest version of a major version, or of all.
async fn newest(
    tx: &Tx<'_>,
    workflow: Db<WorkflowId>,
    major: Option<i32>,
) -> Result<Option<ScriptRow>> {
    let newest = ScriptRow::query()
        .filter(scripts::workflow_id.eq(workflow))
        .filter(scripts::major.le(major.unwrap_or(i32::MAX)))
        .order((scripts::major.desc(), scripts::minor.desc()));
    newest.optional(tx.conn).await
}

/// The version that a repair follows: the active one is repaired, even if there is a newer major version.
async fn repaired(tx: &Tx<'_>, workflow: &WorkflowRow) -> Result<Option<ScriptRow>> {
    let Some(active) = workflow.active_script_id else { return Ok(None) };
    let major = scripts::table.find(active).select(scripts::major);
    let major = major.first(tx.conn).await?;
    newest(tx, workflow.id, Some(major)).await
}

async fn leave_draft(tx: &Tx<'_>, workflow: &WorkflowRow) -> Result<()> {
    let draft = workflows::id.eq(workflow.id).and(workflows::status.eq(Db(WorkflowStatus::Draft)));
    diesel::update(workflows::table.filter(draft))
        .set((
            workflows::status.eq(Db(WorkflowStatus::Ready)),
            workflows::updated_at.eq(At(tx.now)),
        ))
        .execute(tx.conn)
        .await?;
    Ok(())
}
