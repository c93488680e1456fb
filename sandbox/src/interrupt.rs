//! How a call is stopped from outside its thread.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use windlass_core::Failure;

/// Why a call is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its wall time is over.
    Time,
    /// Nobody waits for it any more.
    Cancelled,
}

/// What reaches a thread while its script waits.
#[derive(Debug)]
pub(crate) enum Message {
    /// The answer to the host call of that number.
    Reply(u32, Result<Value, Failure>),
    /// Look at the interrupt.
    Stopped,
}

/// One call's switch. Stopping and closing exclude each other, so a call is never stopped after its end and the next
/// script of the same isolate never pays for it.
#[derive(Debug)]
pub(crate) struct Interrupt(Mutex<State>);

#[derive(Debug)]
enum State {
    /// Not yet taken up by a thread.
    Waiting,
    /// A thread runs it.
    Running { isolate: v8::IsolateHandle, inbox: Sender<Message> },
    /// Stopped, and for what.
    Stopped(Stop),
    /// Over.
    Closed,
}

impl Interrupt {
    /// The switch of a call that no thread has taken up yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State::Waiting))
    }

    /// The thread takes the call up. `false`: it was stopped before.
    pub(crate) fn open(&self, isolate: v8::IsolateHandle, inbox: Sender<Message>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_waiting = matches!(*state, State::Waiting);
        if is_waiting {
            *state = State::Running { isolate, inbox };
        }
        is_waiting
    }

    /// Stops the call, wherever it is: computing, waiting for a reply, or waiting for a thread.
    pub(crate) fn stop(&self, why: Stop) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Running { isolate, inbox } => {
                isolate.terminate_execution();
                // The thread is gone only if it is past caring.
                let _ = inbox.send(Message::Stopped);
            }
            State::Waiting => {}
            State::Stopped(_) | State::Closed => return,
        }
        *state = State::Stopped(why);
    }

    /// Why the call was stopped, so far.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Stopped(why) => Some(why),
            State::Waiting | State::Running { .. } | State::Closed => None,
        }
    }

    /// The call is over. Says whether it was stopped before; afterwards it cannot be.
    pub(crate) fn close(&self) -> Option<Stop> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Closed) {
            State::Stopped(why) => Some(why),
            State::Waiting | State::Running { .. } | State::Closed => None,
        }
    }
}
