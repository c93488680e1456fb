//! Keeps plans that agents do by themselves, and begins executions of them.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Actor, ScriptId, Text as _, WorkflowId, WorkflowKind, WorkflowStatus};

use super::super::dialect::RunQueryDsl;
use super::super::journal::Entry;
use super::super::{Operation, Tx, script};
use super::start::{self, NewRun};
use super::{advance, journal, load, versions};
use crate::error::{Result, StoreError};
use crate::model::{RecordedPlan, StartedGraph};
use crate::params::{RecordPlan, StartExecution};
use crate::rows::{Db, WorkflowRow, storable};
use crate::schema::{scripts, workflows};

/// How much of a title goes into a name.
const MAX_NAME_CHARS: usize = 40;

impl Operation for RecordPlan {
    type Output = RecordedPlan;

    async fn run(self, tx: &Tx<'_>) -> Result<RecordedPlan> {
        let title = storable(self.text.graph.title.clone());
        let fresh =
            script::fresh_workflow(tx, self.workspace, WorkflowKind::Journal, title.clone());
        let workflow = WorkflowRow {
            name: name_of(&title, fresh.id.0),
            status: Db(WorkflowStatus::Ready),
            ..fresh
        };
        diesel::insert_into(workflows::table).values(&workflow).execute(tx.conn).await?;
        let (plan, graph) = versions::keep(tx, &workflow, (1, 0), self.text).await?;
        let actor = self.actor.to_text();
        let entry = Entry::by(&actor, "plan.recorded", &plan.0)
            .with(json!({ "title": title, "steps": graph.nodes.len() }));
        super::super::journal::add(tx, &workflow, entry).await?;
        Ok(RecordedPlan { plan: plan.0, created_at: tx.now })
    }
}

/// A name that no other workflow has: words of the title, and the random end of the id.
fn name_of(title: &str, id: WorkflowId) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    name.truncate(MAX_NAME_CHARS);
    let name = if name.is_empty() { "plan" } else { name.trim_end_matches('-') };
    let id = id.to_text();
    let end: String = id.chars().skip(id.chars().count().saturating_sub(8)).collect();
    format!("{name}-{end}")
}

impl Operation for StartExecution {
    type Output = StartedGraph;

    async fn run(self, tx: &Tx<'_>) -> Result<StartedGraph> {
        let missing = || StoreError::not_found("recorded plan", &self.plan);
        let workflow = scripts::table
            .inner_join(workflows::table)
            .filter(scripts::id.eq(Db(self.plan)))
            .filter(workflows::workspace_id.eq(Db(self.workspace)))
            .filter(workflows::kind.eq(Db(WorkflowKind::Journal)))
            .select(workflows::id);
        let workflow: Option<Db<WorkflowId>> = workflow.optional(tx.conn).await?;
        let Db(workflow) = workflow.ok_or_else(missing)?;
        let workflow = tx.lock(self.workspace, workflow).await?;
        let graph = load::graph(tx, self.plan).await?;
        let run = NewRun {
            script: Db(self.plan),
            graph,
            lead: self.actor.to_text(),
            notes: self.notes.clone(),
            follows: None,
            idempotency_key: None,
            deadline_at: None,
            is_held: false,
        };
        let mut locked = start::begin(tx, workflow, run, Vec::new()).await?;
        let details = details(self.plan, self.notes.as_deref(), &self.actor);
        journal::add(tx, &mut locked, ("run.started", &self.actor), None, details);
        advance::advance(tx, &mut locked).await?;
        advance::save(tx, &mut locked, "started").await?;
        Ok(StartedGraph { session: locked.session(), is_new: true })
    }
}

fn details(plan: ScriptId, notes: Option<&str>, actor: &Actor) -> serde_json::Value {
    json!({ "plan": plan, "notes": notes, "lead": actor, "message": "the execution began" })
}
