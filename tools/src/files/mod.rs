//! `Files`: look at and change files in the folders that the configuration names.

mod append;
mod delete;
mod disk;
mod failure;
mod list;
mod read;
mod roots;
mod search;
mod write;

use std::sync::Arc;

use windlass_core::{Failure, Sent};
use windlass_scheduler::{Subject, Tool, ToolError};

use super::method::{Typed, off_thread};

pub(super) use read::read_limited;
pub(super) use roots::Roots;
pub use roots::ensure_roots;

const NAMESPACE: &str = "Files";

/// What a producer that uses these tools registers.
const INPUT_TYPES: &[(&str, &str)] = &[("Files", "file")];

/// The tools of this namespace.
pub(super) fn tools(roots: &Arc<Roots>, max_read_bytes: u64) -> Vec<Arc<dyn Tool>> {
    let roots = || Arc::clone(roots);
    vec![
        Arc::new(Typed::new(list::List { roots: roots() })),
        Arc::new(Typed::new(read::Read { roots: roots(), max_read_bytes })),
        Arc::new(Typed::new(search::Search { roots: roots(), max_answer_bytes: max_read_bytes })),
        Arc::new(Typed::new(append::Append { roots: roots() })),
        Arc::new(Typed::new(write::Write { roots: roots() })),
        Arc::new(Typed::new(delete::Delete { roots: roots() })),
    ]
}

/// What a call with this path is about; a grant can be narrowed to one root.
pub(super) fn subject(path: &str) -> Subject {
    let root = path.split('/').find(|part| !part.is_empty()).map(str::to_owned);
    Subject { place: path.to_owned(), scope: root }
}

/// Looks at files away from the threads that serve everyone. Looking sends nothing.
async fn look<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, ToolError> {
    off_thread(work).await.and_then(|done| done).map_err(ToolError::not_sent)
}

/// Changes files away from the threads that serve everyone. Where it stops in the middle, nobody knows how far it came.
async fn change<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    match off_thread(work).await {
        Ok(done) => done,
        Err(failure) => Err(ToolError { failure, sent: Sent::Maybe }),
    }
}
