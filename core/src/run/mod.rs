//! The state machine of a handler run, as data and pure functions.
//!
//! Each transition takes what is known of a run and returns [`Changes`]: everything that the store has to write in one
//! transaction. What must never happen has no function, or is an [`IllegalTransition`].

mod changes;
mod phase;
mod state;
mod status;
mod transitions;

pub use changes::{Changes, PendingRetry, Reservations, WorkflowChange};
pub use phase::Phase;
pub use state::{HandlerKind, RunState};
pub use status::Status;
pub use transitions::{IllegalTransition, StopContext};

#[cfg(test)]
mod tests;
