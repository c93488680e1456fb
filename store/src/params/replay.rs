//! How a person has consumed events processed once more.

use windlass_core::{EventId, InputId, MutationId, WorkspaceId};

/// Which events are looked at or replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaySelection {
    /// This one.
    Event(EventId),
    /// Those that this input caused.
    Input(InputId),
}

/// A person begins another round of consumed events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayEvents {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Which events. Of those of an input, the ones that are not consumed are left as they are.
    pub selection: ReplaySelection,
    /// The effects of earlier rounds that the person knows of. Each of them is made again as far as the script asks for it.
    pub known_effects: Vec<MutationId>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}
