//! A thread that runs scripts, one at a time, in an isolate of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::runtime::Handle;
use windlass_core::panic_message;

use crate::api::{LogLine, Script};
use crate::control::{Control, Stop};
use crate::current::Current;
use crate::engine::Engine;
use crate::execution::Work;
use crate::fault::{End, Fault};
use crate::pool::Pool;
use crate::priority::ThreadId;
use crate::quarantine;
use crate::turn::Turn;

/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(30);

/// Something to run.
pub(crate) struct Job {
    pub(crate) script: Script,
    pub(crate) work: Work,
    pub(crate) runtime: Handle,
    pub(crate) control: Arc<Control>,
}

/// How it went. No end: it was cancelled.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) end: Option<End>,
    pub(crate) logs: Vec<LogLine>,
}

impl Done {
    /// A call that was cancelled before it could say anything.
    pub(crate) const fn cancelled() -> Self {
        Self { end: None, logs: Vec::new() }
    }
}

impl From<Fault> for Done {
    fn from(fault: Fault) -> Self {
        Self { end: Some(End::Failed(fault)), logs: Vec::new() }
    }
}

impl From<std::io::Error> for Done {
    fn from(error: std::io::Error) -> Self {
        Fault::internal(format!("the system gave no thread for the script: {error}")).into()
    }
}

/// Runs jobs until there are none for a while, or the pool is closed.
pub(crate) fn serve(pool: &Arc<Pool>, first: Job) {
    let mut engine = None;
    let mut next = Some(first);
    while let Some(job) = next.take() {
        let digest = Arc::clone(&job.script.digest);
        let control = Arc::clone(&job.control);
        let attempt = AssertUnwindSafe(|| perform(pool, &mut engine, job));
        let done = quarantine::on_behalf_of(&control, || catch_unwind(attempt));
        let done = done.unwrap_or_else(|panic| {
            engine = None;
            Fault::internal(format!("the sandbox panicked: {}", panic_message(panic.as_ref())))
                .into()
        });
        let Some(seat) = control.get_up() else { return };
        // In this order, so that whoever calls again as soon as the answer is there finds this thread free.
        let parked = pool.park(digest);
        // Nobody listens where the call was cancelled.
        let _ = seat.reply.send(done);
        drop((seat.core, seat.permit));
        if engine.as_mut().is_some_and(|engine| !is_fit(pool, engine)) {
            engine = None;
        }
        next = parked.and_then(|(place, inbox)| wait(pool, place, &inbox));
    }
}

/// Makes an engine fit for its next call. `false`: it is worn out.
fn is_fit(pool: &Pool, engine: &mut Engine) -> bool {
    // What is made ahead on a core that others wait for would only be cold when it is wanted.
    engine.refresh() && pool.spare_core().is_none_or(|_core| engine.make_ahead())
}

/// Waits for the next job.
fn wait(pool: &Pool, place: u64, inbox: &Receiver<Job>) -> Option<Job> {
    match inbox.recv_timeout(IDLE) {
        Ok(job) => Some(job),
        // A job may be on its way to a thread that has just lost its patience.
        Err(RecvTimeoutError::Timeout) if !pool.leave(place) => inbox.recv().ok(),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
    }
}

fn perform(pool: &Pool, slot: &mut Option<Engine>, job: Job) -> Done {
    let Job { script, work, runtime, control } = job;
    control.sit_down(ThreadId::current());
    let machine = match pool.machine() {
        Ok(machine) => machine,
        Err(error) => return error.into(),
    };
    let limits = &pool.options.limits;
    let engine = slot.get_or_insert_with(|| {
        Engine::new(limits, Arc::clone(&pool.code), Arc::clone(&pool.functions))
    });
    let Some(mut turn) = Turn::begin(machine, Arc::clone(&control), runtime, engine.handle())
    else {
        return Done::cancelled();
    };
    let current = Current::new(script, Arc::clone(&pool.functions), limits.clone());
    let mut end = engine.run(&current, &work, &mut turn);
    let stopped = control.close();
    if stopped.is_some() {
        // It may be about to be terminated, or in the middle of something.
        *slot = None;
    }
    if end.is_none() && stopped == Some(Stop::Time) {
        end = Some(End::Failed(control.overtime()));
    }
    Done { end, logs: current.logs.take() }
}
