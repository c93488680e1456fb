//! What every operation is given.

use windlass_core::WorkspaceId;
use windlass_store::SharedStore;

/// An open store, a workspace in it, and the person who acts.
#[derive(Debug, Clone)]
pub struct Service {
    /// Where everything is recorded.
    pub store: SharedStore,
    /// The workspace that the operations look in and change.
    pub workspace: WorkspaceId,
    /// Who acts, for the journal.
    pub actor: String,
}
