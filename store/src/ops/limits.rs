//! Limits on runs with the same key: how many may run at once, and how many may start in a time window.
//!
//! The number of running runs is counted, never stored, so it cannot be wrong. Claiming runs locks the limits of their workspaces,
//! so that two workers cannot both take the last free place. Ending a run needs no lock: it only frees a place.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{LimitKey, LimitUsage, RunId, WorkspaceId};

use super::dialect::{self, RunQueryDsl};
use super::journal::{self, Entry};
use super::{Operation, Tx, reads};
use crate::cached::CacheStatement;
use crate::convert::{to_i32, to_micros};
use crate::error::Result;
use crate::literals::IsActive;
use crate::params::SetLimit;
use crate::queue::QueuedRun;
use crate::rows::{At, Db, LimitRow, WorkflowKeyRow, WorkflowRow};
use crate::schema::{handler_runs, limits, workflow_keys};

/// The locked limits of some workspaces, and how much of each is used.
#[derive(Debug, Default)]
pub(super) struct LimitTable {
    usages: BTreeMap<(WorkspaceId, String), LimitUsage>,
    changed: BTreeSet<(WorkspaceId, String)>,
}

impl LimitTable {
    pub(super) async fn lock(tx: &Tx<'_>, workspaces: &[WorkspaceId]) -> Result<Self> {
        if workspaces.is_empty() {
            return Ok(Self::default());
        }
        let limits = dialect::lock_limits(tx.conn, workspaces).await?;
        let usages = reads::limit_usages(tx.conn, limits).await?;
        Ok(Self { usages, changed: BTreeSet::new() })
    }

    /// The keys of the workspace whose limit is reached.
    pub(super) fn full_keys(&self, tx: &Tx<'_>, workspace: WorkspaceId) -> Vec<String> {
        let of_workspace = self.usages.iter().filter(|((of, _), _)| *of == workspace);
        let full = of_workspace.filter(|(_, usage)| usage.reached(tx.now).is_some());
        full.map(|((_, key), _)| key.clone()).collect()
    }

    /// Admits the runs that may start, one after the other, and counts them.
    pub(super) async fn admit(
        &mut self,
        tx: &Tx<'_>,
        workspace: WorkspaceId,
        runs: Vec<QueuedRun>,
    ) -> Result<Vec<AdmittedRun>> {
        if !self.usages.keys().any(|(of, _)| *of == workspace) {
            return Ok(runs.into_iter().map(AdmittedRun::unlimited).collect());
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
            let limited: Vec<_> = of_run.filter(|key| self.usages.contains_key(key)).collect();
            let is_full = |key| self.usages.get(key).is_some_and(|it| it.reached(tx.now).is_some());
            if limited.iter().any(is_full) {
                continue;
            }
            admitted.push(AdmittedRun { run, limited: !limited.is_empty() });
            for key in limited {
                if let Some(usage) = self.usages.get_mut(&key) {
                    *usage = usage.with_one_more_run(tx.now);
                }
                self.changed.insert(key);
            }
        }
        Ok(admitted)
    }

    /// Saves how much of each rate is used.
    pub(super) async fn save(self, tx: &Tx<'_>) -> Result<()> {
        for (workspace, key) in self.changed {
            let Some(usage) = self.usages.get(&(workspace, key.clone())) else { continue };
            if usage.limit.rate.is_none() {
                continue;
            }
            diesel::update(limits::table.find((Db(workspace), key)))
                .set((
                    limits::window_started_at.eq(usage.window_started_at.map(At)),
                    limits::taken.eq(to_i32(usage.taken)),
                ))
                .cached()
                .execute(tx.conn)
                .await?;
        }
        Ok(())
    }
}

/// A queued run that no limit keeps from starting.
pub(super) struct AdmittedRun {
    pub(super) run: QueuedRun,
    /// Whether it counts against a limit, so that other runs may wait for its end.
    pub(super) limited: bool,
}

impl AdmittedRun {
    /// A run without limits.
    pub(super) const fn unlimited(run: QueuedRun) -> Self {
        Self { run, limited: false }
    }
}

/// Stores the limit keys of the workflow's runs: they follow from what its script may call.
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
                at_once: limit.at_once.map(to_i32),
                rate: limit.rate.map(|rate| to_i32(rate.runs)),
                rate_window: limit.rate.map(|rate| to_micros(rate.per)),
                window_started_at: None,
                taken: 0,
            };
            diesel::insert_into(limits::table).values(&row).execute(tx.conn).await?;
        }
        // A worker may not claim the next run of a running one without counting it.
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
        journal::add_to_workspace(tx, workspace, entry).await?;
        tx.wake();
        Ok(())
    }
}
