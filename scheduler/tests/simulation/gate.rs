//! Gates: points at which a worker waits until the simulator releases it.

use std::sync::Arc;
use std::sync::{Mutex, MutexGuard};

use futures::FutureExt;
use tokio::sync::{Notify, oneshot};
use windlass_sandbox::Sandbox;
use windlass_store::{StoreError, WriteOutcome};

use crate::services::ServiceKind;
use crate::tally::Tally;

/// How often all other tasks may run before the simulation counts as quiet: an answer passes through one or two tasks.
const ROUNDS: usize = 4;

/// A point at which a worker waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// It is about to poll for work.
    Poll,
    /// It is about to call an operation of the store.
    Before(&'static str),
    /// An operation has written something, and the worker has not received the answer.
    After(&'static str),
    /// A tool is about to pass its commit point.
    Commit(ServiceKind),
    /// A tool has passed its commit point, and its request is about to leave.
    SendRequest(ServiceKind),
    /// A request has arrived or was lost, and the worker has not received an answer.
    ReceiveAnswer(ServiceKind),
    /// An effect is about to be looked up.
    StartLookup(ServiceKind),
    /// An effect was looked up, and the worker has not received the result.
    FinishLookup(ServiceKind),
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Poll => write!(f, "before looking for work"),
            Self::Before(operation) => write!(f, "before {operation}"),
            Self::After(operation) => write!(f, "after {operation}"),
            Self::Commit(_) => write!(f, "before the commit point"),
            Self::SendRequest(_) => write!(f, "before a request leaves"),
            Self::ReceiveAnswer(_) => write!(f, "before an answer arrives"),
            Self::StartLookup(_) => write!(f, "before a lookup"),
            Self::FinishLookup(_) => write!(f, "before a lookup is answered"),
        }
    }
}

/// How a worker is released from a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// It continues.
    Normal,
    /// It continues without the store's answer: the connection is lost.
    AnswerLost,
}

/// A worker that waits, as the simulator sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    pub(crate) worker: usize,
    pub(crate) point: Point,
    /// Counts arrivals, for two that are alike.
    number: u64,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    open: oneshot::Sender<Release>,
}

/// All gates of a simulation.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    state: Mutex<State>,
    /// Notified when an operation of the store has ended.
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    n_arrived: u64,
    /// Operations and reads of the store that are under way.
    n_busy: usize,
    has_written: bool,
    /// An error that no operation of the store may return.
    unexpected_error: Option<String>,
    tally: Tally,
}

impl Gates {
    /// Begins a history.
    pub(crate) fn reset(&self) {
        *self.lock() = State::default();
    }

    /// Waits until every worker waits at a gate or for time to pass.
    pub(crate) async fn quiet(&self, sandbox: &Sandbox) {
        loop {
            for _ in 0..ROUNDS {
                tokio::task::yield_now().await;
            }
            if self.lock().n_busy > 0 {
                self.ended.notified().await;
            } else if sandbox.idle().now_or_never().is_none() {
                sandbox.idle().await;
            } else {
                return;
            }
        }
    }

    /// The waiting workers, in a deterministic order.
    pub(crate) fn waiting(&self) -> Vec<Ticket> {
        let mut state = self.lock();
        // A worker that has crashed no longer waits.
        state.waiting.retain(|waiting| !waiting.open.is_closed());
        let mut tickets: Vec<Ticket> = state.waiting.iter().map(|waiting| waiting.ticket).collect();
        tickets.sort();
        tickets
    }

    /// Releases one worker.
    pub(crate) fn open(&self, ticket: Ticket, release: Release) {
        let mut state = self.lock();
        if let Some(index) = state.waiting.iter().position(|waiting| waiting.ticket == ticket) {
            let _crashed = state.waiting.swap_remove(index).open.send(release);
        }
    }

    /// Whether anything was written since this was asked last.
    pub(crate) fn has_written(&self) -> bool {
        std::mem::take(&mut self.lock().has_written)
    }

    pub(crate) fn unexpected_error(&self) -> Option<String> {
        self.lock().unexpected_error.take()
    }

    /// What was counted since this was asked last.
    pub(crate) fn tally(&self) -> Tally {
        std::mem::take(&mut self.lock().tally)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// The gates of one worker.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    pub(crate) gates: Arc<Gates>,
    pub(crate) worker: usize,
}

impl Gate {
    /// Waits until the simulator releases the worker.
    pub(crate) async fn pass(&self, point: Point) -> Release {
        let (open, opened) = oneshot::channel();
        {
            let mut state = self.gates.lock();
            state.n_arrived += 1;
            let ticket = Ticket { worker: self.worker, point, number: state.n_arrived };
            state.waiting.push(Waiting { ticket, open });
        }
        // A gate that the end of the history has closed stays closed.
        match opened.await {
            Ok(release) => release,
            Err(_closed) => std::future::pending().await,
        }
    }

    /// Something is under way as long as this lives.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.gates.lock().n_busy += 1;
        Busy(&self.gates)
    }

    /// An operation of the store has ended. Says whether it wrote something.
    pub(crate) fn ended<T: WriteOutcome>(
        &self,
        operation: &'static str,
        result: &windlass_store::Result<T>,
    ) -> bool {
        let mut state = self.gates.lock();
        match result {
            Ok(answer) => {
                state.has_written |= answer.has_changed();
                return answer.has_changed();
            }
            Err(StoreError::ClaimLost { .. }) => {
                state.tally.count(format!("zombie refused: {operation}"));
                // What a zombie knows of its effect is kept.
                state.has_written = true;
            }
            Err(StoreError::NotNow { .. }) if operation == "settle_lookup" => {
                state.tally.count("lookup overtaken");
            }
            Err(error) => {
                state.unexpected_error.get_or_insert(format!("`{operation}` was refused: {error}"));
            }
        }
        true
    }
}

/// Something is under way.
#[derive(Debug)]
pub(crate) struct Busy<'a>(&'a Gates);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.lock().n_busy -= 1;
        self.0.ended.notify_one();
    }
}
