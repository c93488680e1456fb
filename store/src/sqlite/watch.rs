//! Hears of other processes' commits without asking again and again.
//!
//! Whoever commits something that may bring work touches the database's file afterwards, and the operating system tells all who
//! watch it. Writes of the log would tell too early, for they come before the commit can be seen, and far too often.

use std::path::Path;

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};

use super::writer::WriterHandle;
use crate::error::{Result, StoreError};

/// Watches the database's file as long as it lives.
#[derive(Debug)]
pub(super) struct Watch(#[expect(dead_code, reason = "locked for its end")] RecommendedWatcher);

impl Watch {
    /// Lets the writer look for other processes' commits whenever the database's file is touched.
    pub(super) fn start(path: &Path, writer: WriterHandle) -> Result<Self> {
        let heard = move |event: notify::Result<Event>| match event {
            Ok(event) if event.kind.is_modify() => writer.look_for_others(),
            Ok(_only_looked_at) => {}
            Err(error) => {
                tracing::warn!(%error, "watching the database's file failed");
                writer.look_for_others();
            }
        };
        let watching = notify::recommended_watcher(heard).and_then(|mut watcher| {
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
    // By its name, without opening it: to close it again would end SQLite's locks on it in this process.
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
