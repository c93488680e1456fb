//! The public face of the sandbox.

use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use windlass_core::{Problem, ScriptLimits, WorkspaceId};

use crate::active_call::World;
use crate::api::{Call, Ending, Function, Host, Options, Report, Script};
use crate::call_control::{CallControl, CallLimits, CallSlot, StopReason};
use crate::check::{Budget, on_thread};
use crate::end::{CallResult, End, Fault};
use crate::job::{Job, Work};
use crate::log::CallLog;
use crate::platform;
use crate::pool::Pool;
use crate::source::{LineColumn, Source};
use crate::thread::{no_thread, submit};
use crate::typescript;

/// Runs scripts. Clones share its threads, which end with the last clone.
#[derive(Clone)]
pub struct Sandbox(Arc<Owner>);

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("options", &self.0.0.options).finish_non_exhaustive()
    }
}

/// Closes the pool when the last clone is dropped.
struct Owner(Arc<Pool>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// On which core and in which isolate a call runs, and where it logs.
#[derive(Default)]
pub(crate) struct Placement {
    /// Whose turn it takes where calls wait for a core.
    workspace: Option<WorkspaceId>,
    /// Whether no script may have run in its isolate before.
    in_fresh_isolate: bool,
    log: CallLog,
}

/// A TypeScript file that has problems.
pub(crate) struct Untyped {
    script: Script,
    pub(crate) problems: Vec<Problem>,
}

impl Untyped {
    /// The first problem, as the failure of a call.
    fn into_fault(self) -> Fault {
        let Some(problem) = self.problems.into_iter().next() else {
            return Fault::internal("a script has neither types nor problems");
        };
        let hint = problem.hint.map(|hint| format!(": {hint}")).unwrap_or_default();
        let at = problem.line.zip(problem.column).map(|(line, column)| {
            let at = LineColumn { line: line as usize, column: column as usize };
            let written = Arc::clone(&self.script.source);
            Source::new(self.script, written).position(at)
        });
        Fault::logic("syntax_error", format!("{}{hint}", problem.message)).at(at)
    }
}

/// Stops a call whose future is dropped.
struct CancelOnDrop<'a> {
    pool: &'a Pool,
    call: Arc<CallControl>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        self.pool.stop(&self.call, StopReason::Cancelled);
    }
}

impl Sandbox {
    /// Makes a sandbox. Its threads are started when calls need them. Call [`initialize`](crate::initialize) before.
    #[must_use]
    pub fn start(options: Options) -> Self {
        Self(Arc::new(Owner(Arc::new(Pool::new(options)))))
    }

    /// Calls a handler and waits for its end. While as many calls as allowed are under way, it waits for a thread first. It has
    /// to run in a tokio runtime, in which the host's later replies are spawned.
    ///
    /// # Cancel safety
    /// Dropping the future terminates the script. Calls that the host has received before are not undone.
    pub async fn call(&self, call: Call, host: Arc<dyn Host>) -> Report {
        let Call { script, workspace, phase, handler, arguments, in_fresh_isolate, log } = call;
        let work = Work::Handle { world: World { phase, host }, handler, arguments };
        let result = self.run(script, work, Placement { workspace, in_fresh_isolate, log }).await;
        let ending = match result.end {
            None => Ending::Cancelled,
            Some(End::Returned(value)) => Ending::Returned(value),
            Some(End::Mutation(call)) => Ending::Mutation(call),
            Some(End::Failed(fault)) => Ending::Failed(fault.failure.cropped()),
        };
        Report { ending, logs: result.logs, is_worth_repeating: result.is_worth_repeating }
    }

    /// Waits until no call is under way. Calls that begin meanwhile wait until this returns.
    ///
    /// # Cancel safety
    /// Dropping the future has no other effect.
    pub async fn idle(&self) {
        self.0.0.wait_until_idle().await;
    }

    /// Cancels every call and waits until all threads are free. Later calls are cancelled at once.
    ///
    /// # Cancel safety
    /// The sandbox is closed even if the future is dropped.
    pub async fn shutdown(&self) {
        self.0.0.close();
        self.0.0.wait_until_idle().await;
    }

    pub(crate) async fn run(&self, script: Script, work: Work, placement: Placement) -> CallResult {
        let Placement { workspace, in_fresh_isolate, log } = placement;
        let written = Arc::clone(&script.source);
        let pool = &self.0.0;
        let max = pool.options.limits.source_bytes;
        if script.source.len() > max as usize {
            return Fault::limit("the script is too long", "source_bytes", max).into();
        }
        if !platform::is_started() {
            return Fault::internal("V8 is not started: call `initialize` at the start of `main`")
                .into();
        }
        let script = match self.without_types(script).await {
            Ok(script) => script,
            Err(untyped) => return untyped.into_fault().into(),
        };
        let Ok(tokio) = Handle::try_current() else {
            return Fault::internal("the sandbox was not called from a tokio runtime").into();
        };
        let Some(permit) = pool.acquire_permit().await else { return CallResult::cancelled() };
        let core = pool.acquire_core(workspace).await;
        let (reply, done) = oneshot::channel();
        let slot = CallSlot { reply, permit, core: Some(core), thread: None };
        let control = Arc::new(CallControl::new(self.call_limits(&work), workspace, slot));
        let cancel = CancelOnDrop { pool, call: Arc::clone(&control) };
        let result = match submit(
            pool,
            Job { script, written, work, tokio, control, in_fresh_isolate, log },
        ) {
            Err(error) => no_thread(&error),
            Ok(false) => CallResult::cancelled(),
            Ok(true) => done.await.unwrap_or_else(|_gone| {
                Fault::internal("the script's thread ended unexpectedly").into()
            }),
        };
        drop(cancel);
        result
    }

    /// The script as it runs: TypeScript without its types.
    ///
    /// # Errors
    /// What is no valid TypeScript, or cannot be made JavaScript by taking types out.
    pub(crate) async fn without_types(&self, script: Script) -> Result<Script, Untyped> {
        if !typescript::is_typescript(&script) {
            return Ok(script);
        }
        let known = &self.0.0.plain;
        let source = match known.find(&script) {
            Some(text) => text,
            None => {
                let written = Arc::clone(&script.source);
                let work = move |budget: &Rc<Budget>| typescript::plain(&written, budget);
                let taken_out = on_thread(self.limits(), work).await;
                let text: Arc<str> = match taken_out {
                    Ok(Ok(text)) => text.into(),
                    Ok(Err(problems)) => return Err(Untyped { script, problems }),
                    Err(fault) => return Err(Untyped { script, problems: vec![fault.into()] }),
                };
                known.add(&script, Arc::clone(&text));
                text
            }
        };
        Ok(Script { source, ..script })
    }

    /// What scripts find beside the builtins.
    pub(crate) fn functions(&self) -> Arc<[Function]> {
        Arc::clone(&self.0.0.functions)
    }

    /// The limits of scripts.
    pub(crate) fn limits(&self) -> &ScriptLimits {
        &self.0.0.options.limits
    }

    fn call_limits(&self, work: &Work) -> CallLimits {
        let limits = self.limits();
        let (time_ms, time_setting) = match work {
            Work::Handle { .. } => (limits.wall_time_ms, "wall_time_ms"),
            Work::Describe => (limits.check_time_ms, "check_time_ms"),
        };
        let ScriptLimits { cpu_time_ms, heap_mib, native_mib, .. } = *limits;
        CallLimits { time_ms, time_setting, cpu_time_ms, heap_mib, native_mib }
    }
}
