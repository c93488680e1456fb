//! Where a database is, and connections to it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::failure;
use crate::error::{Result, StoreError};

/// Full durability, readers beside the writer, and patience with other processes.
///
/// What a statement may have to undo is kept in memory and not in a file, a page that many transactions change is copied to the
/// database once for many of them, and 16 MiB of pages stay at hand. None of it is about what survives a crash.
const FOR_WRITING: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                           PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000; \
                           PRAGMA cache_size = -16384;";
/// As long as the statements above wait for other processes.
const PATIENCE: Duration = Duration::from_secs(10);
const FOR_READING: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON;";

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file.
    File(PathBuf),
    /// In memory, until the store is dropped.
    Memory,
}

impl Place {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, `sqlite::memory:` or a bare path.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let bad =
            |reason: &str| StoreError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
        let path =
            url.strip_prefix("sqlite:").map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
        if path == ":memory:" {
            return Ok(Self::Memory);
        }
        if path.is_empty() {
            return Err(bad("write the path of the file, for example `sqlite:windlass.db`"));
        }
        if path.starts_with("file:") || path.contains("://") {
            return Err(bad("write `sqlite:` and a path, or a `postgres://` URL"));
        }
        Ok(Self::File(PathBuf::from(path)))
    }

    /// The file, where there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory => None,
        }
    }

    /// Whether nothing more can be written there. SQLite calls some forms of that an input or output error.
    pub(super) fn is_full(&self) -> bool {
        let room = self.path().map(rustix::fs::statvfs);
        matches!(room, Some(Ok(room)) if room.f_bavail == 0)
    }

    /// Refuses a file that is missing: SQLite would make an empty database where a path was mistyped.
    fn require(&self) -> Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        if path.is_dir() {
            let reason = "it is a folder: write the path of the file".to_owned();
            return Err(StoreError::BadUrl { url: self.to_string(), reason });
        }
        if path.exists() { Ok(()) } else { Err(StoreError::not_found("database", self)) }
    }

    #[expect(clippy::disallowed_methods, reason = "the pragmas say how long it waits for locks")]
    fn connect(&self, pragmas: &str) -> Result<SqliteConnection> {
        let path = self.path().unwrap_or_else(|| Path::new(":memory:"));
        let text = path.to_str().ok_or_else(|| StoreError::BadUrl {
            url: self.to_string(),
            reason: "the path is not UTF-8".to_owned(),
        })?;
        let refused = |error| failure::of_connection(error, self);
        let mut conn = SqliteConnection::establish(text).map_err(refused)?;
        let refused = |error| failure::classify(StoreError::from(error), self);
        conn.batch_execute(pragmas).map_err(refused)?;
        Ok(conn)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str(":memory:"),
        }
    }
}

/// Makes the file and its folder where they are missing.
pub(super) fn create(place: &Place) -> Result<()> {
    // A file that is there is not even opened: to close it again would end SQLite's locks on it in this process.
    let Some(path) = place.path().filter(|path| !path.exists()) else { return Ok(()) };
    let failed = |error| failure::of_file(path, &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_file) => Ok(()),
        // Another process was quicker.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// A connection for the writer.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite gives no signal when another process is done, and its patience is counted in real time"
)]
pub(super) fn for_writing(place: &Place) -> Result<SqliteConnection> {
    place.require()?;
    let until = Instant::now() + PATIENCE;
    loop {
        match place.connect(FOR_WRITING) {
            // Two who turn a new file to WAL at once: SQLite tells one of them at once, and not after the time it was given.
            Err(StoreError::Unavailable { .. }) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(10));
            }
            connected => return connected,
        }
    }
}

/// A connection for a reader; it cannot write.
pub(super) fn for_reading(place: &Place) -> Result<SqliteConnection> {
    place.require()?;
    place.connect(FOR_READING)
}

/// Runs what blocks beside the async work.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_bare_paths_name_files() {
        for url in ["sqlite:a/b.db", "sqlite://a/b.db", "a/b.db"] {
            assert_eq!(Place::parse(url).unwrap(), Place::File(PathBuf::from("a/b.db")));
        }
        let absolute = Place::File(PathBuf::from("/a/b.db"));
        assert_eq!(Place::parse("sqlite:///a/b.db").unwrap(), absolute);
        assert_eq!(Place::parse("sqlite::memory:").unwrap(), Place::Memory);
    }

    #[test]
    fn other_databases_and_nothing_name_no_file() {
        for url in ["sqlite:", "", "mysql://a/b", "sqlite:file:a.db?mode=memory"] {
            assert!(matches!(Place::parse(url), Err(StoreError::BadUrl { .. })), "{url}");
        }
    }
}
