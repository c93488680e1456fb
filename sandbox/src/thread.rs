//! A thread that runs scripts, one at a time, in an isolate of its own.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::api::{LogLine, Script};
use crate::current::Current;
use crate::engine::Engine;
use crate::execution::Work;
use crate::fault::{End, Fault};
use crate::interrupt::{Interrupt, Stop};
use crate::pool::{Pool, Task};
use crate::turn::Turn;

/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(30);

/// Something to run.
pub(crate) struct Job {
    pub(crate) script: Script,
    pub(crate) work: Work,
    pub(crate) runtime: Handle,
    pub(crate) interrupt: Arc<Interrupt>,
    pub(crate) reply: oneshot::Sender<Done>,
}

/// How it went. No end: it was cancelled.
pub(crate) struct Done {
    pub(crate) end: Option<End>,
    pub(crate) logs: Vec<LogLine>,
}

/// Runs jobs until there are none for a while, or the pool is closed.
pub(crate) fn serve(pool: &Arc<Pool>, first: Task) {
    let mut engine = None;
    let mut next = Some(first);
    while let Some((job, permit)) = next.take() {
        let digest = Arc::clone(&job.script.digest);
        let (reply, done) = perform(pool, &mut engine, job);
        // In this order, so that whoever calls again as soon as the answer is there finds this thread free.
        let parked = pool.park(digest);
        // Nobody listens where the call was cancelled.
        let _ = reply.send(done);
        drop(permit);
        if engine.as_mut().is_some_and(|engine| !engine.refresh()) {
            engine = None;
        }
        next = parked.and_then(|(place, inbox)| wait(pool, place, &inbox));
    }
}

/// Waits for the next job.
fn wait(pool: &Pool, place: u64, inbox: &Receiver<Task>) -> Option<Task> {
    match inbox.recv_timeout(IDLE) {
        Ok(job) => Some(job),
        // A job may be on its way to a thread that has just lost its patience.
        Err(RecvTimeoutError::Timeout) if !pool.leave(place) => inbox.recv().ok(),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
    }
}

fn perform(pool: &Pool, slot: &mut Option<Engine>, job: Job) -> (oneshot::Sender<Done>, Done) {
    let Job { script, work, runtime, interrupt, reply } = job;
    let limits = &pool.options.limits;
    let machine = match pool.machine() {
        Ok(machine) => machine,
        Err(error) => return (reply, error.into()),
    };
    let engine = slot.get_or_insert_with(|| Engine::new(limits));
    let (time, setting) = match work {
        Work::Handle { .. } => (limits.wall_time_ms, "wall_time_ms"),
        Work::Describe => (limits.check_time_ms, "check_time_ms"),
    };
    let budget = (engine.handle(), Duration::from_millis(time));
    let current = Current::new(script, Arc::clone(&pool.functions), limits.clone());
    let Some(mut turn) = Turn::begin(machine, Arc::clone(&interrupt), runtime, budget) else {
        return (reply, Done { end: None, logs: Vec::new() });
    };
    let mut end = engine.run(&current, &work, &mut turn);
    let stopped = interrupt.close();
    drop(turn);
    if stopped.is_some() {
        *slot = None;
    }
    if end.is_none() && stopped == Some(Stop::Time) {
        let fault = Fault::limit("the script takes too long", setting, time);
        end = Some(End::Failed(fault));
    }
    (reply, Done { end, logs: current.logs.take() })
}
