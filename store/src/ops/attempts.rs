//! The attempts at one operation that are in the ledger.

use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{MutationStatus, ResolvedBy};

use super::dialect::RunQueryDsl;
use super::{Tx, clock};
use crate::error::Result;
use crate::rows::{At, Db};
use crate::schema::mutations;

#[derive(Queryable)]
struct Attempt {
    status: Db<MutationStatus>,
    resolved_by: Option<Db<ResolvedBy>>,
    unsent: bool,
    key: String,
    /// A time before the request was sent.
    created_at: At,
}

/// The attempts at an operation.
pub(super) struct Attempts(Vec<Attempt>);

impl Attempts {
    pub(super) async fn load(tx: &Tx<'_>, operation_id: &str) -> Result<Self> {
        let attempts = mutations::table.filter(mutations::operation_id.eq(operation_id)).select((
            mutations::status,
            mutations::resolved_by,
            mutations::unsent,
            mutations::idempotency_key,
            mutations::created_at,
        ));
        Ok(Self(attempts.load(tx.conn).await?))
    }

    /// Whether it is known of each that it had no effect.
    pub(super) fn have_all_failed(&self) -> bool {
        self.0.iter().all(|attempt| attempt.status.0 == MutationStatus::Failed)
    }

    /// How often the provider has refused the operation.
    pub(super) fn refusals(&self) -> usize {
        // A doubt that was resolved as "did not happen" is no answer of the provider, and neither is a request that did not leave.
        let is_refused = |attempt: &&Attempt| {
            attempt.status.0 == MutationStatus::Failed
                && attempt.resolved_by.is_none()
                && !attempt.unsent
        };
        self.0.iter().filter(is_refused).count()
    }

    /// How long ago a key was first sent: not at all if no attempt has it. None if the clock was set back since, which hides it.
    pub(super) async fn key_age(&self, tx: &Tx<'_>, key: &str) -> Result<Option<Duration>> {
        let sent = self.0.iter().filter(|attempt| attempt.key == key && !attempt.unsent);
        let first = sent.map(|attempt| attempt.created_at.0).min();
        Ok(match first {
            None => Some(Duration::ZERO),
            Some(first) if clock::is_reliable(tx, first).await? => Some(tx.now.since(first)),
            Some(_) => None,
        })
    }
}
