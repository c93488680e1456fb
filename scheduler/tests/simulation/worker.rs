//! A worker of the simulation: an engine that can be killed, and frozen while time goes on.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use tokio::task::JoinHandle;
use windlass_core::Timestamp;
use windlass_scheduler::{Engine, EngineParts};

use crate::gate::{Gate, Point};

/// A process, as far as anyone outside can tell.
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

    /// From now on it does nothing, and does not notice that time goes on.
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

    /// Whether it ended by itself, which it never should.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Why it did.
    pub(crate) async fn end(self) -> String {
        self.task.await.unwrap_or_else(|panic| panic.to_string())
    }
}

/// Works for ever; returns only what an engine never should.
async fn work(engine: Engine, gate: Gate) -> String {
    loop {
        gate.pass(Point::Look).await;
        if let Err(error) = engine.run_until_idle().await {
            return error.to_string();
        }
    }
}

#[derive(Debug, Default)]
struct Freezer {
    state: Mutex<Frost>,
}

#[derive(Debug, Default)]
struct Frost {
    is_on: bool,
    waker: Option<Waker>,
}

/// The same work, which nobody touches while it is frozen. What it has spawned stands at gates.
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
