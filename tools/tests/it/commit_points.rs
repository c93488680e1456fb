//! The conformance test of tools with effects: each makes its last check right before its irreversible step.
//!
//! A call of every such tool is frozen before its commit point, refused at it, and frozen after it. "Frozen" means that the worker's
//! right to the run ends meanwhile, as it does for a process that is stopped for longer than its lease.

use std::any::Any;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass_core::Sent;
use windlass_scheduler::{Effect, MutationCall, Tool, ToolError, ToolSpec};

use crate::server::Server;
use crate::world::World;

/// A tool, and the world outside in which it acts.
pub(crate) trait Trial {
    fn world(&self) -> &World;

    fn tool(&self) -> Arc<dyn Tool>;

    /// The input of the `n`th call. Each call has an effect of its own.
    fn input(&self, n: usize) -> Value;

    fn n_effects(&self) -> usize;

    /// Makes the next call wait before its step until this is dropped; none for a tool that has nothing to wait for.
    fn hold(&self) -> Option<Box<dyn Any>>;
}

/// Checks that the tool passes its commit point after its waiting and before its effect.
pub(crate) async fn check_commit_point(trial: &impl Trial) -> Result<(), String> {
    frozen_before(trial).await?;
    refused(trial).await?;
    frozen_after(trial).await
}

async fn frozen_before(trial: &impl Trial) -> Result<(), String> {
    let Some(held) = trial.hold() else { return Ok(()) };
    let is_safe = Arc::new(AtomicBool::new(true));
    let right = Arc::clone(&is_safe);
    let tool = trial.tool();
    let right = move || right.load(Ordering::SeqCst);
    let (watch, call) = trial.world().mutation_call(tool.as_ref(), trial.input(0), right).await;
    let mut calling = tool.mutate(call);
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut calling).await;
    require(waited.is_err(), "the call does not wait although it is held up")?;

    is_safe.store(false, Ordering::SeqCst);
    drop(held);
    let answer = calling.await;

    require(trial.n_effects() == 0, "the effect happened although the right ended before it")?;
    require(is_not_sent(&answer), "the effect is not reported as not sent")?;
    require(!watch.close(), "the point was passed before the waiting")
}

async fn refused(trial: &impl Trial) -> Result<(), String> {
    let (tool, input) = (trial.tool(), trial.input(1));
    let (watch, call) = trial.world().mutation_call(tool.as_ref(), input, || false).await;

    let answer = tool.mutate(call).await;

    require(trial.n_effects() == 0, "the effect happened although the point refused it")?;
    require(is_not_sent(&answer), "a refused effect is not reported as not sent")?;
    require(!watch.close(), "a refused point counts as passed")
}

async fn frozen_after(trial: &impl Trial) -> Result<(), String> {
    let is_safe = AtomicBool::new(true);
    let ends_at_once = move || is_safe.swap(false, Ordering::SeqCst);
    let (tool, input) = (trial.tool(), trial.input(2));
    let (watch, call) = trial.world().mutation_call(tool.as_ref(), input, ends_at_once).await;

    let answer = tool.mutate(call).await;

    require(trial.n_effects() == 1, "the effect did not happen once")?;
    require(answer.is_ok(), "the effect is not reported as such")?;
    require(watch.close(), "the effect happened without a passed point")
}

fn is_not_sent(answer: &Result<Value, ToolError>) -> bool {
    answer.as_ref().is_err_and(|error| error.sent == Sent::No)
}

fn require(is_so: bool, otherwise: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// A built-in tool. The functions say what an effect is there, and what holds a call up.
struct Builtin<'a> {
    world: &'a World,
    name: &'static str,
    input: fn(usize) -> Value,
    n_effects: &'a dyn Fn() -> usize,
    hold: &'a dyn Fn() -> Option<Box<dyn Any>>,
}

impl Trial for Builtin<'_> {
    fn world(&self) -> &World {
        self.world
    }

    fn tool(&self) -> Arc<dyn Tool> {
        self.world.tool(self.name)
    }

    fn input(&self, n: usize) -> Value {
        (self.input)(n)
    }

    fn n_effects(&self) -> usize {
        (self.n_effects)()
    }

    fn hold(&self) -> Option<Box<dyn Any>> {
        (self.hold)()
    }
}

/// The lock of a file, as another program would hold it.
fn lock(world: &World, path: &str) -> Option<Box<dyn Any>> {
    let file = File::open(world.put(path, "")).unwrap();
    file.lock().unwrap();
    Some(Box::new(file))
}

#[tokio::test]
async fn a_line_is_checked_for_after_the_lock_and_before_it_is_written() {
    let world = World::new();
    let trial = Builtin {
        world: &world,
        name: "Files.append",
        input: |n| json!({"path": "out/a.csv", "line": format!("line {n}")}),
        n_effects: &|| world.text("out/a.csv").lines().count(),
        hold: &|| lock(&world, "out/a.csv"),
    };

    assert_eq!(check_commit_point(&trial).await, Ok(()));
}

#[tokio::test]
async fn a_text_is_checked_for_after_the_lock_and_before_the_file_is_replaced() {
    let world = World::new();
    world.put("out/a.txt", "old");
    let trial = Builtin {
        world: &world,
        name: "Files.write",
        input: |n| json!({"path": "out/a.txt", "text": format!("text {n}")}),
        n_effects: &|| usize::from(world.text("out/a.txt") != "old"),
        hold: &|| lock(&world, "out/.a.txt.windlass-tmp"),
    };

    assert_eq!(check_commit_point(&trial).await, Ok(()));
}

#[tokio::test]
async fn a_file_is_checked_for_before_it_is_deleted() {
    let world = World::new();
    for n in 0..3 {
        world.put(&format!("out/{n}"), "");
    }
    let trial = Builtin {
        world: &world,
        name: "Files.delete",
        input: |n| json!({"path": format!("out/{n}")}),
        n_effects: &|| (0..3).filter(|n| !world.path(&format!("out/{n}")).exists()).count(),
        hold: &|| None,
    };

    assert_eq!(check_commit_point(&trial).await, Ok(()));
}

#[tokio::test]
async fn a_notification_is_checked_for_before_it_is_stored() {
    let world = World::new();
    let trial = Builtin {
        world: &world,
        name: "User.notify",
        input: |n| json!({"title": format!("title {n}"), "text": ""}),
        n_effects: &|| world.notifications.kept.lock().unwrap().len(),
        hold: &|| None,
    };

    assert_eq!(check_commit_point(&trial).await, Ok(()));
}

/// The unit tests of the transport hold a request up while the name of its server is resolved.
#[tokio::test]
async fn a_request_is_checked_for_before_it_is_sent() {
    for name in ["Http.post", "Http.put", "Http.patch", "Http.delete"] {
        let server = Server::start().await;
        let world = World::with(&json!({"http": {"allow": [server.address.to_string()]}}));
        let trial = ToServer { world, server, name };

        assert_eq!(check_commit_point(&trial).await, Ok(()), "{name}");
    }
}

struct ToServer {
    world: World,
    server: Server,
    name: &'static str,
}

impl Trial for ToServer {
    fn world(&self) -> &World {
        &self.world
    }

    fn tool(&self) -> Arc<dyn Tool> {
        self.world.tool(self.name)
    }

    fn input(&self, n: usize) -> Value {
        json!({"url": self.server.url("/orders"), "body": {"n": n}})
    }

    fn n_effects(&self) -> usize {
        self.server.got().len()
    }

    fn hold(&self) -> Option<Box<dyn Any>> {
        None
    }
}

/// When a tool of the test passes its point.
#[derive(Debug, Clone, Copy)]
enum Passing {
    BeforeItsWaiting,
    Never,
    AfterItsEffect,
}

/// A tool that is wrong about its point.
#[derive(Debug)]
struct Wrong {
    spec: ToolSpec,
    passing: Passing,
    lock: Arc<tokio::sync::Mutex<()>>,
    n_effects: Mutex<usize>,
}

#[async_trait]
impl Tool for Wrong {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        Effect::Mutation
    }

    async fn mutate(&self, call: MutationCall) -> Result<Value, ToolError> {
        if matches!(self.passing, Passing::BeforeItsWaiting) {
            call.point.pass()?;
        }
        let _lock = self.lock.lock().await;
        *self.n_effects.lock().unwrap() += 1;
        if matches!(self.passing, Passing::AfterItsEffect) {
            call.point.pass()?;
        }
        Ok(Value::Null)
    }
}

struct OfWrong {
    world: World,
    tool: Arc<Wrong>,
    is_held: bool,
}

impl Trial for OfWrong {
    fn world(&self) -> &World {
        &self.world
    }

    fn tool(&self) -> Arc<dyn Tool> {
        Arc::<Wrong>::clone(&self.tool)
    }

    fn input(&self, n: usize) -> Value {
        json!(n)
    }

    fn n_effects(&self) -> usize {
        *self.tool.n_effects.lock().unwrap()
    }

    fn hold(&self) -> Option<Box<dyn Any>> {
        let lock = Arc::clone(&self.tool.lock);
        self.is_held.then(|| Box::new(lock.try_lock_owned().unwrap()) as Box<dyn Any>)
    }
}

/// What the conformance test says about a wrong tool.
async fn verdict(passing: Passing, is_held: bool) -> String {
    let spec = ToolSpec {
        namespace: "Wrong".to_owned(),
        method: "change".to_owned(),
        docs: String::new(),
        input: json!({}),
        output: json!({}),
        input_types: Vec::new(),
    };
    let (lock, n_effects) = Default::default();
    let tool = Arc::new(Wrong { spec, passing, lock, n_effects });
    let trial = OfWrong { world: World::new(), tool, is_held };
    check_commit_point(&trial).await.unwrap_err()
}

#[tokio::test]
async fn a_tool_that_forgets_its_point_or_passes_it_at_the_wrong_time_does_not_conform() {
    assert_eq!(
        verdict(Passing::Never, true).await,
        "the effect happened although the right ended before it"
    );
    assert_eq!(
        verdict(Passing::BeforeItsWaiting, true).await,
        "the effect happened although the right ended before it"
    );
    for passing in [Passing::Never, Passing::AfterItsEffect] {
        assert_eq!(
            verdict(passing, false).await,
            "the effect happened although the point refused it",
            "{passing:?}"
        );
    }
}
