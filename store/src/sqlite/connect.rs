//! The path of a database, and connections to it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::failure;
use crate::error::{Result, StoreError};

/// Full durability, readers beside the writer, and a busy timeout for other processes.
///
/// Temporary data stays in memory, checkpoints are rare, and the page cache has 16 MiB. These three are about speed alone, not about
/// what survives a crash.
const FOR_WRITING: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                           PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 4000; \
                           PRAGMA cache_size = -16384;";
/// The same time as `busy_timeout` above.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const FOR_READING: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON;";

/// The path of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DatabasePath {
    /// In a file.
    File(PathBuf),
    /// In memory; it is gone when the store is dropped.
    Memory,
}

impl DatabasePath {
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

    /// The file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory => None,
        }
    }

    /// Whether the disk is full. SQLite reports some cases of that as an I/O error.
    pub(super) fn is_full(&self) -> bool {
        let room = self.path().map(rustix::fs::statvfs);
        matches!(room, Some(Ok(room)) if room.f_bavail == 0)
    }

    /// Refuses a missing file: SQLite would create an empty database for a mistyped path.
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
        let refused = |error| failure::for_connection(error, self);
        let mut conn = SqliteConnection::establish(text).map_err(refused)?;
        let refused = |error| failure::classify(StoreError::from(error), self);
        conn.batch_execute(pragmas).map_err(refused)?;
        Ok(conn)
    }
}

impl fmt::Display for DatabasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str(":memory:"),
        }
    }
}

/// Creates the file and its folder if they are missing.
pub(super) fn create(database: &DatabasePath) -> Result<()> {
    // An existing file is not even opened: closing it would release SQLite's locks on it in this process.
    let Some(path) = database.path().filter(|path| !path.exists()) else { return Ok(()) };
    let failed = |error| failure::for_file(path, &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_file) => Ok(()),
        // Another process was faster.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// A connection for the writer.
#[expect(
    clippy::disallowed_methods,
    reason = "SQLite gives no signal when another process is done, and its busy timeout is real time"
)]
pub(super) fn for_writing(database: &DatabasePath) -> Result<SqliteConnection> {
    database.require()?;
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match database.connect(FOR_WRITING) {
            // If two processes switch a new file to WAL at once, SQLite fails one of them immediately, without the busy timeout.
            Err(StoreError::Unavailable { .. }) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            connected => return connected,
        }
    }
}

/// A connection that cannot write.
pub(super) fn for_reading(database: &DatabasePath) -> Result<SqliteConnection> {
    database.require()?;
    database.connect(FOR_READING)
}

/// Runs blocking work on a thread of its own.
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
            assert_eq!(
                DatabasePath::parse(url).unwrap(),
                DatabasePath::File(PathBuf::from("a/b.db"))
            );
        }
        let absolute = DatabasePath::File(PathBuf::from("/a/b.db"));
        assert_eq!(DatabasePath::parse("sqlite:///a/b.db").unwrap(), absolute);
        assert_eq!(DatabasePath::parse("sqlite::memory:").unwrap(), DatabasePath::Memory);
    }

    #[test]
    fn other_databases_and_nothing_name_no_file() {
        for url in ["sqlite:", "", "mysql://a/b", "sqlite:file:a.db?mode=memory"] {
            assert!(matches!(DatabasePath::parse(url), Err(StoreError::BadUrl { .. })), "{url}");
        }
    }
}
