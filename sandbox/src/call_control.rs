//! How a call is stopped from outside its thread, and what it occupies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use windlass_core::{Failure, WorkspaceId};

use crate::cores::Core;
use crate::end::{CallResult, End, Fault};
use crate::priority::ThreadId;
use crate::processor::ProcessorTime;

/// Why a call is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Its wall time is over.
    Time,
    /// Its processor time is used up.
    Processor,
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
    pub(crate) cpu_time_ms: u64,
    pub(crate) heap_mib: u32,
}

/// What a call occupies, and where its result goes.
#[derive(Debug)]
pub(crate) struct CallSlot {
    pub(crate) reply: oneshot::Sender<CallResult>,
    pub(crate) permit: OwnedSemaphorePermit,
    /// None while the script waits.
    pub(crate) core: Option<Core>,
    pub(crate) thread: Option<ThreadId>,
}

/// The control of one call, shared by its thread, its caller and the watchdog.
///
/// A call is never stopped after its end, so the next script of the same isolate is not terminated for it. The slot is kept here and not
/// by the thread, because V8 may never return control to a thread: then the slot is taken from it.
#[derive(Debug)]
pub(crate) struct CallControl {
    pub(crate) limits: CallLimits,
    /// Whose call it is.
    pub(crate) workspace: Option<WorkspaceId>,
    /// Whether other scripts have used its isolate before.
    has_used_isolate: AtomicBool,
    state: Mutex<State>,
    slot: Mutex<Option<CallSlot>>,
}

#[derive(Debug)]
enum State {
    /// No thread has started it.
    Waiting,
    /// A thread runs it.
    Running { isolate: v8::IsolateHandle, inbox: Sender<Message>, processor: ProcessorTime },
    /// It was stopped.
    Stopped(StopReason),
    /// It has ended.
    Ended,
}

impl CallControl {
    /// The control of a call that no thread has started.
    pub(crate) fn new(limits: CallLimits, workspace: Option<WorkspaceId>, slot: CallSlot) -> Self {
        let (state, slot) = (Mutex::new(State::Waiting), Mutex::new(Some(slot)));
        Self { limits, workspace, has_used_isolate: AtomicBool::new(false), state, slot }
    }

    /// The thread starts the call. `false`: the call was stopped before.
    pub(crate) fn start(&self, isolate: v8::IsolateHandle, inbox: Sender<Message>) -> bool {
        let mut state = lock(&self.state);
        let is_waiting = matches!(*state, State::Waiting);
        if is_waiting {
            *state = State::Running { isolate, inbox, processor: ProcessorTime::of_this_thread() };
        }
        is_waiting
    }

    /// Stops the call, whether it computes, waits for a reply or waits for a thread. `true`: its script is still on its thread
    /// and has to end.
    pub(crate) fn stop(&self, reason: StopReason) -> bool {
        let mut state = lock(&self.state);
        let is_running = match &*state {
            State::Running { isolate, inbox, .. } => {
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

    /// How much processor time the call has left; none while it does not run.
    pub(crate) fn processor_time_left(&self) -> Option<Duration> {
        let budget = Duration::from_millis(self.limits.cpu_time_ms);
        match &*lock(&self.state) {
            State::Running { processor, .. } => Some(budget.saturating_sub(processor.used())),
            State::Waiting | State::Stopped(_) | State::Ended => None,
        }
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

    /// Notes whether other scripts have used the isolate of the call before.
    pub(crate) fn note_isolate(&self, is_used: bool) {
        self.has_used_isolate.store(is_used, Ordering::Relaxed);
    }

    /// Notes which thread runs the call.
    pub(crate) fn attach_thread(&self, thread: ThreadId) {
        if let Some(slot) = &mut *lock(&self.slot) {
            slot.thread = Some(thread);
        }
    }

    /// The script computes on this core from now on.
    pub(crate) fn take_core(&self, core: Core) {
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

    /// Abandons the thread of a call that was stopped for that reason.
    pub(crate) fn abandon_stopped(&self, reason: StopReason) {
        self.abandon(self.stop_fault(reason), false);
    }

    /// Abandons the thread of a call for which V8 has no memory left.
    pub(crate) fn abandon_without_memory(&self) {
        self.abandon(Some(self.memory_fault()), self.has_used_isolate.load(Ordering::Relaxed));
    }

    /// Abandons the call's thread: answers the caller instead of the thread, and frees what the call occupies. If the thread
    /// continues after all, it finds that its slot is gone.
    fn abandon(&self, fault: Option<Fault>, is_worth_repeating: bool) {
        let Some(slot) = self.take_slot() else { return };
        tracing::error!(
            reason = fault.as_ref().map_or("cancelled", |fault| &fault.failure.message),
            "abandoned a script's thread: V8 does not return control to it"
        );
        if let Some(thread) = slot.thread {
            thread.lower_priority();
        }
        let (end, logs) = (fault.map(End::Failed), Vec::new());
        // Nobody listens where the call was cancelled.
        let _ = slot.reply.send(CallResult { end, logs, is_worth_repeating });
    }

    /// The failure of a call that was stopped for that reason; none if it was cancelled.
    pub(crate) fn stop_fault(&self, reason: StopReason) -> Option<Fault> {
        let limits = &self.limits;
        match reason {
            StopReason::Time => {
                Some(Fault::limit("the script takes too long", limits.time_setting, limits.time_ms))
            }
            StopReason::Processor => Some(Fault::limit(
                "the script computes too long",
                "cpu_time_ms",
                limits.cpu_time_ms,
            )),
            StopReason::Cancelled => None,
        }
    }

    /// The failure of a call that uses too much memory.
    pub(crate) fn memory_fault(&self) -> Fault {
        Fault::limit("the script uses too much memory", "heap_mib", self.limits.heap_mib)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
