//! Fault points, in debug builds only: at each of them the crash tests can kill this process.
//!
//! Every operation of the store and every call of a tool is wrapped between two named points. With `WINDLASS_FAULT_TRACE` a
//! process writes the names of the points it passes to that file; with `WINDLASS_FAULT_KILL=n` it kills itself, as `kill -9`
//! would, at the nth point. A test runs once with the trace and then once for each line of it, so that a boundary which is
//! added later is covered without anyone thinking of it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;
use windlass_core::{Age, Failure, LookupResult};
use windlass_scheduler::{
    Effect, MutationCall, Place, Subject, Tool, ToolCall, ToolError, ToolSpec,
};
use windlass_store::{Layer, LayeredStore, Result, SharedStore, WriteOutcome};

/// What this process does at fault points.
#[derive(Debug)]
pub(crate) struct Faults {
    trace: Option<Mutex<File>>,
    kill_at: Option<u64>,
    passed: Mutex<u64>,
}

impl Faults {
    /// Reads what the environment asks for; nothing in a release build.
    ///
    /// # Errors
    /// Where the trace cannot be opened.
    #[expect(
        clippy::disallowed_methods,
        reason = "the crash tests control this process through its environment"
    )]
    pub(crate) fn from_environment() -> std::io::Result<Option<Arc<Self>>> {
        if !cfg!(debug_assertions) {
            return Ok(None);
        }
        let trace = std::env::var("WINDLASS_FAULT_TRACE").ok();
        let kill_at =
            std::env::var("WINDLASS_FAULT_KILL").ok().and_then(|point| point.parse().ok());
        if trace.is_none() && kill_at.is_none() {
            return Ok(None);
        }
        let open = |path| OpenOptions::new().create(true).append(true).open(path).map(Mutex::new);
        let trace = trace.map(open).transpose()?;
        Ok(Some(Arc::new(Self { trace, kill_at, passed: Mutex::new(0) })))
    }

    /// Wraps every operation of a store.
    pub(crate) fn store(self: &Arc<Self>, inner: SharedStore) -> SharedStore {
        Arc::new(LayeredStore { inner, layer: Points(Arc::clone(self)) })
    }

    /// Wraps every call of a tool.
    pub(crate) fn tool(self: &Arc<Self>, inner: Arc<dyn Tool>) -> Arc<dyn Tool> {
        Arc::new(FaultyTool { inner, faults: Arc::clone(self) })
    }

    fn point(&self, name: &str, side: &str) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        *passed += 1;
        if let Some(trace) = &self.trace {
            let mut trace = trace.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = writeln!(trace, "{name}.{side}") {
                tracing::error!(%error, "could not write the trace of fault points");
            }
        }
        if self.kill_at == Some(*passed) {
            let me = rustix::process::getpid();
            if let Err(error) = rustix::process::kill_process(me, rustix::process::Signal::KILL) {
                tracing::error!(%error, "could not kill this process");
            }
        }
    }
}

/// Every operation of the store between two points.
#[derive(Debug)]
struct Points(Arc<Faults>);

#[async_trait]
impl Layer for Points {
    async fn write<T: WriteOutcome>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.point(name, "before");
        let result = call.await;
        self.0.point(name, "after");
        result
    }
}

#[derive(Debug)]
struct FaultyTool {
    inner: Arc<dyn Tool>,
    faults: Arc<Faults>,
}

impl FaultyTool {
    fn point(&self, side: &str) {
        let ToolSpec { namespace, method, .. } = self.inner.spec();
        self.faults.point(&format!("{namespace}.{method}"), side);
    }
}

#[async_trait]
impl Tool for FaultyTool {
    fn spec(&self) -> &ToolSpec {
        self.inner.spec()
    }

    fn effect(&self, input: &Value) -> Effect {
        self.inner.effect(input)
    }

    async fn read(&self, call: ToolCall) -> std::result::Result<Value, Failure> {
        self.point("before");
        let answer = self.inner.read(call).await;
        self.point("after");
        answer
    }

    async fn mutate(&self, call: MutationCall) -> std::result::Result<Value, ToolError> {
        self.point("before");
        let answer = self.inner.mutate(call).await;
        self.point("after");
        answer
    }

    fn subject(&self, input: &Value) -> Subject {
        self.inner.subject(input)
    }

    async fn place(&self, input: &Value) -> std::result::Result<Option<Place>, Failure> {
        self.inner.place(input).await
    }

    fn can_look_up(&self, input: &Value) -> bool {
        self.inner.can_look_up(input)
    }

    fn keys_kept(&self, input: &Value) -> Option<Age> {
        self.inner.keys_kept(input)
    }

    async fn reconcile(&self, call: MutationCall) -> LookupResult {
        self.point("reconcile.before");
        let found = self.inner.reconcile(call).await;
        self.point("reconcile.after");
        found
    }
}
