//! What an error of the server means to the caller of the store.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error};
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
    match error {
        Error::DatabaseError(kind, info) => of_server(kind, info, shown),
        Error::RollbackErrorOnCommit { commit_error, .. } => {
            classify(StoreError::Database(*commit_error), shown)
        }
        Error::BrokenTransactionManager => {
            unavailable(format!("the connection to `{shown}` was lost"), error)
        }
        other => StoreError::Database(other),
    }
}

fn of_server(
    kind: DatabaseErrorKind,
    info: Box<dyn DatabaseErrorInformation + Send + Sync>,
    shown: &str,
) -> StoreError {
    use DatabaseErrorKind as Kind;

    let message = info.message().to_owned();
    let error = Error::DatabaseError(kind, info);
    match error {
        Error::DatabaseError(Kind::UnableToSendCommand | Kind::ClosedConnection, _) => {
            unavailable(format!("the connection to `{shown}` was lost"), error)
        }
        Error::DatabaseError(Kind::ReadOnlyTransaction, _) => StoreError::ReadOnly {
            what: format!("`{shown}` only reads; let the URL name the primary server"),
        },
        Error::DatabaseError(Kind::SerializationFailure, _) => {
            unavailable(CONTENDED.to_owned(), error)
        }
        other => match advice(&message) {
            Some(Advice::Full) => StoreError::DiskFull,
            Some(Advice::Later(what)) => unavailable(format!("`{shown}`: {what}"), other),
            None => StoreError::Database(other),
        },
    }
}

enum Advice {
    Full,
    Later(&'static str),
}

const CONTENDED: &str = "others changed the same rows again and again";

/// The driver keeps the server's words and drops its codes, so these are told apart by their words.
fn advice(message: &str) -> Option<Advice> {
    const KNOWN: &[(&str, Advice)] = &[
        ("No space left on device", Advice::Full),
        ("deadlock detected", Advice::Later(CONTENDED)),
        (
            "due to statement timeout",
            Advice::Later("a statement took too long; `pg_stat_activity` shows what runs"),
        ),
        (
            "due to lock timeout",
            Advice::Later("a row stayed locked too long; `pg_stat_activity` shows by whom"),
        ),
        (
            "terminating connection",
            Advice::Later("the server ended the connection; look at its log"),
        ),
        ("the database system is", Advice::Later("the server is starting or stopping")),
        ("too many clients", Advice::Later("it has no free connection; raise `max_connections`")),
        (
            "remaining connection slots",
            Advice::Later("it has no free connection; raise `max_connections`"),
        ),
    ];
    KNOWN.iter().find(|(words, _)| message.contains(words)).map(|(_, advice)| match advice {
        Advice::Full => Advice::Full,
        Advice::Later(what) => Advice::Later(what),
    })
}

fn unavailable(what: String, source: Error) -> StoreError {
    StoreError::Unavailable { what, source: Some(Box::new(source)) }
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
