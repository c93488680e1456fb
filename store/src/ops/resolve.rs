//! Settles mutations that are in doubt.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Changes, MutationId, Recourse, ResolvedBy, RunId, WorkspaceId};

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::locked_run::{self, LockedRun};
use super::notices::{self, Entry};
use super::outcome::TransitionContext;
use super::reads::mutation;
use super::{Operation, Tx, lookup, outcome};
use crate::error::{Result, StoreError};
use crate::model::{Mutation, NotificationKind};
use crate::params::{Resolution, ResolveMutation};
use crate::rows::{At, Db};
use crate::schema::mutations;
use crate::tenant::is_of;

impl Operation for ResolveMutation {
    type Output = Mutation;

    async fn run(self, tx: &Tx<'_>) -> Result<Mutation> {
        let locked = find_doubtful(tx, self.workspace, self.mutation).await?;
        if matches!(self.resolution, Resolution::DidNotHappen | Resolution::Skip) {
            refuse_under_way(tx, self.mutation).await?;
        }
        let changes = locked.state.resolve(self.resolution.kind())?;
        let entry = Entry::by(&self.actor, "mutation.resolved", &self.mutation)
            .context(self.reason)
            .with(json!({ "verdict": self.resolution.kind(), "run": locked.run.id.0 }));
        notices::journal(tx, &locked.workflow, entry).await?;
        let settled_by = |resolved_by, result| TransitionContext {
            result,
            resolved_by: Some(resolved_by),
            ..TransitionContext::default()
        };
        let context = match &self.resolution {
            Resolution::DidNotHappen => settled_by(ResolvedBy::UserDidNotHappen, None),
            Resolution::Happened(result) => settled_by(ResolvedBy::UserHappened, Some(result)),
            Resolution::Skip => settled_by(ResolvedBy::UserSkip, None),
            Resolution::TryAgain => {
                require_lookup(&locked, self.mutation)?;
                // Also where it is being looked up already: the attempts count anew.
                lookup::restart(tx, self.mutation).await?;
                TransitionContext::default()
            }
        };
        settle(tx, locked, changes, &context).await?;
        mutation(tx.conn, self.workspace, self.mutation).await
    }
}

/// To look an effect up may be to send its request again: until that has ended, nobody can say that it did not happen.
async fn refuse_under_way(tx: &Tx<'_>, mutation: MutationId) -> Result<()> {
    let until = mutations::table.find(Db(mutation)).select(mutations::looked_up_until);
    let until: Option<At> = until.first(tx.conn).await?;
    match until {
        Some(At(until)) if until > tx.now => Err(StoreError::NotNow {
            what: format!("`{mutation}` is being looked up just now"),
            hint: format!(
                "look at it again in a moment (it takes until {until} at the longest), then say what is left to say"
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

fn require_lookup(locked: &LockedRun, mutation: MutationId) -> Result<()> {
    match locked.recourse {
        Recourse::LookUp => Ok(()),
        Recourse::Ask => Err(StoreError::NotNow {
            what: format!("the tool of `{mutation}` cannot look its effect up"),
            hint: "look for it yourself, then say whether it happened".to_owned(),
        }),
    }
}

/// Writes what a doubt came to; whoever was asked need not answer any more.
pub(super) async fn settle(
    tx: &Tx<'_>,
    mut locked: LockedRun,
    changes: Changes,
    context: &TransitionContext<'_>,
) -> Result<()> {
    notices::resolve(tx, locked.workflow.id, &[NotificationKind::MutationInDoubt]).await?;
    outcome::write(tx, &mut locked, changes, context).await?;
    advance_workflow(tx, locked.workflow).await?;
    Ok(())
}

/// The run that made the mutation, where there is something to settle.
pub(super) async fn find_doubtful(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    mutation: MutationId,
) -> Result<LockedRun> {
    let run = mutations::table
        .filter(mutations::id.eq(Db(mutation)))
        .filter(is_of!(workspace, mutations::workflow_id))
        .select(mutations::handler_run_id);
    let run: Option<Db<RunId>> = run.first(tx.conn).await.optional()?;
    let Db(run) = run.ok_or_else(|| StoreError::not_found("mutation", &mutation))?;
    let locked = locked_run::find(tx, workspace, run).await?;
    let locked = locked.ok_or_else(|| StoreError::not_found("run", &run))?;
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
