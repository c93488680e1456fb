//! Resolves mutations in doubt as a person decided.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{MutationId, Recourse, ResolvedBy};

use super::dialect::RunQueryDsl;
use super::doubt::{lock_run_in_doubt, settle};
use super::journal::{self, Entry};
use super::locked_run::LockedRun;
use super::outcome::TransitionContext;
use super::reads::mutation;
use super::{Operation, Tx, lookup};
use crate::error::{Result, StoreError};
use crate::model::Mutation;
use crate::params::{Resolution, ResolveMutation};
use crate::rows::{At, Db};
use crate::schema::mutations;

impl Operation for ResolveMutation {
    type Output = Mutation;

    async fn run(self, tx: &Tx<'_>) -> Result<Mutation> {
        let locked = lock_run_in_doubt(tx, self.workspace, self.mutation).await?;
        if matches!(self.resolution, Resolution::DidNotHappen | Resolution::Skip) {
            refuse_during_lookup(tx, self.mutation).await?;
        }
        let changes = locked.state.resolve(self.resolution.kind())?;
        let entry = Entry::by(&self.actor, "mutation.resolved", &self.mutation)
            .because(self.reason)
            .with(json!({ "verdict": self.resolution.kind(), "run": locked.run.id.0 }));
        journal::add(tx, &locked.workflow, entry).await?;
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
                // Even if a lookup is running: all attempts are left again.
                lookup::restart(tx, self.mutation).await?;
                TransitionContext::default()
            }
        };
        settle(tx, locked, (changes, None), &context).await?;
        mutation(tx.conn, self.workspace, self.mutation).await
    }
}

/// Refuses while a lookup is running: a lookup may send the request again, and until it ends nobody can say that the mutation did
/// not happen.
async fn refuse_during_lookup(tx: &Tx<'_>, mutation: MutationId) -> Result<()> {
    let until = mutations::table.find(Db(mutation)).select(mutations::looked_up_until);
    let until: Option<At> = until.first(tx.conn).await?;
    match until {
        Some(At(until)) if until > tx.now => Err(StoreError::NotNow {
            what: format!("`{mutation}` is being looked up just now"),
            hint: format!(
                "wait a moment (until {until} at the latest), then look at its status again"
            ),
        }),
        Some(_) | None => Ok(()),
    }
}

fn require_lookup(locked: &LockedRun, mutation: MutationId) -> Result<()> {
    match locked.recourse {
        Recourse::LookUp => Ok(()),
        Recourse::Ask => Err(StoreError::NotNow {
            what: format!(
                "the tool of `{mutation}` could not look its effect up when the request was made"
            ),
            hint: "look for it yourself, then say whether it happened; what the configuration says of look-ups since then counts for \
                   later requests"
                .to_owned(),
        }),
    }
}
