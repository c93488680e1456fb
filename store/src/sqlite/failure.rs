//! What SQLite says, sorted by who must act.
//!
//! Diesel passes on SQLite's message and drops its code, so the messages are compared: they are the fixed texts of SQLite's own
//! `sqlite3_errstr`, in English on every system.

use std::io;
use std::path::Path;

use diesel::ConnectionError;
use diesel::result::Error;

use super::connect::Place;
use crate::error::StoreError;

/// Sorts what the database at `place` said.
pub(super) fn classify(error: StoreError, place: &Place) -> StoreError {
    let StoreError::Database(source) = error else { return error };
    sorted(&message(&source), place).unwrap_or(StoreError::Database(source))
}

/// What kept a connection from being made.
pub(super) fn of_connection(error: ConnectionError, place: &Place) -> StoreError {
    sorted(&error.to_string(), place).unwrap_or_else(|| StoreError::Unavailable {
        what: format!("could not open `{place}`"),
        source: Some(Box::new(error)),
    })
}

/// What kept the file or its folder from being made.
pub(super) fn of_file(path: &Path, error: &io::Error) -> StoreError {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return StoreError::DiskFull;
    }
    if matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        return StoreError::ReadOnly { what: format!("let this user write `{}`", path.display()) };
    }
    StoreError::BadUrl { url: path.display().to_string(), reason: error.to_string() }
}

/// The same failure for another who shared it. Only what concerns the database as a whole can be shared.
pub(super) fn repeat(error: &StoreError) -> StoreError {
    if let StoreError::ReadOnly { what } = error {
        return StoreError::ReadOnly { what: what.clone() };
    }
    if let StoreError::Corrupt { what } = error {
        return StoreError::Corrupt { what: what.clone() };
    }
    if let StoreError::Unavailable { what, .. } = error {
        return StoreError::Unavailable { what: what.clone(), source: None };
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

fn sorted(message: &str, place: &Place) -> Option<StoreError> {
    let says = |text: &str| message.contains(text);
    let unavailable = |what: String| StoreError::Unavailable { what, source: None };
    Some(if says("database or disk is full") || (says("disk I/O error") && place.is_full()) {
        StoreError::DiskFull
    } else if says("database is locked") || says("database table is locked") {
        unavailable(format!(
            "another process keeps `{place}` locked: see which one has it open, and whether it hangs"
        ))
    } else if says("disk I/O error") {
        unavailable(format!("`{place}` cannot be read or written: look at its disk"))
    } else if says("readonly database") || says("unable to open database file") {
        StoreError::ReadOnly { what: format!("let this user write `{place}` and its folder") }
    } else if says("file is not a database") || says("malformed") {
        StoreError::Corrupt {
            what: format!("`{place}`: {message}; restore it from a copy, or name another file"),
        }
    } else {
        return None;
    })
}
