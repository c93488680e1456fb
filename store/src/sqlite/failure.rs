//! What SQLite says, sorted by who must act.
//!
//! Diesel passes on SQLite's message and not its code, so the messages are compared: they are the fixed texts of SQLite's own
//! `sqlite3_errstr`, in English on every system.

use std::io;
use std::path::Path;

use diesel::ConnectionError;
use diesel::result::Error;

use crate::error::StoreError;

/// Sorts what the database said.
pub(super) fn classify(error: StoreError) -> StoreError {
    let StoreError::Database(source) = error else { return error };
    sorted(&message(&source)).unwrap_or(StoreError::Database(source))
}

/// What kept a connection from being made.
pub(super) fn of_connection(path: &Path, error: ConnectionError) -> StoreError {
    let unavailable = |source: ConnectionError| StoreError::Unavailable {
        what: format!("could not open `{}`", path.display()),
        source: Some(Box::new(source)),
    };
    sorted(&error.to_string()).unwrap_or_else(|| unavailable(error))
}

/// What kept the file from being made.
pub(super) fn of_file(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::ReadOnly { what: format!("allow this user to write `{}`", path.display()) }
        }
        _ => StoreError::BadUrl { url: path.display().to_string(), reason: error.to_string() },
    }
}

fn message(error: &Error) -> String {
    match error {
        Error::DatabaseError(_, information) => information.message().to_owned(),
        other => other.to_string(),
    }
}

fn sorted(message: &str) -> Option<StoreError> {
    let says = |text: &str| message.contains(text);
    if says("database or disk is full") {
        return Some(StoreError::DiskFull);
    }
    if says("database is locked") || says("database table is locked") {
        let what = "another process keeps it locked: see which one has the file open".to_owned();
        return Some(StoreError::Unavailable { what, source: None });
    }
    if says("disk I/O error") {
        let what =
            "reading or writing its file failed: check the disk and its free space".to_owned();
        return Some(StoreError::Unavailable { what, source: None });
    }
    if says("readonly database") || says("unable to open database file") {
        let what = "allow this user to write the file and its folder".to_owned();
        return Some(StoreError::ReadOnly { what });
    }
    if says("file is not a database") || says("malformed") {
        return Some(StoreError::Corrupt {
            what: format!("{message}; restore it from a copy, or name another file"),
        });
    }
    None
}
