//! What lookups and people's decisions have in common: they settle a mutation in doubt.

use diesel::prelude::*;
use windlass_core::{Changes, Failure, HandlerKind, MutationId, RunId, WorkspaceId};

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::locked_run::{self, LockedRun};
use super::outcome::{self, TransitionContext};
use super::{Tx, evidence, graph, notifications};
use crate::error::{Result, StoreError};
use crate::model::NotificationKind;
use crate::rows::Db;
use crate::schema::mutations;
use crate::tenant::in_workspace;

/// Writes the outcome of a doubt, resolves its notifications and advances the workflow. `limit` is one that the workflow has reached.
pub(super) async fn settle(
    tx: &Tx<'_>,
    mut locked: LockedRun,
    (changes, limit): (Changes, Option<Failure>),
    context: &TransitionContext<'_>,
) -> Result<()> {
    let (workspace, run) = (locked.workflow.workspace_id.0, locked.run.id.0);
    let changes = outcome::limited(&mut locked, changes, limit.as_ref());
    // Several nodes of a graph may be in doubt.
    if locked.run.kind.0 == HandlerKind::Node {
        graph::notices::resolve_run(tx, locked.run.id).await?;
    } else {
        notifications::resolve(tx, locked.workflow.id, &[NotificationKind::MutationInDoubt])
            .await?;
    }
    outcome::write(tx, &mut locked, changes, context).await?;
    outcome::tell_limit(tx, &locked, limit.as_ref()).await?;
    advance_workflow(tx, locked.workflow).await?;
    match locked_run::find(tx, workspace, run).await? {
        Some(settled) => evidence::check_settled(tx, settled).await,
        None => Ok(()),
    }
}

/// Locks the workflow of a mutation and reads its run.
pub(super) async fn lock_run_of(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    mutation: MutationId,
) -> Result<LockedRun> {
    let run = mutations::table
        .filter(mutations::id.eq(Db(mutation)))
        .filter(in_workspace!(workspace, mutations::workflow_id))
        .select(mutations::handler_run_id);
    let run: Option<Db<RunId>> = run.optional(tx.conn).await?;
    let Db(run) = run.ok_or_else(|| StoreError::not_found("mutation", &mutation))?;
    let locked = locked_run::find(tx, workspace, run).await?;
    locked.ok_or_else(|| StoreError::not_found("run", &run))
}

/// Does the same, and refuses a mutation that is settled or still waited for.
pub(super) async fn lock_run_in_doubt(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    mutation: MutationId,
) -> Result<LockedRun> {
    let locked = lock_run_of(tx, workspace, mutation).await?;
    let not_now = |what: String, hint: &str| StoreError::NotNow { what, hint: hint.to_owned() };
    match locked.state.mutation {
        Some(status) if !status.is_uncertain() => Err(not_now(
            format!("`{mutation}` is settled already, as {status}"),
            "there is nothing left to decide",
        )),
        _ if locked.state.status.is_open() => Err(not_now(
            format!("the worker that sent `{mutation}` still waits for the answer"),
            "settle it only once its run has stopped",
        )),
        _ => Ok(locked),
    }
}
