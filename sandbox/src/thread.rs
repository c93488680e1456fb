//! A thread that runs scripts, one at a time, in an isolate of its own.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use windlass_core::panic_message;

use crate::active_call::ActiveCall;
use crate::call_control::{IsolateNote, StopReason};
use crate::call_runtime::CallRuntime;
use crate::end::{CallResult, End, Fault};
use crate::isolate::ScriptIsolate;
use crate::job::Job;
use crate::pool::{Dispatch, FreeListing, Pool};
use crate::priority::ThreadId;
use crate::{fatal_error, processor, stack};

/// A thread without work ends after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Gives a job to a thread of the pool, a new one where none is free. `false`: the pool is closed.
///
/// # Errors
/// Where the system does not start a thread.
pub(crate) fn submit(pool: &Arc<Pool>, job: Job) -> io::Result<bool> {
    match pool.dispatch(job) {
        Dispatch::Sent => Ok(true),
        Dispatch::Closed => Ok(false),
        Dispatch::NoFreeThread(job) => {
            let stack = pool.options.limits.stack_kib as usize * 1024 + stack::RESERVE_BYTES;
            let thread = std::thread::Builder::new().name("script".into()).stack_size(stack);
            let pool = Arc::clone(pool);
            thread.spawn(move || run_jobs(&pool, job)).map(|_thread| true)
        }
    }
}

/// The result of a call for which the system did not start a thread.
pub(crate) fn no_thread(error: &io::Error) -> CallResult {
    Fault::internal(format!("the system gave no thread for the script: {error}")).into()
}

/// Runs jobs until there was none for a while, or the pool is closed.
fn run_jobs(pool: &Arc<Pool>, first: Job) {
    let mut isolate = None;
    let mut next = Some(first);
    while let Some(job) = next.take() {
        let digest = Arc::clone(&job.script.digest);
        let source_bytes = job.script.source.len();
        let control = Arc::clone(&job.control);
        let run = AssertUnwindSafe(|| run(pool, &mut isolate, job));
        let result = fatal_error::on_behalf_of(&control, || catch_unwind(run));
        let result = result.unwrap_or_else(|panic| {
            isolate = None;
            let message = panic_message(panic.as_ref());
            Fault::internal(format!("the sandbox panicked: {message}")).into()
        });
        let Some(slot) = control.take_slot() else { return };
        // In this order, so that a caller who calls again as soon as it has the answer finds this thread free.
        let listing = pool.add_free_thread(digest);
        // Nobody listens where the call was cancelled.
        let _ = slot.reply.send(result);
        drop((slot.core, slot.permit));
        let prepare = |isolate: &mut _| prepare_for_next_call(pool, isolate, source_bytes);
        if isolate.as_mut().is_some_and(|isolate| !prepare(isolate)) {
            isolate = None;
        }
        next = listing.and_then(|listing| wait_for_job(pool, &listing));
    }
}

/// Prepares an isolate for its next call. `false`: it has to be replaced.
fn prepare_for_next_call(pool: &Pool, isolate: &mut ScriptIsolate, source_bytes: usize) -> bool {
    // A context is made ahead only on a core that no script waits for.
    isolate.refresh(source_bytes)
        && pool.try_acquire_core().is_none_or(|_core| isolate.make_context_ahead())
}

fn wait_for_job(pool: &Pool, listing: &FreeListing) -> Option<Job> {
    match listing.jobs.recv_timeout(IDLE_TIMEOUT) {
        Ok(job) => Some(job),
        // A job was sent just when the time was over.
        Err(RecvTimeoutError::Timeout) if !pool.remove_free_thread(listing) => {
            listing.jobs.recv().ok()
        }
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
    }
}

fn run(pool: &Pool, isolate_slot: &mut Option<ScriptIsolate>, job: Job) -> CallResult {
    let Job { script, written, work, tokio, control, in_fresh_isolate, log } = job;
    control.attach_thread(ThreadId::current());
    let shared = match pool.shared() {
        Ok(shared) => shared,
        Err(error) => return no_thread(&error),
    };
    let limits = &pool.options.limits;
    if in_fresh_isolate {
        *isolate_slot = None;
    }
    let isolate = isolate_slot.get_or_insert_with(|| {
        ScriptIsolate::new(limits, Arc::clone(&pool.code), Arc::clone(&pool.functions))
    });
    let is_used = isolate.is_used();
    control.note_isolate(IsolateNote { is_used, is_full: isolate.fullness() });
    let Some(mut runtime) =
        CallRuntime::start(shared, Arc::clone(&control), tokio, isolate.handle())
    else {
        return CallResult::cancelled();
    };
    let current =
        ActiveCall::new(script, written, Arc::clone(&pool.functions), limits.clone(), log);
    let mut end = isolate.run(&current, &work, &mut runtime);
    let is_worth_repeating = is_used && isolate.is_full();
    let stopped = control.end();
    if stopped.is_some() {
        // The termination may not have reached it yet.
        *isolate_slot = None;
    }
    if matches!(stopped, Some(StopReason::Memory(_))) {
        processor::give_memory_back();
    }
    if end.is_none() {
        end = stopped.and_then(|reason| control.stop_fault(reason)).map(End::Failed);
    }
    CallResult { end, logs: current.log.finish(limits), is_worth_repeating }
}
