//! The attempts at one operation that are in the ledger.

use std::time::Duration;

use diesel::prelude::*;
use windlass_core::{MutationStatus, ResolvedBy};

use super::dialect::RunQueryDsl;
use super::{Tx, clock};
use crate::error::Result;
use crate::rows::{At, Db};
use crate::schema::mutations;

/// Status, who settled it, key, and the time before the request was sent.
type Attempt = (Db<MutationStatus>, Option<Db<ResolvedBy>>, String, At);

/// The attempts at an operation.
pub(super) struct Attempts(Vec<Attempt>);

impl Attempts {
    pub(super) async fn load(tx: &Tx<'_>, operation_id: &str) -> Result<Self> {
        let attempts = mutations::table.filter(mutations::operation_id.eq(operation_id)).select((
            mutations::status,
            mutations::resolved_by,
            mutations::idempotency_key,
            mutations::created_at,
        ));
        Ok(Self(attempts.load(tx.conn).await?))
    }

    /// Whether it is known of each that it had no effect.
    pub(super) fn have_all_failed(&self) -> bool {
        self.0.iter().all(|(Db(status), ..)| *status == MutationStatus::Failed)
    }

    /// How often the provider has refused the operation.
    pub(super) fn refusals(&self) -> usize {
        // A doubt that was resolved as "did not happen" is no answer of the provider.
        let is_refused = |(Db(status), resolved_by, ..): &&Attempt| {
            *status == MutationStatus::Failed && resolved_by.is_none()
        };
        self.0.iter().filter(is_refused).count()
    }

    /// How long ago a key was first sent: not at all if no attempt has it. None if the clock was set back since, which hides it.
    pub(super) async fn key_age(&self, tx: &Tx<'_>, key: &str) -> Result<Option<Duration>> {
        let with_key = self.0.iter().filter(|(_, _, used, _)| used == key);
        let first = with_key.map(|(.., At(sent_at))| *sent_at).min();
        Ok(match first {
            None => Some(Duration::ZERO),
            Some(first) if clock::is_reliable(tx, first).await? => Some(tx.now.since(first)),
            Some(_) => None,
        })
    }
}
