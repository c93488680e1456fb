//! A cache of script versions, which never change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use windlass_core::{Grant, Manifest, ScriptId};
use windlass_sandbox::Script;
use windlass_store::{ClaimedRun, Result, SharedStore};

/// How many versions are kept. When the cache is full it is emptied, and they are read again.
const CAPACITY: usize = 1_000;

/// A script version, ready to be called.
#[derive(Debug, Clone)]
pub(crate) struct LoadedScript {
    /// For the sandbox.
    pub(crate) script: Script,
    /// What it declares.
    pub(crate) manifest: Arc<Manifest>,
    /// What it may call.
    pub(crate) grant: Arc<Grant>,
}

/// The versions that were needed so far.
#[derive(Debug, Default)]
pub(crate) struct ScriptCache(Mutex<HashMap<ScriptId, LoadedScript>>);

impl ScriptCache {
    /// Gets the script version of a run, from the cache if it is there.
    pub(crate) async fn get(&self, store: &SharedStore, run: &ClaimedRun) -> Result<LoadedScript> {
        let id = run.script;
        if let Some(known) = self.lock().get(&id) {
            return Ok(known.clone());
        }
        let version = store.script(run.claim.workspace, id).await?;
        let loaded = LoadedScript {
            script: Script {
                name: version.file_name.into(),
                source: version.source.into(),
                digest: version.digest.into(),
            },
            manifest: Arc::new(version.manifest),
            grant: Arc::new(version.grant),
        };
        let mut known = self.lock();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(id, loaded.clone());
        Ok(loaded)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ScriptId, LoadedScript>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
