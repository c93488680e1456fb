//! `Files`: reads and changes files in the folders that the configuration names.
//!
//! `roots.rs` resolves the paths of scripts and keeps them inside these folders and away from the files of `protected.rs`. `disk.rs` locks files and makes changes
//! durable. Each method has a file of its own.

mod append;
mod common;
mod delete;
mod disk;
mod failure;
mod lines;
mod list;
mod protected;
mod read;
mod roots;
mod search;
mod write;

use std::sync::Arc;

use windlass_scheduler::Tool;

use super::method::TypedTool;

pub(super) use common::subject;
pub(super) use read::read_limited;
pub(super) use roots::Roots;
pub use roots::ensure_roots;

/// The tools of this namespace.
pub(super) fn tools(roots: &Arc<Roots>, max_read_bytes: u64) -> Vec<Arc<dyn Tool>> {
    let roots = || Arc::clone(roots);
    vec![
        Arc::new(TypedTool::new(list::List { roots: roots() })),
        Arc::new(TypedTool::new(read::Read { roots: roots(), max_read_bytes })),
        Arc::new(TypedTool::new(search::Search {
            roots: roots(),
            max_result_bytes: max_read_bytes,
        })),
        Arc::new(TypedTool::new(append::Append { roots: roots() })),
        Arc::new(TypedTool::new(write::Write { roots: roots() })),
        Arc::new(TypedTool::new(delete::Delete { roots: roots() })),
    ]
}
