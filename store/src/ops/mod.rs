//! The operations, once: the body of each transaction, written over a `Conn` and a `RunQueryDsl` that the backend provides in
//! its module `dialect`. This folder is mounted by both backends.

mod workspace;

use windlass_core::{Policy, Timestamp};

use super::dialect;
use crate::error::Result;

/// What happens, or is looked at, in one transaction. The parameters of an operation are the operation.
///
/// A backend runs a writing one with `write`, and a looking one with `read`, which sees one snapshot.
pub(super) trait Operation: Send + 'static {
    /// What comes of it.
    type Output: Send + 'static;

    /// The body. An `Err` undoes all of it.
    fn run(self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// An open transaction.
pub(super) struct Tx<'conn> {
    /// The connection; everything on it belongs to the transaction.
    pub(super) conn: &'conn mut dialect::Conn,
    /// The instant of the transaction.
    pub(super) now: Timestamp,
    /// The limits.
    pub(super) policy: &'conn Policy,
    /// Whether the commit may bring work: then whoever waits for some is woken.
    pub(super) wakes: bool,
}
