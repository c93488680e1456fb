//! A simulated worker: an engine that can be killed, and frozen while time passes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use tokio::task::JoinHandle;
use windlass_core::Timestamp;
use windlass_scheduler::{Engine, EngineParts};

use crate::gate::{Gate, Point};

/// A worker process, as the others see it.
#[derive(Debug)]
pub(crate) struct Worker {
    task: JoinHandle<String>,
    freezer: Arc<Freezer>,
    /// Until when it is frozen.
    pub(crate) frozen_until: Option<Timestamp>,
}

impl Worker {
    pub(crate) fn start(parts: EngineParts, gate: Gate) -> Self {
        let freezer = Arc::new(Freezer::default());
        let engine = Engine::new(parts).unwrap();
        let task = tokio::spawn(freeze(Arc::clone(&freezer), work(engine, gate)));
        Self { task, freezer, frozen_until: None }
    }

    /// Freezes it: it does nothing and does not notice that time passes.
    pub(crate) fn freeze(&mut self, until: Timestamp) {
        self.frozen_until = Some(until);
        self.freezer.state.lock().unwrap().is_on = true;
    }

    pub(crate) fn thaw(&mut self) {
        self.frozen_until = None;
        let mut state = self.freezer.state.lock().unwrap();
        state.is_on = false;
        state.waker.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) const fn is_frozen(&self) -> bool {
        self.frozen_until.is_some()
    }

    /// Kills it.
    pub(crate) fn crash(self) {
        self.task.abort();
    }

    /// Whether it ended by itself, which is an error.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Why it ended.
    pub(crate) async fn end(self) -> String {
        self.task.await.unwrap_or_else(|panic| panic.to_string())
    }
}

/// Works for ever, and returns only an error of the engine.
async fn work(engine: Engine, gate: Gate) -> String {
    loop {
        gate.pass(Point::Poll).await;
        if let Err(error) = engine.run_until_idle().await {
            return error.to_string();
        }
    }
}

#[derive(Debug, Default)]
struct Freezer {
    state: Mutex<FreezerState>,
}

#[derive(Debug, Default)]
struct FreezerState {
    is_on: bool,
    waker: Option<Waker>,
}

/// The same work, which is not polled while it is frozen. The tasks that it has spawned wait at gates.
async fn freeze<T>(freezer: Arc<Freezer>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        {
            let mut state = freezer.state.lock().unwrap();
            if state.is_on {
                state.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        work.as_mut().poll(context)
    })
    .await
}
