//! The sandbox alone, without a store or an engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Barrier;
use tokio::time::Instant;
use windlass_core::{Failure, Operation, ScriptLimits, ScriptPhase, digest_text};
use windlass_sandbox::{
    AcceptedCall, Call, CallLog, Ending, Function, Host, HostCall, Options, Reply, Sandbox, Script,
};

use crate::case::BenchContext;
use crate::database::{Database, DatabaseKind};
use crate::measure::{Repetition, as_f64, millis};
use crate::scripts;
use crate::world;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A call of a script of this many bytes.
    Size(usize),
    /// Calls by several threads that share a core.
    OneCore,
    /// The memory of an isolate.
    Memory,
}

/// The argument of a process that only measures isolates.
pub(crate) const ISOLATES_ALONE: &str = "--isolates";

/// How many calls are warm-up.
const WARM_UP_EVENTS: usize = 20;

/// How many isolates are measured.
const ISOLATES: usize = 16;

pub(crate) async fn measure(context: &BenchContext, part: Part) -> anyhow::Result<Vec<Repetition>> {
    let functions = functions(&context.directory).await?;
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        repetitions.push(match part {
            Part::Size(size_bytes) => {
                let n_calls = context.size(if size_bytes > 100_000 { 500 } else { 2_000 }, 100);
                sequential_calls(&functions, &scripts::of_size(size_bytes), n_calls).await?
            }
            Part::OneCore => one_core(&functions, context.size(4_000, 400)).await?,
            Part::Memory => memory().await?,
        });
    }
    Ok(repetitions)
}

/// The functions of the host.
pub(crate) async fn functions(directory: &Path) -> anyhow::Result<Vec<Function>> {
    world::functions(&Database::create(DatabaseKind::Nothing, directory, None).await?)
}

fn start(functions: &[Function], max_threads: usize, cores: usize) -> Sandbox {
    let limits = ScriptLimits::default();
    Sandbox::start(Options { limits, functions: functions.to_vec(), max_threads, cores })
}

fn call_of(source: &str) -> Call {
    Call {
        script: Script {
            name: "figures.js".into(),
            source: source.into(),
            digest: digest_text(source).into(),
        },
        workspace: None,
        phase: ScriptPhase::Prepare,
        handler: "act".to_owned(),
        arguments: vec![Value::Null],
        in_fresh_isolate: false,
        log: CallLog::default(),
    }
}

/// Makes a call and checks its result.
async fn call(sandbox: &Sandbox, call: &Call, host: &Arc<dyn Host>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let report = sandbox.call(call.clone(), Arc::clone(host)).await;
    let elapsed = began.elapsed();
    let expected = [Ending::Returned(Some(json!({ "used": 1 }))), Ending::Returned(None)];
    ensure!(expected.contains(&report.ending), "a call ended with {:?}", report.ending);
    Ok(elapsed)
}

async fn sequential_calls(
    functions: &[Function],
    source: &str,
    n_calls: usize,
) -> anyhow::Result<Repetition> {
    let (sandbox, host) = (start(functions, 1, 1), idle_host());
    let request = call_of(source);
    for _ in 0..WARM_UP_EVENTS {
        call(&sandbox, &request, &host).await?;
    }
    let mut latencies = Vec::new();
    for _ in 0..n_calls {
        latencies.push(millis(call(&sandbox, &request, &host).await?));
    }
    sandbox.shutdown().await;
    let mut repetition = Repetition::default();
    repetition.set_count("runs", n_calls);
    repetition.set("script_bytes", as_f64(source.len()));
    repetition.set_series("ms", latencies);
    Ok(repetition)
}

async fn one_core(functions: &[Function], n_calls: usize) -> anyhow::Result<Repetition> {
    const THREADS: usize = 4;

    let (sandbox, host) = (start(functions, THREADS, 1), idle_host());
    let request = call_of(&scripts::of_size(1_000));
    let calls = |n_each: usize| {
        let (sandbox, host, request) = (&sandbox, &host, &request);
        try_join_all((0..THREADS).map(move |_| async move {
            for _ in 0..n_each {
                call(sandbox, request, host).await?;
            }
            anyhow::Ok(())
        }))
    };
    calls(WARM_UP_EVENTS).await?;
    let began = Instant::now();
    calls(n_calls / THREADS).await?;
    let elapsed = began.elapsed();
    sandbox.shutdown().await;
    let mut repetition = Repetition::default();
    repetition.set_count("runs", n_calls);
    repetition.set("runs_per_s", as_f64(n_calls) / elapsed.as_secs_f64());
    Ok(repetition)
}

/// In a new process: this one would reuse memory that it has freed, and seem not to grow.
async fn memory() -> anyhow::Result<Repetition> {
    let mut program = Command::new(std::env::current_exe()?);
    let output = program.arg(ISOLATES_ALONE).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut repetition = Repetition::default();
    repetition.set("isolate_mib", String::from_utf8(output.stdout)?.trim().parse()?);
    Ok(repetition)
}

/// Makes isolates by calls that all wait for one another, and returns by how many MiB each has made the process grow when the
/// calls have ended.
pub(crate) async fn isolate_mib(functions: &[Function]) -> anyhow::Result<f64> {
    let request = call_of(scripts::WAITING_SCRIPT);
    // The first isolate also loads V8 itself, which does not count.
    let first = start(functions, 1, 1);
    call(&first, &request, &barrier_host(1)).await?;
    let before = resident_kib()?;
    let sandbox = start(functions, ISOLATES, 2);
    let host = barrier_host(ISOLATES);
    let calls = (0..ISOLATES).map(|_| call(&sandbox, &request, &host));
    for done in join_all(calls).await {
        done?;
    }
    let after = resident_kib()?;
    ensure!(after > before, "{ISOLATES} isolates took no memory");
    sandbox.shutdown().await;
    first.shutdown().await;
    Ok((after - before) / 1024.0 / as_f64(ISOLATES))
}

fn resident_kib() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("no `VmRSS` in `/proc/self/status`")?.parse()?)
}

/// A host that is never called.
fn idle_host() -> Arc<dyn Host> {
    barrier_host(1)
}

/// A host that answers when this many calls wait.
fn barrier_host(n_calls: usize) -> Arc<dyn Host> {
    Arc::new(BarrierHost(Arc::new(Barrier::new(n_calls))))
}

struct BarrierHost(Arc<Barrier>);

impl Host for BarrierHost {
    fn accept(&self, _call: HostCall) -> Result<AcceptedCall, Failure> {
        let barrier = Arc::clone(&self.0);
        Ok(AcceptedCall::new(Operation::Read, || {
            Reply::Later(Box::pin(async move {
                barrier.wait().await;
                Ok(Value::Null)
            }))
        }))
    }
}
