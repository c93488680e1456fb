//! What ends an engine's work.

use windlass_store::StoreError;

/// What ends an engine's work. A failing script or tool is none of these: it ends its run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store refuses, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder in which workers declare themselves alive cannot be used.
    #[error("cannot use `{folder}` for the files of running workers: check that it can be written")]
    Liveness {
        /// The folder.
        folder: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A part of the engine panicked. What it held is recovered when its lease ends.
    #[error("a handler run ended by a bug in windlass: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
}
