//! Classifies the server's errors by what the caller has to do.

use std::error::Error as _;

use diesel::result::{DatabaseErrorKind, Error};
use tokio_postgres::error::{DbError, SqlState};

use super::ANSWER_TIME;
use super::address::{Address, Server};
use super::tls;
use crate::error::{DatabaseError, StoreError};

/// Whether the server aborted the transaction only because of concurrent transactions.
pub(super) fn is_collision(error: &StoreError) -> bool {
    let StoreError::Database(DatabaseError(Error::DatabaseError(kind, info))) = error else {
        return false;
    };
    matches!(kind, DatabaseErrorKind::SerializationFailure)
        || info.message().contains("deadlock detected")
}

/// Tells errors of the operation from those of the server and the connection.
pub(super) fn classify(error: StoreError, shown: &str) -> StoreError {
    let StoreError::Database(DatabaseError(error)) = error else { return error };
    match meaning(&error) {
        Some(Meaning::Later(what)) => StoreError::Unavailable {
            what: format!("`{shown}`: {what}"),
            source: Some(Box::new(error)),
        },
        Some(Meaning::DiskFull) => StoreError::DiskFull,
        Some(Meaning::ReadOnly) => StoreError::ReadOnly {
            what: format!(
                "`{shown}` only reads; let the URL name the primary server, or several and `target_session_attrs=read-write`"
            ),
        },
        Some(Meaning::Pooled) => {
            StoreError::BadUrl { url: shown.to_owned(), reason: POOLER.to_owned() }
        }
        None => StoreError::from_diesel(error),
    }
}

/// The error of a lost connection.
pub(super) fn lost(shown: &str) -> StoreError {
    StoreError::Unavailable { what: format!("`{shown}`: {CONNECTION_LOST}"), source: None }
}

/// The error of a connection on which no answer came.
pub(super) fn silent(shown: &str) -> StoreError {
    let what = format!(
        "`{shown}`: no answer came within {} s, so the connection was given up; the network in between may have lost it",
        ANSWER_TIME.as_secs()
    );
    StoreError::Unavailable { what, source: None }
}

#[derive(Clone, Copy)]
enum Meaning {
    /// It may work later; the text says what to check.
    Later(&'static str),
    DiskFull,
    ReadOnly,
    /// The connection does not have its own session.
    Pooled,
}

/// Why a pooler in transaction mode is refused.
pub(super) const POOLER: &str = "its connections have no session of their own, as behind a pooler in transaction mode, and then \
     nobody hears what others announce: name the server itself, or a port at which the pooler keeps sessions \
     (`pool_mode = session`)";
const CONNECTION_LOST: &str = "the connection was lost; the server's log may say why";

const LOST: Meaning = Meaning::Later(CONNECTION_LOST);
const CONTENDED: Meaning = Meaning::Later("others changed the same rows again and again");
const CROWDED: Meaning = Meaning::Later("it has no free connection; raise its `max_connections`");
const SLOW: Meaning =
    Meaning::Later("a statement took too long; `pg_stat_activity` shows what runs");
const LOCKED: Meaning =
    Meaning::Later("a row or table stayed locked; `pg_stat_activity` shows who waits");
const STARTING: Meaning = Meaning::Later("it is starting or stopping");

/// The driver keeps the server's messages and drops most of its codes, so some errors are told apart by their message.
const MESSAGES: &[(&str, Meaning)] = &[
    ("No space left on device", Meaning::DiskFull),
    ("deadlock detected", CONTENDED),
    ("due to statement timeout", SLOW),
    ("due to lock timeout", LOCKED),
    ("terminating connection", LOST),
    ("the database system is", STARTING),
    ("too many clients", CROWDED),
    ("remaining connection slots", CROWDED),
    // About a statement that this connection has prepared already, or has not prepared.
    ("prepared statement \"s", Meaning::Pooled),
    ("statement pooling mode", Meaning::Pooled),
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
    let known = MESSAGES.iter().find(|(text, _)| info.message().contains(text));
    known.map(|(_, meaning)| *meaning)
}

/// Why a server was not used.
pub(super) enum Refusal {
    /// It cannot be reached, or cannot serve now: another server may.
    TryNextServer(String),
    /// It refused the connection for good.
    Final(StoreError),
}

/// Whether the same attempt may succeed with encryption, or without it.
pub(super) fn may_depend_on_encryption(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some() || is_of_encryption(error)
}

/// Whether the server cannot encrypt.
pub(super) fn lacks_encryption(error: &tokio_postgres::Error) -> bool {
    is_of_encryption(error) && source(error) == "server does not support TLS"
}

/// The driver's kinds of errors differ only in their messages.
fn is_of_encryption(error: &tokio_postgres::Error) -> bool {
    error.to_string() == "error performing TLS handshake"
}

fn source(error: &tokio_postgres::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// Classifies an error of connecting.
pub(super) fn of_connecting(
    error: tokio_postgres::Error,
    address: &Address,
    server: &Server,
) -> Refusal {
    let bad = |reason: String| {
        let reason = format!("`{}`: {reason}", server.place);
        Refusal::Final(StoreError::BadUrl { url: address.shown().to_owned(), reason })
    };
    let certificate = error.source().and_then(|cause| {
        let cause = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
        cause.downcast_ref::<rustls::Error>()
    });
    if let Some(said) = error.as_db_error() {
        return match advice(said) {
            Advice::Change(reason) => bad(reason),
            Advice::TryNextServer => Refusal::TryNextServer(said.message().to_owned()),
            Advice::Wait => Refusal::Final(StoreError::Unavailable {
                what: format!(
                    "`{}`: `{}` refused the connection ({})",
                    address.shown(),
                    server.place,
                    said.message()
                ),
                source: Some(Box::new(error)),
            }),
        };
    }
    if lacks_encryption(&error) {
        return bad(NO_ENCRYPTION.to_owned());
    }
    if let Some(error) = certificate {
        return bad(tls::explain(error, &address.roots));
    }
    match (error.to_string().as_str(), source(&error)) {
        ("invalid configuration", said) if said == "password missing" => {
            bad(NO_PASSWORD.to_owned())
        }
        ("authentication error" | "invalid configuration", said) => bad(said),
        (_, said) => Refusal::TryNextServer(said),
    }
}

const NO_ENCRYPTION: &str = "the server does not encrypt: switch `ssl` on there, or, in a network that you trust, use \
                             `sslmode=disable`";
const NO_PASSWORD: &str =
    "the server asks for a password: give it in the URL, in `PGPASSWORD` or in `~/.pgpass`";

/// What to do after a server refused the login.
enum Advice {
    /// Change the URL or the server's configuration.
    Change(String),
    TryNextServer,
    Wait,
}

fn advice(said: &DbError) -> Advice {
    let message = said.message();
    let code = said.code();
    if *code == SqlState::CANNOT_CONNECT_NOW {
        return Advice::TryNextServer;
    }
    if message.contains("unsupported startup parameter") {
        return Advice::Change(format!(
            "it is a pooler, and takes no `options` ({message}): name the server itself, or let the pooler ignore them"
        ));
    }
    if *code == SqlState::INVALID_CATALOG_NAME {
        return Advice::Change(format!("{message}; make it with `createdb`, or name another"));
    }
    let is_login = [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION];
    match is_login.contains(code) {
        true if message.contains("no encryption") => Advice::Change(format!(
            "the server does not let this user in without encryption ({message}): use `sslmode=verify-full`"
        )),
        true => Advice::Change(format!("the server does not let this user in ({message})")),
        false => Advice::Wait,
    }
}
