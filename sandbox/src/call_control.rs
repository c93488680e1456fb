//! How a call is stopped from outside its thread, and what it occupies.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use windlass_core::{Failure, WorkspaceId};

use crate::cores::Core;
use crate::end::{CallResult, End, Fault};
use crate::halt::HaltState;
use crate::memory::Excess;
use crate::priority::ThreadId;
use crate::processor::{self, ProcessorTime};

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// Why a call is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Its wall time is over.
    Time,
    /// Its processor time is used up.
    Processor,
    /// It makes the process grow too much, outside the heap and the buffers.
    Memory(Excess),
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
    pub(crate) native_mib: u32,
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
    /// No other call has it.
    pub(crate) number: u64,
    /// Whose call it is.
    pub(crate) workspace: Option<WorkspaceId>,
    /// The page faults that its thread had caused before.
    faults_before: AtomicU64,
    /// Whether its thread is to be halted.
    pub(crate) halt: HaltState,
    isolate: OnceLock<IsolateNote>,
    /// What its caller says of it in the log.
    span: tracing::Span,
    state: Mutex<State>,
    slot: Mutex<Option<CallSlot>>,
}

/// What is known of the isolate of a call.
#[derive(Debug)]
pub(crate) struct IsolateNote {
    /// Whether other scripts have used it before.
    pub(crate) is_used: bool,
    /// Whether its heap's limit was reached.
    pub(crate) is_full: Arc<AtomicBool>,
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
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        Self {
            limits,
            number,
            workspace,
            faults_before: AtomicU64::new(0),
            halt: HaltState::default(),
            isolate: OnceLock::new(),
            span: tracing::Span::current(),
            state,
            slot,
        }
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

    /// Notes in which isolate the call runs.
    pub(crate) fn note_isolate(&self, isolate: IsolateNote) {
        // A call runs in one isolate.
        let _ = self.isolate.set(isolate);
    }

    /// Whether the call has neither ended nor been abandoned.
    pub(crate) fn is_under_way(&self) -> bool {
        lock(&self.slot).is_some()
    }

    /// The page faults that the call has caused. None while it has no thread.
    pub(crate) fn faults(&self) -> Option<u64> {
        let thread = lock(&self.slot).as_ref()?.thread?;
        Some(thread.faults()?.saturating_sub(self.faults_before.load(Ordering::Relaxed)))
    }

    /// Notes which thread runs the call: the calling one.
    pub(crate) fn attach_thread(&self, thread: ThreadId) {
        self.faults_before.store(processor::faults_of_this_thread(), Ordering::Relaxed);
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

    /// Gives the core of a script that has computed for long to a workspace that waits. The script goes on without one: the system then
    /// divides its processors among more threads.
    pub(crate) fn share_core(&self) {
        if let Some(slot) = &mut *lock(&self.slot) {
            slot.core = slot.core.take().filter(|core| !core.is_wanted_by_others(self.workspace));
        }
    }

    /// Takes the slot, when the thread is done with the call. `None`: the call was abandoned, and the slot with it.
    pub(crate) fn take_slot(&self) -> Option<CallSlot> {
        lock(&self.slot).take()
    }

    /// Abandons the thread of a call that was stopped for that reason. Returns the thread if it is still there.
    pub(crate) fn abandon_stopped(&self, reason: StopReason) -> Option<ThreadId> {
        self.abandon(self.stop_fault(reason), false)
    }

    /// Abandons the thread of a call for which V8 has no memory left.
    pub(crate) fn abandon_without_memory(&self) {
        let is_used = self.isolate.get().is_some_and(|isolate| isolate.is_used);
        let _this_thread = self.abandon(Some(self.memory_fault()), is_used);
    }

    /// Abandons the call's thread: answers the caller instead of the thread, and frees what the call occupies. If the thread
    /// continues after all, it finds that its slot is gone.
    fn abandon(&self, fault: Option<Fault>, is_worth_repeating: bool) -> Option<ThreadId> {
        let slot = self.take_slot()?;
        tracing::error!(
            parent: &self.span,
            reason = fault.as_ref().map_or("cancelled", |fault| &fault.failure.message),
            "abandoned a script's thread: V8 does not return control to it"
        );
        if let Some(thread) = slot.thread {
            thread.lower_priority();
        }
        let (end, logs) = (fault.map(End::Failed), Vec::new());
        // Nobody listens where the call was cancelled.
        let _ = slot.reply.send(CallResult { end, logs, is_worth_repeating });
        slot.thread
    }

    /// The failure of a call that was stopped for that reason; none if it was cancelled. Where its heap was full before, that is the
    /// reason.
    pub(crate) fn stop_fault(&self, reason: StopReason) -> Option<Fault> {
        let is_full = |isolate: &IsolateNote| isolate.is_full.load(Ordering::Relaxed);
        if matches!(reason, StopReason::Memory(_)) && self.isolate.get().is_some_and(is_full) {
            return Some(self.memory_fault());
        }
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
            StopReason::Memory(Excess::Call) => {
                let what = "the script uses too much memory outside its heap and its buffers";
                Some(Fault::limit(what, "native_mib", limits.native_mib))
            }
            StopReason::Memory(Excess::Process) => Some(Fault::logic(
                "memory",
                "the memory of this machine or container is nearly used up, and this script used most of it",
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
