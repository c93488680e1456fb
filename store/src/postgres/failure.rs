//! What an error of the server means to the caller of the store.

use diesel::result::{DatabaseErrorKind, Error};
use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// Whether the server undid the transaction only because of what others did at the same time.
pub(super) fn is_collision(error: &StoreError) -> bool {
    let StoreError::Database(Error::DatabaseError(kind, info)) = error else { return false };
    matches!(kind, DatabaseErrorKind::SerializationFailure)
        || info.message().contains("deadlock detected")
}

/// Tells the errors of the operation apart from those of the server and of the way to it.
pub(super) fn classify(error: StoreError, shown: &str) -> StoreError {
    let StoreError::Database(error) = error else { return error };
    match meaning(&error) {
        Some(Meaning::Later(what)) => StoreError::Unavailable {
            what: format!("`{shown}`: {what}"),
            source: Some(Box::new(error)),
        },
        Some(Meaning::DiskFull) => StoreError::DiskFull,
        Some(Meaning::ReadOnly) => StoreError::ReadOnly {
            what: format!("`{shown}` only reads; let the URL name the primary server"),
        },
        None => StoreError::Database(error),
    }
}

#[derive(Clone, Copy)]
enum Meaning {
    /// It may work later; the text says what to look at.
    Later(&'static str),
    DiskFull,
    ReadOnly,
}

const LOST: Meaning = Meaning::Later("the connection was lost; the server's log may say why");
const CONTENDED: Meaning = Meaning::Later("others changed the same rows again and again");
const CROWDED: Meaning = Meaning::Later("it has no free connection; raise its `max_connections`");
const SLOW: Meaning =
    Meaning::Later("a statement took too long; `pg_stat_activity` shows what runs");
const LOCKED: Meaning = Meaning::Later("a row stayed locked; `pg_stat_activity` shows who waits");
const STARTING: Meaning = Meaning::Later("it is starting or stopping");

/// The driver keeps the server's words and drops most of its codes, so some are told apart by their words.
const WORDS: &[(&str, Meaning)] = &[
    ("No space left on device", Meaning::DiskFull),
    ("deadlock detected", CONTENDED),
    ("due to statement timeout", SLOW),
    ("due to lock timeout", LOCKED),
    ("terminating connection", LOST),
    ("the database system is", STARTING),
    ("too many clients", CROWDED),
    ("remaining connection slots", CROWDED),
];

fn meaning(error: &Error) -> Option<Meaning> {
    if let Error::RollbackErrorOnCommit { commit_error, .. } = error {
        return meaning(commit_error);
    }
    if matches!(error, Error::BrokenTransactionManager) {
        return Some(LOST);
    }
    let Error::DatabaseError(kind, info) = error else { return None };
    if matches!(kind, DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection)
    {
        return Some(LOST);
    }
    if matches!(kind, DatabaseErrorKind::SerializationFailure) {
        return Some(CONTENDED);
    }
    if matches!(kind, DatabaseErrorKind::ReadOnlyTransaction) {
        return Some(Meaning::ReadOnly);
    }
    let known = WORDS.iter().find(|(words, _)| info.message().contains(words));
    known.map(|(_, meaning)| *meaning)
}

/// What a refused connection means.
pub(super) fn of_connecting(error: tokio_postgres::Error, shown: &str) -> StoreError {
    let bad = |reason: String| StoreError::BadUrl { url: shown.to_owned(), reason };
    let said = error.as_db_error().map_or_else(String::new, |said| said.message().to_owned());
    match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            bad(format!("the server does not let this user in ({said})"))
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => {
            bad(format!("{said}; make it with `createdb`, or name another"))
        }
        Some(_) => StoreError::Unavailable {
            what: format!("`{shown}` refused the connection ({said})"),
            source: Some(Box::new(error)),
        },
        None => StoreError::Unavailable {
            what: format!(
                "no connection to `{shown}`; check that the server runs and can be reached from here"
            ),
            source: Some(Box::new(error)),
        },
    }
}
