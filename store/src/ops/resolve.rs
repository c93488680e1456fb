//! Settles mutations that are in doubt.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Changes, MutationId, Recourse, ResolvedBy, RunId, WorkspaceId};

use super::dialect::RunQueryDsl;
use super::held::{self, Held};
use super::next::go_on;
use super::notices::{self, Entry};
use super::outcome::Because;
use super::reads::mutation;
use super::{Operation, Tx, lookup, outcome};
use crate::error::{Result, StoreError};
use crate::model::{Mutation, NotificationKind};
use crate::params::{Answer, ResolveMutation};
use crate::rows::{At, Db};
use crate::schema::mutations;
use crate::tenant::is_of;

impl Operation for ResolveMutation {
    type Output = Mutation;

    async fn run(self, tx: &Tx<'_>) -> Result<Mutation> {
        let held = find_doubtful(tx, self.workspace, self.mutation).await?;
        if matches!(self.answer, Answer::DidNotHappen | Answer::Skip) {
            refuse_under_way(tx, self.mutation).await?;
        }
        let changes = held.state.resolve(self.answer.verdict())?;
        let entry = Entry::by(&self.actor, "mutation.resolved", &self.mutation)
            .because(self.reason)
            .with(json!({ "verdict": self.answer.verdict(), "run": held.run.id.0 }));
        notices::journal(tx, &held.workflow, entry).await?;
        let settled_by = |resolved_by, result| Because {
            result,
            resolved_by: Some(resolved_by),
            ..Because::default()
        };
        let because = match &self.answer {
            Answer::DidNotHappen => settled_by(ResolvedBy::UserDidNotHappen, None),
            Answer::Happened(result) => settled_by(ResolvedBy::UserHappened, Some(result)),
            Answer::Skip => settled_by(ResolvedBy::UserSkip, None),
            Answer::TryAgain => {
                require_lookup(&held, self.mutation)?;
                // Also where it is being looked up already: the attempts count anew.
                lookup::restart(tx, self.mutation).await?;
                Because::default()
            }
        };
        settle(tx, held, changes, &because).await?;
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

fn require_lookup(held: &Held, mutation: MutationId) -> Result<()> {
    match held.recourse {
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
    mut held: Held,
    changes: Changes,
    because: &Because<'_>,
) -> Result<()> {
    notices::resolve(tx, held.workflow.id, &[NotificationKind::MutationInDoubt]).await?;
    outcome::write(tx, &mut held, changes, because).await?;
    go_on(tx, held.workflow).await?;
    Ok(())
}

/// The run that made the mutation, where there is something to settle.
pub(super) async fn find_doubtful(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    mutation: MutationId,
) -> Result<Held> {
    let run = mutations::table
        .filter(mutations::id.eq(Db(mutation)))
        .filter(is_of!(workspace, mutations::workflow_id))
        .select(mutations::handler_run_id);
    let run: Option<Db<RunId>> = run.first(tx.conn).await.optional()?;
    let Db(run) = run.ok_or_else(|| StoreError::not_found("mutation", &mutation))?;
    let held = held::find(tx, workspace, run).await?;
    let held = held.ok_or_else(|| StoreError::not_found("run", &run))?;
    let not_now = |what: String, hint: &str| StoreError::NotNow { what, hint: hint.to_owned() };
    match held.state.mutation {
        Some(status) if !status.is_uncertain() => Err(not_now(
            format!("`{mutation}` is settled already, as {status}"),
            "there is nothing left to decide",
        )),
        _ if held.state.status.is_open() => Err(not_now(
            format!("the worker that sent `{mutation}` still waits for the answer"),
            "settle it only once its run has stopped",
        )),
        _ => Ok(held),
    }
}
