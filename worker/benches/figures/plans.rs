//! Nodes per second of plans whose nodes call a tool that does nothing.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use windlass_core::graph::{Draft, GraphStatus, compile, normalise};
use windlass_core::{Actor, WorkflowId};
use windlass_store::{GraphIncludes, GraphSelector, GraphText, Run, StartPlan};

use crate::case::BenchContext;
use crate::database::{Database, DatabaseKind};
use crate::measure::{Repetition, as_f64, millis_between};
use crate::running_engine::RunningEngine;
use crate::seed_rows;
use crate::throughput::times;
use crate::world::{SLOTS, World};

/// How the nodes of a plan stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each waits for the one before.
    Chain,
    /// All are ready at once, and sixteen run beside each other.
    Wide,
}

/// Each repetition in a database of its own.
pub(crate) async fn measure(
    context: &BenchContext,
    kind: DatabaseKind,
    (shape, n_nodes): (Shape, usize),
) -> anyhow::Result<Vec<Repetition>> {
    let mut repetitions = Vec::new();
    for _ in 0..context.n_repetitions {
        let database = context.database(kind).await?;
        let n_nodes = context.size(n_nodes, n_nodes / 5);
        repetitions.push(run(&database, "figures", shape, n_nodes).await?);
    }
    Ok(repetitions)
}

/// How many nodes the plan has that is copied to fill a database.
const NODES_OF_COPIED: usize = 100;

/// All repetitions in one database that holds plans with this many finished nodes.
pub(crate) async fn measure_growth(
    context: &BenchContext,
    kind: DatabaseKind,
    n_finished: u32,
) -> anyhow::Result<Vec<Repetition>> {
    let database = context.database(kind).await?;
    if n_finished > 0 {
        run(&database, "finished", Shape::Wide, NODES_OF_COPIED).await?;
        let n_copies = n_finished / u32::try_from(NODES_OF_COPIED)? - 1;
        seed_rows::finished_plans(&database, n_copies).await?;
    }
    let n_nodes = "SELECT count(*) FROM node_runs WHERE status = 'completed'";
    let n_nodes = database.number(n_nodes).await?;
    ensure!(n_nodes == i64::from(n_finished), "{n_nodes} finished nodes");

    let mut repetitions = Vec::new();
    for number in 0..context.n_repetitions {
        let name = format!("figures-{number}");
        let mut repetition = run(&database, &name, Shape::Chain, context.size(300, 60)).await?;
        repetition.set("finished", f64::from(n_finished));
        repetitions.push(repetition);
    }
    Ok(repetitions)
}

/// Starts a plan and waits for its end.
async fn run(
    database: &Database,
    name: &str,
    shape: Shape,
    n_nodes: usize,
) -> anyhow::Result<Repetition> {
    let world = World::open(database).await?;
    let workflow = world.start_plan(name, &draft(shape, n_nodes)).await?;
    let mut engine = RunningEngine::start(&world, SLOTS)?;
    engine.committed(n_nodes).await?;
    engine.stop().await?;
    let mut applied = world.calls.applied(workflow);
    applied.sort_unstable();
    let wanted: Vec<u64> = (1..).take(n_nodes).collect();
    ensure!(applied == wanted, "not each node had its effect once: {applied:?}");
    world.require_completed(workflow).await?;
    let mut runs = world.runs(workflow).await?;
    ensure!(runs.len() == n_nodes, "{} runs", runs.len());
    runs.sort_unstable_by_key(|run| run.started_at);
    summarize(&runs, shape)
}

fn summarize(runs: &[Run], shape: Shape) -> anyhow::Result<Repetition> {
    let times = runs.iter().map(times).collect::<anyhow::Result<Vec<_>>>()?;
    let began = times.iter().map(|(started, _)| *started).min().context("no run")?;
    let ended = times.iter().map(|(_, ended)| *ended).max().context("no run")?;
    let mut repetition = Repetition::default();
    repetition.set_count("runs", runs.len());
    repetition.set("runs_per_s", as_f64(runs.len()) / ended.since(began).as_secs_f64());
    let ms = match shape {
        // From the end of a node to the start of the next one.
        Shape::Chain => times
            .windows(2)
            .filter_map(|pair| Some(millis_between(pair.first()?.1, pair.last()?.0)))
            .collect(),
        Shape::Wide => {
            times.iter().map(|(started, ended)| millis_between(*started, *ended)).collect()
        }
    };
    repetition.set_series("ms", ms);
    Ok(repetition)
}

fn draft(shape: Shape, n_nodes: usize) -> Value {
    let node = |number: usize| {
        json!({
            "id": format!("node-{number}"), "type": "tool", "label": "a node", "objective": "none",
            "instructions": "none", "input": { "n": number }, "successCriteria": ["it is called"],
            "owner": { "executorType": "system", "ref": "Bench.apply" },
        })
    };
    let nodes: Vec<Value> = (1..=n_nodes).map(node).collect();
    let edge = |number: usize| json!({ "from": format!("node-{number}"), "to": format!("node-{}", number + 1), "map": {} });
    let edges: Vec<Value> = match shape {
        Shape::Chain => (1..n_nodes).map(edge).collect(),
        Shape::Wide => Vec::new(),
    };
    let max_parallel = if shape == Shape::Wide { 16 } else { 1 };
    json!({
        "title": "figures", "objective": "figures", "maxParallel": max_parallel,
        "nodes": nodes, "edges": edges,
    })
}

impl World {
    /// Starts a plan that may call what it calls.
    async fn start_plan(&self, name: &str, draft: &Value) -> anyhow::Result<WorkflowId> {
        let source = draft.to_string();
        let draft = Draft::read(&source).map_err(|finding| anyhow::anyhow!("{finding:?}"))?;
        let graph = compile(normalise(draft))?;
        let params = StartPlan {
            workspace: self.workspace,
            workstream: name.to_owned(),
            grant: graph.tools(),
            text: GraphText { file_name: "plan.json".to_owned(), source, graph },
            replaces: None,
            idempotency_key: None,
            deadline_at: None,
            actor: Actor::User("figures".to_owned()),
        };
        self.store.start_plan(params).await?;
        Ok(self.store.find_workflow(self.workspace, name).await?.id)
    }

    async fn require_completed(&self, workflow: WorkflowId) -> anyhow::Result<()> {
        let which = GraphSelector::Newest(workflow);
        let plan = self.store.graph(self.workspace, which, GraphIncludes::default()).await?;
        let plan = plan.context("no plan")?;
        ensure!(plan.run.status == GraphStatus::Completed, "the plan is {}", plan.run.status);
        Ok(())
    }
}
