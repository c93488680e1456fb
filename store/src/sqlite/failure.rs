//! Classifies SQLite's errors by what the user has to do.
//!
//! Diesel keeps SQLite's message and drops its error code, so the messages are compared: they are the fixed texts of SQLite's
//! `sqlite3_errstr`, in English on every system.

use std::io;
use std::path::Path;

use diesel::ConnectionError;
use diesel::result::Error;

use super::path::DatabasePath;
use crate::error::{DatabaseError, StoreError};

/// Classifies an error of the database.
pub(super) fn classify(error: StoreError, database: &DatabasePath) -> StoreError {
    let StoreError::Database(DatabaseError(source)) = error else { return error };
    classify_message(&message(&source), database).unwrap_or_else(|| StoreError::from_diesel(source))
}

/// Classifies an error of opening a connection.
pub(super) fn for_connection(error: ConnectionError, database: &DatabasePath) -> StoreError {
    classify_message(&error.to_string(), database).unwrap_or_else(|| StoreError::Unavailable {
        what: format!("could not open `{database}`"),
        source: Some(Box::new(error)),
    })
}

/// Classifies an error of creating the file or its folder.
pub(super) fn for_file(file: &Path, error: &io::Error) -> StoreError {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return StoreError::DiskFull;
    }
    if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        return StoreError::ReadOnly { what: format!("let this user write `{}`", file.display()) };
    }
    StoreError::BadUrl { url: file.display().to_string(), reason: error.to_string() }
}

/// The same error for another transaction of the group. Only errors of the database as a whole are cloned.
pub(super) fn clone_error(error: &StoreError) -> StoreError {
    if let StoreError::ReadOnly { what } = error {
        return StoreError::ReadOnly { what: what.clone() };
    }
    if let StoreError::Corrupt { what } = error {
        return StoreError::Corrupt { what: what.clone() };
    }
    if let StoreError::Unavailable { what, .. } = error {
        return StoreError::Unavailable { what: what.clone(), source: None };
    }
    if let StoreError::Replaced { path, what_happened } = error {
        return StoreError::Replaced { path: path.clone(), what_happened };
    }
    if matches!(error, StoreError::DiskFull) {
        return StoreError::DiskFull;
    }
    StoreError::Unavailable { what: format!("the transaction was undone: {error}"), source: None }
}

fn message(error: &Error) -> String {
    if let Error::DatabaseError(_, information) = error {
        return information.message().to_owned();
    }
    error.to_string()
}

fn classify_message(message: &str, database: &DatabasePath) -> Option<StoreError> {
    let says = |text: &str| message.contains(text);
    let unavailable = |what: String| StoreError::Unavailable { what, source: None };
    Some(if says("database or disk is full") || (says("disk I/O error") && database.is_full()) {
        StoreError::DiskFull
    } else if says("database is locked") || says("database table is locked") {
        unavailable(format!(
            "another process keeps `{database}` locked: see which one has it open, and whether it hangs"
        ))
    } else if says("disk I/O error") {
        unavailable(format!("`{database}` cannot be read or written: look at its disk"))
    } else if says("readonly database") || says("unable to open database file") {
        StoreError::ReadOnly { what: format!("let this user write `{database}` and its folder") }
    } else if says("file is not a database") || says("malformed") {
        StoreError::Corrupt {
            what: format!("`{database}`: {message}; restore it from a copy, or name another file"),
        }
    } else {
        return None;
    })
}
