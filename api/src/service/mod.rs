//! The operations, each a method of [`Service`].

mod advice;
mod health;
mod status;

use windlass_core::WorkspaceId;
use windlass_store::SharedStore;

pub use self::advice::{Advice, Fact, NextStep};
pub use self::health::{
    Badge, HealthInputs, MutationInDoubt, WorkflowHealth, judge_health, mutation_title,
    mutations_in_doubt,
};
pub use self::status::WorkflowStatusReport;

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
