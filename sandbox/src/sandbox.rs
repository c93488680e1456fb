//! The sandbox as its users see it.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use windlass_core::ScriptLimits;

use crate::api::{Call, Ending, Function, Host, Report, Script};
use crate::control::{Bounds, Control, Seat, Stop};
use crate::current::World;
use crate::execution::Work;
use crate::fault::{End, Fault};
use crate::platform;
use crate::pool::Pool;
use crate::thread::{Done, Job};

/// What a sandbox is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// What one call may use.
    pub limits: ScriptLimits,
    /// Everything that scripts find beside the builtins.
    pub functions: Vec<Function>,
    /// How many calls may be under way at once, those included that wait for a slow reply. Each has a thread.
    pub max_threads: usize,
    /// How many of them may compute at once.
    pub cores: usize,
}

/// Runs scripts. Clones share its threads, which end with the last of them.
#[derive(Clone)]
pub struct Sandbox(Arc<Owner>);

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("options", &self.0.0.options).finish_non_exhaustive()
    }
}

/// Closes the pool when the last clone goes.
struct Owner(Arc<Pool>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Stops a call whose future is dropped.
struct CancelOnDrop<'a> {
    pool: &'a Pool,
    call: Arc<Control>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.pool.stop(&self.call, Stop::Cancelled);
    }
}

impl Sandbox {
    /// Makes a sandbox. Threads are made when calls want them. [`initialize`](crate::initialize) has to come before.
    #[must_use]
    pub fn start(options: Options) -> Self {
        Self(Arc::new(Owner(Arc::new(Pool::new(options)))))
    }

    /// Calls a handler, to its end. Waits for a thread where as many calls as allowed are under way. Needs to run in a
    /// tokio runtime: the host's later replies are spawned there.
    ///
    /// # Cancel safety
    /// Dropping the future terminates the script; what the host was asked before stays asked.
    pub async fn call(&self, call: Call, host: Arc<dyn Host>) -> Report {
        let Call { script, phase, handler, arguments } = call;
        let work = Work::Handle { world: World { phase, host }, handler, arguments };
        let done = self.run(script, work).await;
        let ending = match done.end {
            None => Ending::Cancelled,
            Some(End::Returned(value)) => Ending::Returned(value),
            Some(End::Mutation(call)) => Ending::Mutation(call),
            Some(End::Failed(fault)) => Ending::Failed(fault.failure),
        };
        Report { ending, logs: done.logs }
    }

    /// Waits until no call is under way. Calls that are made meanwhile wait until this returns.
    ///
    /// # Cancel safety
    /// Only the waiting is given up.
    pub async fn idle(&self) {
        self.0.0.wait_until_free().await;
    }

    /// Ends every call as cancelled and waits until all threads are free. Later calls are cancelled at once.
    ///
    /// # Cancel safety
    /// The sandbox is closed even if the future is dropped; only the waiting is given up.
    pub async fn shutdown(&self) {
        self.0.0.close();
        self.0.0.wait_until_free().await;
    }

    pub(crate) async fn run(&self, script: Script, work: Work) -> Done {
        let pool = &self.0.0;
        let max = pool.options.limits.source_bytes;
        if script.source.len() > max as usize {
            return Fault::limit("the script is too long", "source_bytes", max).into();
        }
        if !platform::is_started() {
            return Fault::internal("V8 is not started: call `initialize` at the start of `main`")
                .into();
        }
        let Ok(runtime) = Handle::try_current() else {
            return Fault::internal("the sandbox was not called from a tokio runtime").into();
        };
        let Some(permit) = pool.admit().await else { return Done::cancelled() };
        let Some(core) = pool.core().await else { return Done::cancelled() };
        let (reply, done) = oneshot::channel();
        let seat = Seat { reply, permit, core: Some(core), thread: None };
        let control = Arc::new(Control::new(self.bounds(&work), seat));
        let cancel = CancelOnDrop { pool, call: Arc::clone(&control) };
        let done = match pool.submit(Job { script, work, runtime, control }) {
            Err(error) => error.into(),
            Ok(false) => Done::cancelled(),
            Ok(true) => done.await.unwrap_or_else(|_gone| {
                Fault::internal("the script's thread ended unexpectedly").into()
            }),
        };
        drop(cancel);
        done
    }

    /// What scripts find beside the builtins.
    pub(crate) fn functions(&self) -> Arc<[Function]> {
        Arc::clone(&self.0.0.functions)
    }

    fn bounds(&self, work: &Work) -> Bounds {
        let limits = &self.0.0.options.limits;
        let (time_ms, time_setting) = match work {
            Work::Handle { .. } => (limits.wall_time_ms, "wall_time_ms"),
            Work::Describe => (limits.check_time_ms, "check_time_ms"),
        };
        Bounds { time_ms, time_setting, heap_mib: limits.heap_mib }
    }
}
