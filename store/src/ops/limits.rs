//! Limits on what runs have in common: how many are taken at once, and in a while.
//!
//! How many run is counted, never kept: it cannot come apart from what runs. Whoever takes runs holds the limits of those
//! workspaces locked, so that two do not both count the last free place. Whoever ends a run needs no lock: it only frees one.

use std::collections::{BTreeMap, BTreeSet};

use diesel::dsl::count_star;
use diesel::prelude::*;
use serde_json::json;
use windlass_core::{LimitKey, LimitUsage, RunId, WorkspaceId};

use super::dialect::{self, RunQueryDsl};
use super::notices::{self, Entry};
use super::{Operation, Tx, reads, stored};
use crate::error::Result;
use crate::literals::IsActive;
use crate::params::SetLimit;
use crate::queue::QueuedRun;
use crate::reused::Reuse;
use crate::rows::{At, Db, LimitRow, WorkflowKeyRow, WorkflowRow};
use crate::schema::{handler_runs, limits, workflow_keys};

/// The limits of some workspaces, locked, and how much of each is used.
#[derive(Debug, Default)]
pub(super) struct LimitTable {
    states: BTreeMap<(WorkspaceId, String), LimitUsage>,
    changed: BTreeSet<(WorkspaceId, String)>,
}

impl LimitTable {
    pub(super) async fn lock(tx: &Tx<'_>, workspaces: &[WorkspaceId]) -> Result<Self> {
        if workspaces.is_empty() {
            return Ok(Self::default());
        }
        let limits = dialect::lock_limits(tx.conn, workspaces).await?;
        let states = reads::limit_usages(tx.conn, limits).await?;
        Ok(Self { states, changed: BTreeSet::new() })
    }

    /// The keys that no run of the workspace may have now.
    pub(super) fn full(&self, tx: &Tx<'_>, workspace: WorkspaceId) -> Vec<String> {
        let of_workspace = self.states.iter().filter(|((of, _), _)| *of == workspace);
        let full = of_workspace.filter(|(_, state)| state.reached(tx.now).is_some());
        full.map(|((_, key), _)| key.clone()).collect()
    }

    /// Which of the runs may begin, one after the other, and whether a limit knows of them.
    pub(super) async fn admit(
        &mut self,
        tx: &Tx<'_>,
        workspace: WorkspaceId,
        runs: Vec<QueuedRun>,
    ) -> Result<Vec<Admitted>> {
        if !self.states.keys().any(|(of, _)| *of == workspace) {
            return Ok(runs.into_iter().map(Admitted::unlimited).collect());
        }
        let ids: Vec<_> = runs.iter().map(|(run, ..)| run.id).collect();
        let keys = handler_runs::table
            .inner_join(
                workflow_keys::table.on(workflow_keys::workflow_id.eq(handler_runs::workflow_id)),
            )
            .filter(handler_runs::id.eq_any(&ids))
            .select((handler_runs::id, workflow_keys::key));
        let keys: Vec<(Db<RunId>, String)> = keys.load(tx.conn).await?;
        let mut admitted = Vec::new();
        for run in runs {
            let of_run = keys.iter().filter(|(of, _)| *of == run.0.id);
            let of_run = of_run.map(|(_, key)| (workspace, key.clone()));
            let known: Vec<_> = of_run.filter(|key| self.states.contains_key(key)).collect();
            let is_full = |key| self.states.get(key).is_some_and(|it| it.reached(tx.now).is_some());
            if known.iter().any(is_full) {
                continue;
            }
            admitted.push(Admitted { run, limited: !known.is_empty() });
            for key in known {
                if let Some(state) = self.states.get_mut(&key) {
                    *state = state.with_one_more_run(tx.now);
                }
                self.changed.insert(key);
            }
        }
        Ok(admitted)
    }

    /// Writes how much of the rates is used.
    pub(super) async fn save(self, tx: &Tx<'_>) -> Result<()> {
        for (workspace, key) in self.changed {
            let Some(state) = self.states.get(&(workspace, key.clone())) else { continue };
            if state.limit.rate.is_none() {
                continue;
            }
            diesel::update(limits::table.find((Db(workspace), key)))
                .set((
                    limits::window_started_at.eq(state.window_started_at.map(At)),
                    limits::taken.eq(stored(state.taken)),
                ))
                .reused()
                .execute(tx.conn)
                .await?;
        }
        Ok(())
    }
}

/// A run that may begin.
pub(super) struct Admitted {
    pub(super) run: QueuedRun,
    /// Whether others may wait for its end.
    pub(super) limited: bool,
}

impl Admitted {
    /// One that nothing limits.
    pub(super) const fn unlimited(run: QueuedRun) -> Self {
        Self { run, limited: false }
    }
}

/// Writes what the workflow's runs have in common with others, by what its script may call.
pub(super) async fn store_limit_keys(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    keys: BTreeSet<LimitKey>,
) -> Result<()> {
    let of_workflow = workflow_keys::workflow_id.eq(workflow.id);
    diesel::delete(workflow_keys::table.filter(of_workflow)).execute(tx.conn).await?;
    let row = |key: LimitKey| WorkflowKeyRow { workflow_id: workflow.id, key: key.to_string() };
    let rows: Vec<_> = keys.into_iter().map(row).collect();
    for batch in rows.chunks(super::BATCH) {
        diesel::insert_into(workflow_keys::table).values(batch).execute(tx.conn).await?;
    }
    Ok(())
}

impl Operation for SetLimit {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let (workspace, key) = (Db(self.workspace), self.key.to_string());
        let details = json!({
            "at_once": self.limit.and_then(|it| it.at_once),
            "rate": self.limit.and_then(|it| it.rate).map(|it| it.runs),
            "per_s": self.limit.and_then(|it| it.rate).map(|it| it.per.as_secs()),
        });
        diesel::delete(limits::table.find((workspace, &key))).execute(tx.conn).await?;
        if let Some(limit) = self.limit.filter(|it| it.at_once.is_some() || it.rate.is_some()) {
            let row = LimitRow {
                workspace_id: workspace,
                key: key.clone(),
                at_once: limit.at_once.map(stored),
                rate: limit.rate.map(|rate| stored(rate.runs)),
                rate_window: limit.rate.map(|rate| crate::convert::stored_micros(rate.per)),
                window_started_at: None,
                taken: 0,
            };
            diesel::insert_into(limits::table).values(&row).execute(tx.conn).await?;
        }
        // What runs already is followed by nobody without being counted.
        let with_key = workflow_keys::table.filter(workflow_keys::key.eq(&key));
        let with_key = with_key.select(workflow_keys::workflow_id);
        let concerned = handler_runs::workspace_id
            .eq(workspace)
            .and(handler_runs::workflow_id.eq_any(with_key));
        diesel::update(handler_runs::table.filter(concerned).filter(IsActive))
            .set(handler_runs::limited.eq(true))
            .execute(tx.conn)
            .await?;
        let entry = Entry::on(&self.actor, "limit.set", key).with(details);
        notices::journal_of(tx, (workspace, None), entry).await?;
        tx.wake_if(true);
        Ok(())
    }
}

/// How many runs have each key, by their status.
pub(in super::super) async fn count_by_key(
    conn: &dialect::Conn,
    workspaces: &[WorkspaceId],
    active: bool,
) -> Result<Vec<(Db<WorkspaceId>, String, i64)>> {
    let workspaces: Vec<_> = workspaces.iter().copied().map(Db).collect();
    let with_keys = || {
        handler_runs::table
            .inner_join(
                workflow_keys::table.on(workflow_keys::workflow_id.eq(handler_runs::workflow_id)),
            )
            .filter(handler_runs::workspace_id.eq_any(&workspaces))
            .group_by((handler_runs::workspace_id, workflow_keys::key))
            .select((handler_runs::workspace_id, workflow_keys::key, count_star()))
    };
    Ok(if active {
        with_keys().filter(IsActive).load(conn).await?
    } else {
        with_keys().filter(crate::literals::IsQueued).load(conn).await?
    })
}
