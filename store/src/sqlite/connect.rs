//! Connections to a database.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::failure;
use super::path::DatabasePath;
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

/// Creates the file and its folder if they are missing, for their owner alone. SQLite gives its other files the same permissions.
pub(super) fn create(database: &DatabasePath) -> Result<()> {
    // An existing file is not even opened: closing it would release SQLite's locks on it in this process.
    let Some(path) = database.path().filter(|path| !path.exists()) else { return Ok(()) };
    let failed = |error| failure::for_file(path, &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
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
    require(database)?;
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match connect(database, FOR_WRITING) {
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
    require(database)?;
    connect(database, FOR_READING)
}

/// Refuses a missing file: SQLite would create an empty database for a mistyped path.
fn require(database: &DatabasePath) -> Result<()> {
    let Some(path) = database.path() else { return Ok(()) };
    if path.is_dir() {
        let reason = "it is a folder: write the path of the file".to_owned();
        return Err(StoreError::BadUrl { url: database.to_string(), reason });
    }
    if path.exists() { Ok(()) } else { Err(StoreError::not_found("database", database)) }
}

#[expect(clippy::disallowed_methods, reason = "the pragmas say how long it waits for locks")]
fn connect(database: &DatabasePath, pragmas: &str) -> Result<SqliteConnection> {
    let path = database.path().unwrap_or_else(|| Path::new(":memory:"));
    let text = path.to_str().ok_or_else(|| StoreError::BadUrl {
        url: database.to_string(),
        reason: "the path is not UTF-8".to_owned(),
    })?;
    let refused = |error| failure::for_connection(error, database);
    let mut conn = SqliteConnection::establish(text).map_err(refused)?;
    let refused = |error| failure::classify(StoreError::from_diesel(error), database);
    conn.batch_execute(pragmas).map_err(refused)?;
    Ok(conn)
}

/// Runs blocking work on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
