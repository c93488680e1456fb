//! What can go wrong with the store, split by who must act.

use windlass_core::graph::{AnswerInvalid, SteerRefused};
use windlass_core::{
    Action, ActionRefused, ApprovalRefused, IllegalTransition, MutationId, RunId, ScopeRefused,
};

/// The version of this program.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The result of an operation of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What went wrong. Nothing was written: each operation is one transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for, for example `workflow`.
        what: &'static str,
        /// Under which id or name.
        id: String,
    },
    /// A short id is the beginning, or the end, of several ids.
    #[error("`{written}` fits several ids: {}; write one of them, or its last digits", list_ids(.candidates))]
    Ambiguous {
        /// What was given.
        written: String,
        /// Some of the ids that it fits.
        candidates: Vec<String>,
    },
    /// A person's action does not fit.
    #[error(transparent)]
    ActionRefused(#[from] ActionRefused),
    /// Something else has to happen first.
    #[error("{what}: {hint}")]
    NotNow {
        /// What cannot be done, and why.
        what: String,
        /// What to do first.
        hint: String,
    },
    /// The workflow does not run before a person changes its status.
    #[error("`{workflow}` cannot run now, because {reason}: {action} it first")]
    NotRunning {
        /// Its name.
        workflow: String,
        /// Why it does not run.
        reason: &'static str,
        /// What lets it run.
        action: Action,
    },
    /// The workflow is stopped until a person acts.
    #[error("`{workflow}` is stopped and waits for a person: repair what its status names")]
    WaitsForPerson {
        /// Its name.
        workflow: String,
    },
    /// A doubtful effect has to be settled first.
    #[error("the outcome of `{mutation}` is unknown: say first whether it happened")]
    InDoubt {
        /// The mutation.
        mutation: MutationId,
    },
    /// Another worker has the run, or it ended: this worker may not write to it any more.
    #[error("run `{run}` is no longer held by this worker")]
    ClaimLost {
        /// The run.
        run: RunId,
    },
    /// `prepare` asked for events that it cannot reserve. Nothing was reserved.
    #[error("cannot reserve `{message_id}` of topic `{topic}`: {reason}")]
    ReservationRefused {
        /// The topic.
        topic: String,
        /// The event's message id.
        message_id: String,
        /// Why not.
        reason: String,
    },
    /// Somebody wants something of a run of a graph that it does not allow.
    #[error(transparent)]
    Steer(#[from] SteerRefused),
    /// An answer does not count.
    #[error(transparent)]
    Answer(#[from] ApprovalRefused),
    /// An answer breaks the schema of the node that asks.
    #[error(transparent)]
    AnswerInvalid(#[from] AnswerInvalid),
    /// An agent cannot have a scope that is for people.
    #[error(transparent)]
    Scopes(#[from] ScopeRefused),
    /// The state machine does not have that transition.
    #[error(transparent)]
    Illegal(#[from] IllegalTransition),
    /// The schema of the database is older than this program.
    #[error(
        "the database lacks {pending} migration(s) up to `{needed}`, which windlass {PROGRAM} needs: migrate it first"
    )]
    MigrationPending {
        /// How many are missing.
        pending: usize,
        /// The newest of them.
        needed: String,
    },
    /// The schema of the database is newer than this program.
    #[error(
        "the database has the migration `{version}`, and windlass {PROGRAM} knows none after `{known}`: use the newer windlass \
         that migrated it"
    )]
    NewerSchema {
        /// The unknown migration.
        version: String,
        /// The newest one that this program knows.
        known: String,
    },
    /// The URL names no database that can be used.
    #[error("cannot use the database `{url}`: {reason}")]
    BadUrl {
        /// The URL without its password.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The database cannot be reached or does not answer in time; it may later.
    #[error("the database does not answer: {what}")]
    Unavailable {
        /// What was attempted, and what to look at.
        what: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The disk is full; nothing was lost.
    #[error("the disk of the database is full: free some space, then it continues by itself")]
    DiskFull,
    /// The database cannot be written.
    #[error("the database cannot be written: {what}")]
    ReadOnly {
        /// What to look at.
        what: String,
    },
    /// The file is no database, or a damaged one.
    #[error("the database is damaged or no database at all: {what}")]
    Corrupt {
        /// What was found.
        what: String,
    },
    /// The path of the open database leads to another file now, or to none.
    #[error(
        "`{path}` is no longer the database that this process has open: {what_happened}; nothing more is read, written or sent"
    )]
    Replaced {
        /// The path.
        path: String,
        /// What was found there.
        what_happened: &'static str,
    },
    /// Everything was moved to another database.
    #[error("this instance was moved to `{to}`: use that database")]
    Moved {
        /// The other one's URL, without its password.
        to: String,
    },
    /// A stored value cannot be read.
    #[error("cannot read the stored {what}")]
    Unreadable {
        /// Which value.
        what: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store ended by a bug of its own. Nothing of the operation was written.
    #[error("the store ended unexpectedly: start windlass again")]
    Stopped,
    /// Anything else that the database says.
    #[error("the database refused an operation")]
    Database(#[source] DatabaseError),
}

/// What a database said, in its own words. It can be shown, and nothing depends on it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DatabaseError(pub(crate) diesel::result::Error);

fn list_ids(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
}

impl StoreError {
    /// Whether the same operation may succeed later without anyone changing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::DiskFull)
    }

    /// An error of Diesel. No `From`, which would make Diesel a part of the public interface.
    pub(crate) fn from_diesel(error: diesel::result::Error) -> Self {
        if let diesel::result::Error::DeserializationError(source) = error {
            return Self::Unreadable { what: "value", source };
        }
        Self::Database(DatabaseError(error))
    }

    /// There is no such thing.
    pub fn not_found(what: &'static str, id: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }
}
