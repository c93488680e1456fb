//! Compiled graphs that were used lately. A version of a graph never changes, so what is cached is never wrong.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use windlass_core::ScriptId;
use windlass_core::graph::Graph;

/// How many graphs are kept.
const CAPACITY: usize = 64;

/// The graphs that were used last. It belongs to one store.
#[derive(Debug, Clone, Default)]
pub(crate) struct GraphCache(Arc<Mutex<Kept>>);

/// The newest is at the front.
type Kept = VecDeque<(ScriptId, Arc<Graph>)>;

impl GraphCache {
    pub(crate) fn get(&self, script: ScriptId) -> Option<Arc<Graph>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|(id, _)| *id == script)?;
        let found = kept.remove(place)?;
        let graph = Arc::clone(&found.1);
        kept.push_front(found);
        Some(graph)
    }

    pub(crate) fn keep(&self, script: ScriptId, graph: &Arc<Graph>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_front((script, Arc::clone(graph)));
        kept.truncate(CAPACITY);
    }
}
