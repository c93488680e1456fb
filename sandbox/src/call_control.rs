//! How a call is stopped from outside its thread, and what it occupies.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use windlass_core::Failure;

use crate::end::{CallResult, End, Fault};
use crate::priority::ThreadId;

/// Why a call is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Its wall time is over.
    Time,
    /// Its caller no longer waits for it.
    Cancelled,
}

/// A message to a thread whose script waits.
#[derive(Debug)]
pub(crate) enum Message {
    /// The answer to the host call of that number.
    Reply(u32, Result<Value, Failure>),
    /// The call is stopped.
    Stopped,
}

/// The limits that can end a call without its thread's help.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    pub(crate) time_ms: u64,
    /// The setting that `time_ms` comes from.
    pub(crate) time_setting: &'static str,
    pub(crate) heap_mib: u32,
}

/// What a call occupies, and where its result goes.
#[derive(Debug)]
pub(crate) struct CallSlot {
    pub(crate) reply: oneshot::Sender<CallResult>,
    pub(crate) permit: OwnedSemaphorePermit,
    /// None while the script waits.
    pub(crate) core: Option<OwnedSemaphorePermit>,
    pub(crate) thread: Option<ThreadId>,
}

/// The control of one call, shared by its thread, its caller and the watchdog.
///
/// A call is never stopped after its end, so the next script of the same isolate is not terminated for it. The slot is kept here and not
/// by the thread, because V8 may never return control to a thread: then the slot is taken from it.
#[derive(Debug)]
pub(crate) struct CallControl {
    pub(crate) limits: CallLimits,
    state: Mutex<State>,
    slot: Mutex<Option<CallSlot>>,
}

#[derive(Debug)]
enum State {
    /// No thread has started it.
    Waiting,
    /// A thread runs it.
    Running { isolate: v8::IsolateHandle, inbox: Sender<Message> },
    /// It was stopped.
    Stopped(StopReason),
    /// It has ended.
    Ended,
}

impl CallControl {
    /// The control of a call that no thread has started.
    pub(crate) const fn new(limits: CallLimits, slot: CallSlot) -> Self {
        Self { limits, state: Mutex::new(State::Waiting), slot: Mutex::new(Some(slot)) }
    }

    /// The thread starts the call. `false`: the call was stopped before.
    pub(crate) fn start(&self, isolate: v8::IsolateHandle, inbox: Sender<Message>) -> bool {
        let mut state = lock(&self.state);
        let is_waiting = matches!(*state, State::Waiting);
        if is_waiting {
            *state = State::Running { isolate, inbox };
        }
        is_waiting
    }

    /// Stops the call, whether it computes, waits for a reply or waits for a thread. `true`: its script is still on its thread
    /// and has to end.
    pub(crate) fn stop(&self, reason: StopReason) -> bool {
        let mut state = lock(&self.state);
        let is_running = match &*state {
            State::Running { isolate, inbox } => {
                isolate.terminate_execution();
                // The thread may have dropped its inbox because the call has just ended.
                let _ = inbox.send(Message::Stopped);
                true
            }
            State::Waiting => false,
            State::Stopped(_) | State::Ended => return false,
        };
        *state = State::Stopped(reason);
        is_running
    }

    /// Why the call was stopped, if it was.
    pub(crate) fn stopped(&self) -> Option<StopReason> {
        match *lock(&self.state) {
            State::Stopped(reason) => Some(reason),
            State::Waiting | State::Running { .. } | State::Ended => None,
        }
    }

    /// Ends the call: from now on it cannot be stopped. Returns why it was stopped, if it was.
    pub(crate) fn end(&self) -> Option<StopReason> {
        match std::mem::replace(&mut *lock(&self.state), State::Ended) {
            State::Stopped(reason) => Some(reason),
            State::Waiting | State::Running { .. } | State::Ended => None,
        }
    }

    /// Notes which thread runs the call.
    pub(crate) fn attach_thread(&self, thread: ThreadId) {
        if let Some(slot) = &mut *lock(&self.slot) {
            slot.thread = Some(thread);
        }
    }

    /// The script computes on this core from now on.
    pub(crate) fn take_core(&self, core: OwnedSemaphorePermit) {
        if let Some(slot) = &mut *lock(&self.slot) {
            slot.core = Some(core);
        }
    }

    /// The script waits from now on, and needs no core.
    pub(crate) fn release_core(&self) {
        if let Some(slot) = &mut *lock(&self.slot) {
            slot.core = None;
        }
    }

    /// Takes the slot, when the thread is done with the call. `None`: the call was abandoned, and the slot with it.
    pub(crate) fn take_slot(&self) -> Option<CallSlot> {
        lock(&self.slot).take()
    }

    /// Abandons the call's thread: answers the caller instead of the thread, and frees what the call occupies. If the thread
    /// continues after all, it finds that its slot is gone.
    pub(crate) fn abandon(&self, fault: Fault) {
        let Some(slot) = self.take_slot() else { return };
        tracing::error!(
            reason = fault.failure.message,
            "abandoned a script's thread: V8 does not return control to it"
        );
        if let Some(thread) = slot.thread {
            thread.lower_priority();
        }
        // Nobody listens where the call was cancelled.
        let _ = slot.reply.send(CallResult { end: Some(End::Failed(fault)), logs: Vec::new() });
    }

    /// The failure of a call that takes too long.
    pub(crate) fn time_fault(&self) -> Fault {
        Fault::limit("the script takes too long", self.limits.time_setting, self.limits.time_ms)
    }

    /// The failure of a call that uses too much memory.
    pub(crate) fn memory_fault(&self) -> Fault {
        Fault::limit("the script uses too much memory", "heap_mib", self.limits.heap_mib)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
