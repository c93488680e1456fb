//! A call's turn on its thread: it holds a core while the script computes and none while it waits.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use windlass_core::Failure;

use crate::control::{Control, Message};
use crate::current::{Current, Task};
use crate::fault::Fault;
use crate::host::panicked;
use crate::watchdog::{Deadline, Watchdog};

/// The answer to a host call.
pub(crate) struct Answer {
    pub(crate) number: u32,
    pub(crate) result: Result<Value, Failure>,
}

/// What a turn is taken from.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'a> {
    pub(crate) cores: &'a Arc<Semaphore>,
    pub(crate) watchdog: &'a Watchdog,
}

/// One call's turn.
pub(crate) struct Turn<'a> {
    machine: Machine<'a>,
    call: Arc<Control>,
    runtime: Handle,
    outbox: Sender<Message>,
    inbox: Receiver<Message>,
    deadline: Option<Deadline<'a>>,
}

impl<'a> Turn<'a> {
    /// Begins to measure the time: the call holds a core. `None`: it was stopped before.
    pub(crate) fn begin(
        machine: Machine<'a>,
        call: Arc<Control>,
        runtime: Handle,
        isolate: v8::IsolateHandle,
    ) -> Option<Self> {
        let (outbox, inbox) = channel();
        if !call.open(isolate, outbox.clone()) {
            return None;
        }
        let time = Duration::from_millis(call.bounds.time_ms);
        let deadline = Some(machine.watchdog.set(time, &call));
        Some(Self { machine, call, runtime, outbox, inbox, deadline })
    }

    /// Whether the call was stopped from outside.
    pub(crate) fn is_stopped(&self) -> bool {
        self.call.stopped().is_some()
    }

    /// The failure of this call where it uses too much memory.
    pub(crate) fn out_of_memory(&self) -> Fault {
        self.call.out_of_memory()
    }

    /// Sets the replies going that the script has asked for.
    pub(crate) fn start_replies(&self, current: &Current) {
        for (number, future) in current.started.take() {
            let outbox = self.outbox.clone();
            let task = self.runtime.spawn(async move {
                let result = AssertUnwindSafe(future).catch_unwind().await;
                let result = result.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
                // Nobody listens once the call is over.
                let _ = outbox.send(Message::Reply(number, result));
            });
            if let Some(pending) = current.pending.borrow_mut().get_mut(&number) {
                pending.task = Some(Task(task.abort_handle()));
            }
        }
    }

    /// Waits, without a core, until at least one reply is there, or the call is stopped: then it computes
    /// no more and needs no core. Time spent waiting for a core
    /// afterwards is not the script's and does not count.
    pub(crate) fn wait(&mut self) -> Vec<Answer> {
        self.call.release_core();
        let first = self.inbox.recv().ok();
        let messages = first.into_iter().chain(self.inbox.try_iter());
        let answers = messages.filter_map(|message| match message {
            Message::Reply(number, result) => Some(Answer { number, result }),
            Message::Stopped => None,
        });
        let answers = answers.collect();
        let left = self.deadline.take().map(Deadline::pause);
        if self.is_stopped() {
            return Vec::new();
        }
        // The semaphore is never closed.
        if let Ok(core) = block_on(Arc::clone(self.machine.cores).acquire_owned()) {
            self.call.hold(core);
        }
        self.deadline = left.map(|left| self.machine.watchdog.set(left, &self.call));
        answers
    }
}
