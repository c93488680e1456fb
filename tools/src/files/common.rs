//! What all methods of `Files` share.

use windlass_core::Sent;
use windlass_scheduler::{Subject, ToolError};

use crate::method::off_thread;

pub(super) const NAMESPACE: &str = "Files";

/// The kinds of input that a producer registers for what these tools find.
pub(super) const INPUT_TYPES: &[(&str, &str)] = &[("Files", "file")];

/// The subject of a call with this path. A grant can be limited to a folder or a file. A path with `..`, which no tool takes, is in no
/// folder.
pub(crate) fn subject(path: &str) -> Subject {
    let parts: Vec<_> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let scope = (!parts.contains(&"..")).then(|| parts.join("/"));
    Subject { place: path.to_owned(), scope }
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
