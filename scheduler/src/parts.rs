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
    /// The store.
    pub store: SharedStore,
    /// The sandbox that runs scripts.
    pub sandbox: Sandbox,
    /// What scripts may call.
    pub registry: Arc<Registry>,
    /// The limits.
    pub policy: Policy,
    /// What effects cost.
    pub prices: Prices,
    /// The id of this worker, how many runs it executes at a time, and which.
    pub worker: WorkerInfo,
    /// What the engine does with the mutations that scripts ask for.
    pub mutation_mode: MutationMode,
    /// The folder with the lock files of the workers on this machine. Without one, the runs of a dead worker are recovered only when
    /// their leases end.
    pub workers_dir: Option<PathBuf>,
    /// Called for each step of progress.
    pub observer: Option<Observer>,
}

/// What the engine does with the mutations that scripts ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MutationMode {
    /// They are executed.
    #[default]
    Execute,
    /// They are captured in the ledger and no request is sent. `next` gets a sample answer that fits the tool's output schema. Use it
    /// only with a copy of a store.
    Capture,
}

impl std::fmt::Debug for EngineParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineParts").field("worker", &self.worker).finish_non_exhaustive()
    }
}
