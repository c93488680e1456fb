//! What an engine is made of.

use std::path::PathBuf;
use std::sync::Arc;

use windlass_core::{Policy, Prices};
use windlass_sandbox::Sandbox;
use windlass_store::{SharedStore, WorkerInfo};

use crate::progress::Observer;
use crate::registry::Registry;

/// What an engine is made of.
#[derive(Clone)]
pub struct EngineParts {
    /// What is remembered.
    pub store: SharedStore,
    /// Where scripts run.
    pub sandbox: Sandbox,
    /// What scripts may call.
    pub registry: Arc<Registry>,
    /// The limits.
    pub policy: Policy,
    /// What effects cost.
    pub prices: Prices,
    /// Who this worker is, how many runs it drives at a time, and which.
    pub worker: WorkerInfo,
    /// What becomes of the mutations that scripts ask for.
    pub effects: Effects,
    /// The folder in which the workers of this machine declare themselves alive. Without one, a lost worker's runs are taken over
    /// only when their leases end.
    pub workers_dir: Option<PathBuf>,
    /// Who hears of progress.
    pub observer: Option<Observer>,
}

/// What becomes of the mutations that scripts ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effects {
    /// They are made.
    #[default]
    Make,
    /// They are captured in the ledger, nothing leaves, and `next` is given an answer made up from the tool's output schema. Only for
    /// a store that holds a copy.
    Capture,
}

impl std::fmt::Debug for EngineParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineParts").field("worker", &self.worker).finish_non_exhaustive()
    }
}
