//! Hearing of other processes' commits without asking again and again: the operating system tells when the file changes.

use std::path::Path;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::writer::WriterHandle;
use crate::error::{Result, StoreError};

/// Watches the database's folder as long as it lives.
#[derive(Debug)]
pub(super) struct Watch(#[expect(dead_code, reason = "held for its end")] RecommendedWatcher);

impl Watch {
    /// Lets the writer look for other processes' commits whenever the database's files change.
    pub(super) fn start(path: &Path, writer: WriterHandle) -> Result<Self> {
        let path = path.canonicalize().map_err(|source| unavailable(path, source))?;
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let heard = move |event: notify::Result<Event>| match event {
            Ok(event) if concerns(&event, &name) => writer.look_for_others(),
            Ok(_other_file) => {}
            Err(error) => tracing::warn!(%error, "watching the database's folder failed"),
        };
        let watching = notify::recommended_watcher(heard).and_then(|mut watcher| {
            watcher.watch(path.parent().unwrap_or(Path::new("/")), RecursiveMode::NonRecursive)?;
            Ok(Self(watcher))
        });
        watching.map_err(|source| unavailable(&path, source))
    }
}

/// Whether the database or its log was written.
fn concerns(event: &Event, name: &str) -> bool {
    let is_ours = |path: &std::path::PathBuf| {
        path.file_name()
            .and_then(|file| file.to_str()?.strip_prefix(name))
            .is_some_and(|rest| matches!(rest, "" | "-wal"))
    };
    matches!(event.kind, EventKind::Modify(_) | EventKind::Create(_))
        && event.paths.iter().any(is_ours)
}

fn unavailable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable {
        what: format!("could not watch the folder of `{}`", path.display()),
        source: Some(Box::new(source)),
    }
}
