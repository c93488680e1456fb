//! The errors that end an engine's work.

use windlass_store::StoreError;

/// An error that ends an engine's work. A failing script or tool ends only its run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The store refuses an operation, or does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder of the workers' lock files cannot be used.
    #[error("cannot use `{folder}` for the files of running workers: check that it can be written")]
    Liveness {
        /// The folder.
        folder: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A part of the engine panicked. Its run is recovered when the lease ends.
    #[error("a handler run ended by a bug in windlass: {message}")]
    Panicked {
        /// The message of the panic.
        message: String,
    },
}
