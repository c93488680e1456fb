//! Notices other processes' commits without polling.
//!
//! A process that commits possible work touches the database's file afterwards, and the operating system notifies every process
//! that watches it. Watching the WAL would notify too early, before the commit is visible, and far too often.

use std::path::Path;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};

use crate::error::{Result, StoreError};

/// Watches the database's file until it is dropped.
#[derive(Debug)]
pub(super) struct FileWatcher(
    #[expect(dead_code, reason = "dropping it ends the watch")] RecommendedWatcher,
);

impl FileWatcher {
    /// Calls `on_touch` whenever the database's file is touched or removed: another process may have committed.
    pub(super) fn start(path: &Path, on_touch: impl Fn() + Send + 'static) -> Result<Self> {
        let on_event = move |event: notify::Result<Event>| match event {
            Ok(event) if event.kind.is_modify() || event.kind.is_remove() => on_touch(),
            Ok(_not_modified) => {}
            Err(error) => {
                tracing::warn!(%error, "watching the database's file failed");
                on_touch();
            }
        };
        let watching = notify::recommended_watcher(on_event).and_then(|mut watcher| {
            watcher.watch(path, RecursiveMode::NonRecursive)?;
            Ok(Self(watcher))
        });
        watching.map_err(|source| unavailable(path, source))
    }
}

/// Tells the other processes that something was committed.
pub(super) fn touch(path: &Path) {
    let at = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: at(UTIME_OMIT), last_modification: at(UTIME_NOW) };
    // By path, without opening the file: closing it would release SQLite's locks on it in this process.
    if let Err(error) = utimensat(CWD, path, &times, AtFlags::empty()) {
        tracing::warn!(%error, path = %path.display(), "could not tell other processes of a commit");
    }
}

fn unavailable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable {
        what: format!("could not watch `{}`", path.display()),
        source: Some(Box::new(source)),
    }
}
