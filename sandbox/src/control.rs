//! How a call is watched over and stopped from outside its thread.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use windlass_core::Failure;

use crate::fault::{End, Fault};
use crate::priority::ThreadId;
use crate::thread::Done;

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
    /// The call is stopped.
    Stopped,
}

/// The limits that can end a call without its thread's help.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) time_ms: u64,
    /// The setting that `time_ms` comes from.
    pub(crate) time_setting: &'static str,
    pub(crate) heap_mib: u32,
}

/// What a call occupies, and who waits for it.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) reply: oneshot::Sender<Done>,
    pub(crate) permit: OwnedSemaphorePermit,
    /// None while the script waits.
    pub(crate) core: Option<OwnedSemaphorePermit>,
    pub(crate) thread: Option<ThreadId>,
}

/// One call's switch. Stopping and closing exclude each other, so a call is never stopped after its end and the next
/// script of the same isolate never pays for it.
///
/// The seat is here and not with the thread because V8 can fail to give a thread back: then the seat is taken from it.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) bounds: Bounds,
    state: Mutex<State>,
    seat: Mutex<Option<Seat>>,
}

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

impl Control {
    /// The switch of a call that no thread has taken up yet.
    pub(crate) const fn new(bounds: Bounds, seat: Seat) -> Self {
        Self { bounds, state: Mutex::new(State::Waiting), seat: Mutex::new(Some(seat)) }
    }

    /// The thread takes the call up. `false`: it was stopped before.
    pub(crate) fn open(&self, isolate: v8::IsolateHandle, inbox: Sender<Message>) -> bool {
        let mut state = lock(&self.state);
        let is_waiting = matches!(*state, State::Waiting);
        if is_waiting {
            *state = State::Running { isolate, inbox };
        }
        is_waiting
    }

    /// Stops the call, wherever it is: computing, waiting for a reply, or waiting for its turn. `true`: its script is still
    /// on its thread and has to end.
    pub(crate) fn stop(&self, why: Stop) -> bool {
        let mut state = lock(&self.state);
        let is_running = match &*state {
            State::Running { isolate, inbox } => {
                isolate.terminate_execution();
                // The thread is gone only if it is past caring.
                let _ = inbox.send(Message::Stopped);
                true
            }
            State::Waiting => false,
            State::Stopped(_) | State::Closed => return false,
        };
        *state = State::Stopped(why);
        is_running
    }

    /// Why the call was stopped, so far.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        match *lock(&self.state) {
            State::Stopped(why) => Some(why),
            State::Waiting | State::Running { .. } | State::Closed => None,
        }
    }

    /// The call is over. Says whether it was stopped before; afterwards it cannot be.
    pub(crate) fn close(&self) -> Option<Stop> {
        match std::mem::replace(&mut *lock(&self.state), State::Closed) {
            State::Stopped(why) => Some(why),
            State::Waiting | State::Running { .. } | State::Closed => None,
        }
    }

    /// The calling thread sits down.
    pub(crate) fn sit_down(&self, thread: ThreadId) {
        if let Some(seat) = &mut *lock(&self.seat) {
            seat.thread = Some(thread);
        }
    }

    /// The script computes on this core from now on.
    pub(crate) fn hold(&self, core: OwnedSemaphorePermit) {
        if let Some(seat) = &mut *lock(&self.seat) {
            seat.core = Some(core);
        }
    }

    /// The script waits from now on.
    pub(crate) fn release_core(&self) {
        if let Some(seat) = &mut *lock(&self.seat) {
            seat.core = None;
        }
    }

    /// The thread is done with the call and gets up. `None`: its seat was taken from it.
    pub(crate) fn get_up(&self) -> Option<Seat> {
        lock(&self.seat).take()
    }

    /// Gives the call's thread up: it answers the caller in its place, and frees what it occupies. Should the thread come
    /// back after all, it finds that it is not needed any more.
    pub(crate) fn abandon(&self, fault: Fault) {
        let Some(seat) = self.get_up() else { return };
        tracing::error!(
            reason = fault.failure.message,
            "gave a script's thread up, which V8 does not give back"
        );
        if let Some(thread) = seat.thread {
            thread.step_back();
        }
        // Nobody listens where the call was cancelled.
        let _ = seat.reply.send(Done { end: Some(End::Failed(fault)), logs: Vec::new() });
    }

    /// The failure of a call that takes too long.
    pub(crate) fn overtime(&self) -> Fault {
        Fault::limit("the script takes too long", self.bounds.time_setting, self.bounds.time_ms)
    }

    /// The failure of a call that uses too much memory.
    pub(crate) fn out_of_memory(&self) -> Fault {
        Fault::limit("the script uses too much memory", "heap_mib", self.bounds.heap_mib)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
