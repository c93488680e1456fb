//! What the tests share: a sandbox of known size, and a world whose answers are known.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use windlass_core::{DataFault, Failure, Operation, ScriptLimits, ScriptPhase};
use windlass_sandbox::{
    AcceptedCall, Call, CallLog, Ending, Function, Host, HostCall, Options, Reply, Report, Sandbox,
    Script,
};

/// Limits that a hostile script hits soon.
pub(crate) fn limits() -> ScriptLimits {
    ScriptLimits {
        wall_time_ms: 20_000,
        check_time_ms: 2_000,
        heap_mib: 32,
        array_buffers_mib: 8,
        log_lines: 50,
        log_line_chars: 100,
        value_bytes: 100_000,
        passed_bytes: 300_000,
        value_elements: 5_000,
        passed_elements: 20_000,
        host_calls: 50,
        source_bytes: 200_000,
        ..ScriptLimits::default()
    }
}

/// A sandbox with those limits, two cores and eight threads.
pub(crate) fn sandbox() -> Sandbox {
    sandbox_with(limits(), 2)
}

pub(crate) fn sandbox_with(limits: ScriptLimits, cores: usize) -> Sandbox {
    windlass_sandbox::initialize_in_tests();
    Sandbox::start(Options { limits, functions: functions(), max_threads: 8, cores })
}

fn functions() -> Vec<Function> {
    let names = [
        ("Files", "append"),
        ("Files", "fail"),
        ("Files", "read"),
        ("Files", "readSlowly"),
        ("Files", "failSlowly"),
        ("Files", "panic"),
        ("Topics", "peek"),
        ("Topics", "publish"),
        ("Topics", "publishSlowly"),
        ("Topics", "registerInput"),
    ];
    let docs = |method| format!("What `{method}` does.");
    names
        .map(|(namespace, method)| Function {
            namespace: namespace.into(),
            method: method.into(),
            docs: docs(method),
            input: true.into(),
            operation: operation(method),
        })
        .into()
}

pub(crate) fn script(source: &str) -> Script {
    Script {
        name: "receipts.js".into(),
        source: source.into(),
        digest: windlass_core::digest_text(source).into(),
    }
}

/// A consumer `record` whose `prepare` has this body.
pub(crate) fn prepare(body: &str) -> Call {
    call_of(ScriptPhase::Prepare, &format!("async (state) => {{\n{body}\n}}"))
}

/// A script whose function for `phase` is this one, and the call of it with one argument, `{{"n": 1}}`.
pub(crate) fn call_of(phase: ScriptPhase, function: &str) -> Call {
    let source = match phase {
        ScriptPhase::Producer => {
            format!("const workflow = {{ producers: {{ record: {{ handler: {function} }} }} }};")
        }
        ScriptPhase::Prepare | ScriptPhase::Mutate | ScriptPhase::Next => {
            format!("const workflow = {{ consumers: {{ record: {{ {phase}: {function} }} }} }};")
        }
    };
    call_in(phase, &source)
}

/// The call of the handler `record` in a whole script.
pub(crate) fn call_in(phase: ScriptPhase, source: &str) -> Call {
    Call {
        script: script(source),
        workspace: None,
        phase,
        handler: "record".into(),
        arguments: vec![json!({"n": 1})],
        in_fresh_isolate: false,
        log: CallLog::default(),
    }
}

/// A world that notes what it is asked.
pub(crate) struct World {
    pub(crate) asked: Mutex<Vec<(String, Value)>>,
    /// Lets slow replies arrive.
    pub(crate) gate: Signal,
    /// Tells that the host was called.
    pub(crate) called: Signal,
    /// Tells that a slow reply is awaited.
    pub(crate) waiting: Signal,
}

impl Default for World {
    fn default() -> Self {
        let [gate, called, waiting] = std::array::from_fn(|_| Signal(Semaphore::new(0)));
        Self { asked: Mutex::default(), gate, called, waiting }
    }
}

/// Something that happens, each time for one that waits for it.
pub(crate) struct Signal(Semaphore);

impl Signal {
    pub(crate) fn give(&self) {
        self.0.add_permits(1);
    }

    /// How often it happened for nobody yet.
    pub(crate) fn count(&self) -> usize {
        self.0.available_permits()
    }

    pub(crate) async fn taken(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

impl World {
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }
}

/// What a call of that method does.
fn operation(method: &str) -> Operation {
    match method {
        "append" => Operation::Mutation,
        "peek" => Operation::TopicPeek,
        "publish" | "publishSlowly" => Operation::TopicPublish,
        "registerInput" => Operation::RegisterInput,
        _ => Operation::Read,
    }
}

/// The world as a host; `Arc`ed so that slow replies can hold on to it.
pub(crate) struct At(pub(crate) Arc<World>);

impl Host for At {
    fn accept(&self, call: HostCall) -> Result<AcceptedCall, Failure> {
        if call.input.get("malformed").is_some() {
            return Err(Failure::logic("`malformed` is no property of the input"));
        }
        let operation = operation(&call.method);
        let world = Arc::clone(&self.0);
        Ok(AcceptedCall::new(operation, move || answer(&world, call)))
    }
}

fn answer(world: &Arc<World>, call: HostCall) -> Reply {
    let name = format!("{}.{}", call.namespace, call.method);
    world.asked.lock().unwrap().push((name, call.input.clone()));
    world.called.give();
    let world = Arc::clone(world);
    match call.method.as_str() {
        "fail" => Reply::Now(Err(Failure::network("the service did not answer"))),
        "read" if call.input.get("missing").is_some() => Reply::Now(Err(missing())),
        "read" if call.input.get("huge").is_some() => Reply::Now(Ok("x".repeat(200_000).into())),
        "read" if call.input.get("many").is_some() => Reply::Now(Ok(vec![0; 6_000].into())),
        "panic" => panic!("the host is broken"),
        "readSlowly" => Reply::Later(
            async move {
                world.waiting.give();
                world.gate.taken().await;
                Ok(json!({"slow": call.input}))
            }
            .boxed(),
        ),
        "publishSlowly" => Reply::Later(
            async move {
                world.waiting.give();
                world.gate.taken().await;
                match call.input.get("bad") {
                    Some(_) => Err(Failure::logic("there is no such input")),
                    None => Ok(Value::Null),
                }
            }
            .boxed(),
        ),
        "failSlowly" => Reply::Later(
            async move {
                tokio::task::yield_now().await;
                if call.input.get("missing").is_some() {
                    return Err(missing());
                }
                Err(Failure::network("the service did not answer in time"))
            }
            .boxed(),
        ),
        _ => Reply::Now(Ok(json!({"echo": call.input}))),
    }
}

fn missing() -> Failure {
    Failure::about_data(DataFault::NotFound, "`a` does not exist")
}

pub(crate) async fn run(sandbox: &Sandbox, call: Call) -> Report {
    run_in(sandbox, call, &Arc::default()).await
}

pub(crate) async fn run_in(sandbox: &Sandbox, call: Call, world: &Arc<World>) -> Report {
    sandbox.call(call, Arc::new(At(Arc::clone(world)))).await
}

/// What a healthy call returns.
pub(crate) fn returned(report: &Report) -> Value {
    let Ending::Returned(Some(value)) = &report.ending else {
        panic!("the call did not return a value: {:?}", report.ending)
    };
    value.clone()
}

/// A failure as a person sees it: class, message, place and line.
pub(crate) fn failure(report: &Report) -> String {
    let Ending::Failed(failure) = &report.ending else {
        panic!("the call did not fail: {:?}", report.ending)
    };
    let mut text = format!("{}: {}\n", failure.class, failure.message);
    if let Some(at) = &failure.at {
        text += &format!("  at {at}\n  {}\n", at.source_line.as_deref().unwrap_or("(no line)"));
    }
    text
}
