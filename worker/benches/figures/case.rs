//! The cases: what each measures, and on which databases.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;

use crate::database::{Database, DatabaseKind};
use crate::measure::Repetition;
use crate::plans::Shape;
use crate::scripts::ScriptParts;
use crate::throughput::Load;
use crate::{cross_process, growth, idle, latency, plans, recovery, sandbox, startup, throughput};

/// One benchmark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What a run does, and what is measured.
    pub(crate) description: &'static str,
    pub(crate) n_workflows: Option<usize>,
    pub(crate) databases: &'static [DatabaseKind],
    /// Whether it runs only with `--all` or by name.
    pub(crate) is_long: bool,
    pub(crate) work: Work,
}

/// What a case does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Load(Load),
    Polls,
    Alone {
        slots: u32,
    },
    PublishToStart,
    Chain,
    CrossProcess,
    Sandbox(sandbox::Part),
    Idle {
        n_workflows: usize,
    },
    StartUp,
    /// With this many finished runs; none for the number given by `--finished`.
    Growth(Option<u32>),
    Recovery,
    /// A plan of so many nodes.
    Plan(Shape, usize),
    /// A plan beside this many finished nodes of others.
    PlanGrowth(u32),
}

/// What all cases share.
#[derive(Debug)]
pub(crate) struct BenchContext {
    /// Where databases are created.
    pub(crate) directory: PathBuf,
    /// The URL of a PostgreSQL server.
    pub(crate) server: Option<String>,
    /// Whether sizes are small.
    pub(crate) is_quick: bool,
    /// The number of finished runs in the case `growth-n`.
    pub(crate) n_finished: u32,
    pub(crate) n_repetitions: usize,
}

impl BenchContext {
    pub(crate) async fn database(&self, kind: DatabaseKind) -> anyhow::Result<Database> {
        Database::create(kind, &self.directory, self.server.as_deref()).await
    }

    /// The size for a full or a quick run.
    pub(crate) const fn size(&self, full: usize, quick: usize) -> usize {
        if self.is_quick { quick } else { full }
    }
}

const ALL: &[DatabaseKind] = &[DatabaseKind::File, DatabaseKind::Memory, DatabaseKind::Postgres];
const DURABLE: &[DatabaseKind] = &[DatabaseKind::File, DatabaseKind::Postgres];
const NO_DATABASE: &[DatabaseKind] = &[DatabaseKind::Nothing];

const MUTATING: &str = "prepare takes one event, mutate calls a tool that does nothing, next saves the state; all events \
                        are published before, the first tenth of the runs is warm-up";
const CONSUMING: &str = "as `mutating`, without mutate";
const PUBLISHING: &str = "as `mutating`, without mutate; next publishes as many events as the name says, each in a call of its own";

const fn load(name: &'static str, n_workflows: usize, n_runs: usize, parts: ScriptParts) -> Case {
    let description = match parts {
        ScriptParts { mutates: true, .. } => MUTATING,
        ScriptParts { publishes: 0, .. } => CONSUMING,
        ScriptParts { .. } => PUBLISHING,
    };
    let work = Work::Load(Load { n_workflows, n_runs, parts });
    Case { name, description, n_workflows: Some(n_workflows), databases: ALL, is_long: false, work }
}

const fn case(
    name: &'static str,
    databases: &'static [DatabaseKind],
    work: Work,
    description: &'static str,
) -> Case {
    Case { name, description, n_workflows: None, databases, is_long: false, work }
}

const fn long(case: Case) -> Case {
    Case { is_long: true, ..case }
}

const fn of(n_workflows: usize, case: Case) -> Case {
    Case { n_workflows: Some(n_workflows), ..case }
}

const MUTATES: ScriptParts = ScriptParts { mutates: true, publishes: 0 };

const fn publishes(publishes: u32) -> ScriptParts {
    ScriptParts { mutates: false, publishes }
}

const GROWTH: &str = "the case `mutating` over 100 workflows in a database that holds so many finished runs; claim and commit \
                      are timed one at a time";

const PLAN_GROWTH: &str =
    "the case `plan-chain` in a database that holds plans with so many finished nodes";

/// In the order in which they run.
pub(crate) const CASES: &[Case] = &[
    load("mutating", 1, 500, MUTATES),
    load("mutating", 10, 2_000, MUTATES),
    load("mutating", 100, 3_000, MUTATES),
    load("mutating", 1_000, 3_000, MUTATES),
    of(
        1,
        case(
            "alone",
            ALL,
            Work::Alone { slots: crate::world::SLOTS },
            "one mutating run at a time, which its worker takes with the commit that publishes; from the claim's transaction to the last one's",
        ),
    ),
    of(
        1,
        case(
            "alone-claimed",
            ALL,
            Work::Alone { slots: 1 },
            "the same by a worker with one slot, which claims each run by itself",
        ),
    ),
    load("consumer", 1, 500, publishes(0)),
    load("consumer", 100, 3_000, publishes(0)),
    load("next-1", 100, 1_000, publishes(1)),
    load("next-10", 100, 1_000, publishes(10)),
    load("next-100", 100, 300, publishes(100)),
    case(
        "producer",
        ALL,
        Work::Polls,
        "the handler registers an input and publishes an event, both of which are known already; a round per repetition is warm-up",
    ),
    of(
        1,
        case(
            "chain-10",
            ALL,
            Work::Chain,
            "an event goes through ten consumers without effects; from its publishing to the commit of the tenth",
        ),
    ),
    of(
        1,
        case(
            "publish-to-start",
            ALL,
            Work::PublishToStart,
            "from the transaction that publishes to the first line of the consumer's prepare, in one process",
        ),
    ),
    case(
        "publish-across",
        DURABLE,
        Work::CrossProcess,
        "from the transaction that publishes in one process to the claim by `windlass up`, another",
    ),
    case(
        "context",
        NO_DATABASE,
        Work::Sandbox(sandbox::Part::Size(0)),
        "a call of a tiny script: a fresh context with all functions of the host, the handler, and its answer",
    ),
    case(
        "script-1k",
        NO_DATABASE,
        Work::Sandbox(sandbox::Part::Size(1_000)),
        "a call of a script of 1 KB that was called before",
    ),
    case(
        "script-50k",
        NO_DATABASE,
        Work::Sandbox(sandbox::Part::Size(50_000)),
        "a call of a script of 50 KB that was called before",
    ),
    case(
        "script-1m",
        NO_DATABASE,
        Work::Sandbox(sandbox::Part::Size(1_000_000)),
        "a call of a script of 1 MB that was called before",
    ),
    case(
        "one-core",
        NO_DATABASE,
        Work::Sandbox(sandbox::Part::OneCore),
        "calls of a script of 1 KB by four threads that share one core",
    ),
    case(
        "isolate",
        NO_DATABASE,
        Work::Sandbox(sandbox::Part::Memory),
        "the resident memory of an isolate that has served and waits for the next call",
    ),
    of(
        1_000,
        case(
            "idle",
            DURABLE,
            Work::Idle { n_workflows: 1_000 },
            "`windlass up` while all workflows sleep: time on a core and context switches, per minute",
        ),
    ),
    case(
        "plan-chain",
        ALL,
        Work::Plan(Shape::Chain, 300),
        "a plan of 300 nodes that follow one another, each with an effect; from a node's end to the next one's start",
    ),
    case(
        "plan-wide",
        ALL,
        Work::Plan(Shape::Wide, 300),
        "a plan of 300 nodes that are ready at once, sixteen beside each other, each with an effect; from a node's claim to its end",
    ),
    case(
        "recovery",
        DURABLE,
        Work::Recovery,
        "from `kill -9` of a worker that holds a run until another, started at once on the machine, has consumed_runs it over",
    ),
    long(case(
        "start-up",
        DURABLE,
        Work::StartUp,
        "`windlass up` after a kill, with 100,000 open runs (5,000 in a quick run): from its start until the lost runs are taken over and the first run is claimed",
    )),
    long(of(100, case("growth-0", DURABLE, Work::Growth(Some(0)), GROWTH))),
    long(of(100, case("growth-10k", DURABLE, Work::Growth(Some(10_000)), GROWTH))),
    long(of(100, case("growth-1m", DURABLE, Work::Growth(Some(1_000_000)), GROWTH))),
    long(of(100, case("growth-n", DURABLE, Work::Growth(None), GROWTH))),
    long(case("plan-growth-0", DURABLE, Work::PlanGrowth(0), PLAN_GROWTH)),
    long(case("plan-growth-1m", DURABLE, Work::PlanGrowth(1_000_000), PLAN_GROWTH)),
];

impl Case {
    /// All repetitions.
    pub(crate) async fn run(
        &self,
        context: &BenchContext,
        kind: DatabaseKind,
    ) -> anyhow::Result<Vec<Repetition>> {
        let limit = Duration::from_secs(if self.is_long { 3_600 } else { 600 });
        let measured = tokio::time::timeout(limit, self.measure(context, kind)).await;
        let Ok(repetitions) = measured else { anyhow::bail!("it is not done after {limit:?}") };
        let repetitions = repetitions?;
        ensure!(repetitions.len() == context.n_repetitions, "{} repetitions", repetitions.len());
        Ok(repetitions)
    }

    async fn measure(
        &self,
        context: &BenchContext,
        kind: DatabaseKind,
    ) -> anyhow::Result<Vec<Repetition>> {
        match self.work {
            Work::Load(load) => throughput::measure(context, kind, load).await,
            Work::Polls => throughput::measure_polls(context, kind).await,
            Work::Alone { slots } => latency::alone(context, kind, slots).await,
            Work::PublishToStart => latency::publish_to_start(context, kind).await,
            Work::Chain => latency::chain(context, kind).await,
            Work::CrossProcess => cross_process::measure(context, kind).await,
            Work::Sandbox(part) => sandbox::measure(context, part).await,
            Work::Idle { n_workflows } => idle::measure(context, kind, n_workflows).await,
            Work::StartUp => startup::measure(context, kind).await,
            Work::Growth(n_finished) => growth::measure(context, kind, n_finished).await,
            Work::Recovery => recovery::measure(context, kind).await,
            Work::PlanGrowth(n_finished) => plans::measure_growth(context, kind, n_finished).await,
            Work::Plan(shape, n_nodes) => plans::measure(context, kind, (shape, n_nodes)).await,
        }
    }
}
