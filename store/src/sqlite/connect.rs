//! Where a database is, and connections to it.

use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};

use super::failure;
use crate::error::{Result, StoreError};

/// Full durability, readers beside the writer, and patience with other processes.
const FOR_WRITING: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                           PRAGMA foreign_keys = ON;";
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
        let path =
            url.strip_prefix("sqlite:").map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
        match path {
            ":memory:" => Ok(Self::Memory),
            "" => Err(StoreError::BadUrl {
                url: url.to_owned(),
                reason: "write the path of the file, for example `sqlite:windlass.db`".to_owned(),
            }),
            path => Ok(Self::File(PathBuf::from(path))),
        }
    }
}

/// Makes the file and its folder where they are missing.
pub(super) fn create(place: &Place) -> Result<()> {
    let Place::File(path) = place else { return Ok(()) };
    let failed = |error| failure::of_file(path, &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path) {
        Ok(_file) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// A connection for the writer.
pub(super) fn for_writing(place: &Place) -> Result<SqliteConnection> {
    match place {
        Place::Memory => connect(Path::new(":memory:"), FOR_WRITING),
        Place::File(path) => {
            // SQLite would make the file and report an empty database, where the path was mistyped.
            if !path.exists() {
                return Err(StoreError::not_found("database", &path.display()));
            }
            connect(path, FOR_WRITING)
        }
    }
}

/// A connection for a reader; it cannot write.
pub(super) fn for_reading(path: &Path) -> Result<SqliteConnection> {
    connect(path, FOR_READING)
}

fn connect(path: &Path, pragmas: &str) -> Result<SqliteConnection> {
    let text = path.to_str().ok_or_else(|| StoreError::BadUrl {
        url: path.display().to_string(),
        reason: "the path is no UTF-8".to_owned(),
    })?;
    let mut conn =
        SqliteConnection::establish(text).map_err(|error| failure::of_connection(path, error))?;
    conn.batch_execute(pragmas).map_err(|error| failure::classify(StoreError::from(error)))?;
    Ok(conn)
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
        assert_eq!(
            Place::parse("sqlite:///a/b.db").unwrap(),
            Place::File(PathBuf::from("/a/b.db"))
        );
        assert_eq!(Place::parse("sqlite::memory:").unwrap(), Place::Memory);
        assert!(matches!(Place::parse("sqlite:"), Err(StoreError::BadUrl { .. })));
    }
}
