//! Settles mutations that are in doubt.

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{Changes, MutationId, ResolvedBy, RunId, Verdict};

use super::dialect::RunQueryDsl;
use super::held::{self, Held};
use super::next::go_on;
use super::notices::{self, Entry};
use super::outcome::Because;
use super::reads::mutation;
use super::{Operation, Tx, outcome};
use crate::error::{Result, StoreError};
use crate::model::Mutation;
use crate::params::{ReconcileMutation, ResolveMutation};
use crate::rows::Db;
use crate::schema::mutations;

impl Operation for ResolveMutation {
    type Output = Mutation;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Mutation> {
        let held = find_doubtful(tx, self.mutation).await?;
        let changes = held.state.resolve(self.verdict)?;
        let resolved_by = match self.verdict {
            Verdict::DidNotHappen => ResolvedBy::UserDidNotHappen,
            Verdict::Skip => ResolvedBy::UserSkip,
        };
        let entry = Entry::by(&self.actor, "mutation.resolved", &self.mutation)
            .because(self.reason)
            .with(json!({ "verdict": self.verdict, "run": held.run.id.0 }));
        notices::journal(tx, &held.workflow, entry).await?;
        let because = Because { resolved_by: Some(resolved_by), ..Because::default() };
        settle(tx, held, changes, &because).await?;
        mutation(tx.conn, self.mutation).await
    }
}

impl Operation for ReconcileMutation {
    type Output = Mutation;

    async fn run(self, tx: &mut Tx<'_>) -> Result<Mutation> {
        let held = find_doubtful(tx, self.mutation).await?;
        let changes = held.state.reconcile(self.found.is_some())?;
        let entry = Entry::by_windlass("mutation.reconciled", &self.mutation)
            .with(json!({ "happened": self.found.is_some(), "run": held.run.id.0 }));
        notices::journal(tx, &held.workflow, entry).await?;
        let because = Because {
            result: self.found.as_ref(),
            resolved_by: Some(ResolvedBy::Reconciliation),
            ..Because::default()
        };
        settle(tx, held, changes, &because).await?;
        mutation(tx.conn, self.mutation).await
    }
}

async fn settle(
    tx: &mut Tx<'_>,
    mut held: Held,
    changes: Changes,
    because: &Because<'_>,
) -> Result<()> {
    outcome::write(tx, &mut held, changes, because).await?;
    go_on(tx, held.workflow).await?;
    Ok(())
}

/// The run that made the mutation, where there is something to settle.
async fn find_doubtful(tx: &mut Tx<'_>, mutation: MutationId) -> Result<Held> {
    let run = mutations::table.find(Db(mutation)).select(mutations::handler_run_id);
    let run: Option<Db<RunId>> = run.first(tx.conn).await.optional()?;
    let Db(run) = run.ok_or_else(|| StoreError::not_found("mutation", &mutation))?;
    let held = held::find(tx, run).await?;
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
