//! What is removed when it is over and old.

use windlass_core::{RecordKind, Retention, Timestamp};

/// Removes old records of one kind: one step of a walk from the youngest of them to the oldest.
///
/// Records are removed in the order of [`RecordKind::ALL`], or else what refers to them keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// Of which kind.
    pub kind: RecordKind,
    /// How long what is over is kept.
    pub retention: Retention,
    /// Where the step before this one ended.
    pub after: Option<PruneCursor>,
    /// How many records are looked at.
    pub limit: u32,
}

/// Where a step of a walk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneCursor {
    /// When the last record that was looked at was over.
    pub(crate) at: Timestamp,
    /// Its id.
    pub(crate) id: String,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PruneStep {
    /// How many records were removed, or would be.
    pub count: u64,
    /// Where the next step begins; none where this was the last.
    pub next: Option<PruneCursor>,
}
