//! The outside of a running call: it holds a core while the script computes, none while the script waits, and receives replies.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use serde_json::Value;
use tokio::runtime::Handle;
use windlass_core::Failure;

use crate::active_call::{AbortOnDrop, ActiveCall};
use crate::call_control::{CallControl, Message};
use crate::cores::Cores;
use crate::end::{Fault, host_panic};
use crate::watchdog::{Deadline, Watchdog};

/// The answer to a host call.
pub(crate) struct HostReply {
    pub(crate) number: u32,
    pub(crate) result: Result<Value, Failure>,
}

/// What all calls of a sandbox share while they run.
#[derive(Clone, Copy)]
pub(crate) struct SharedResources<'a> {
    pub(crate) cores: &'a Arc<Cores>,
    pub(crate) watchdog: &'a Watchdog,
}

/// The outside of one running call.
pub(crate) struct CallRuntime<'a> {
    shared: SharedResources<'a>,
    control: Arc<CallControl>,
    tokio: Handle,
    outbox: Sender<Message>,
    inbox: Receiver<Message>,
    deadline: Option<Deadline<'a>>,
}

impl<'a> CallRuntime<'a> {
    /// Starts the call, which holds a core already, and its time limit. `None`: it was stopped before.
    pub(crate) fn start(
        shared: SharedResources<'a>,
        control: Arc<CallControl>,
        tokio: Handle,
        isolate: v8::IsolateHandle,
    ) -> Option<Self> {
        let (outbox, inbox) = channel();
        if !control.start(isolate, outbox.clone()) {
            return None;
        }
        let time = Duration::from_millis(control.limits.time_ms);
        let deadline = Some(shared.watchdog.set(time, &control));
        Some(Self { shared, control, tokio, outbox, inbox, deadline })
    }

    /// The control of the call.
    pub(crate) fn control(&self) -> Arc<CallControl> {
        Arc::clone(&self.control)
    }

    /// Whether the call was stopped from outside.
    pub(crate) fn is_stopped(&self) -> bool {
        self.control.stopped().is_some()
    }

    /// The failure of this call if it uses too much memory.
    pub(crate) fn memory_fault(&self) -> Fault {
        self.control.memory_fault()
    }

    /// Spawns the replies that the script has asked for, as many as may be on their way at once. The others wait for their turn.
    pub(crate) fn spawn_replies(&self, current: &ActiveCall) {
        let mut unspawned = current.unspawned.borrow_mut();
        while current.spawned.get() < current.limits.open_calls.max(1) {
            let Some((number, future)) = unspawned.pop_front() else { return };
            current.spawned.set(current.spawned.get() + 1);
            let outbox = self.outbox.clone();
            let task = self.tokio.spawn(async move {
                let result = AssertUnwindSafe(future).catch_unwind().await;
                let result = result.unwrap_or_else(|panic| Err(host_panic(panic.as_ref())));
                // Nobody listens once the call is over.
                let _ = outbox.send(Message::Reply(number, result));
            });
            if let Some(pending) = current.pending.borrow_mut().get_mut(&number) {
                pending.task = Some(AbortOnDrop(task.abort_handle()));
            }
        }
    }

    /// Waits, without a core, until a reply arrives or the call is stopped. A stopped call needs no core any more. The time spent
    /// waiting for a core afterwards does not count against the script's time limit.
    pub(crate) fn wait(&mut self) -> Vec<HostReply> {
        self.control.release_core();
        let first = self.inbox.recv().ok();
        let messages = first.into_iter().chain(self.inbox.try_iter());
        let replies = messages.filter_map(|message| match message {
            Message::Reply(number, result) => Some(HostReply { number, result }),
            Message::Stopped => None,
        });
        let replies = replies.collect();
        let left = self.deadline.take().map(Deadline::pause);
        if self.is_stopped() {
            return Vec::new();
        }
        self.control.take_core(block_on(self.shared.cores.acquire(self.control.workspace)));
        self.deadline = left.map(|left| self.shared.watchdog.set(left, &self.control));
        replies
    }
}
