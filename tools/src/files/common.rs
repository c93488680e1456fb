//! What all methods of `Files` share.

use windlass_core::Sent;
use windlass_scheduler::{Subject, ToolError};

use crate::method::off_thread;

pub(super) const NAMESPACE: &str = "Files";

/// The kinds of input that a producer registers for what these tools find.
pub(super) const INPUT_TYPES: &[(&str, &str)] = &[("Files", "file")];

/// The subject of a call with this path. A grant can be limited to one root.
pub(crate) fn subject(path: &str) -> Subject {
    let root = path.split('/').find(|part| !part.is_empty()).map(str::to_owned);
    Subject { place: path.to_owned(), scope: root }
}

/// Runs blocking work that changes files. If it stops in the middle, nobody knows what it has changed.
pub(super) async fn run_mutation<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    match off_thread(work).await {
        Ok(done) => done,
        Err(failure) => Err(ToolError { failure, sent: Sent::Maybe }),
    }
}
