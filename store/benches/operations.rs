//! What each transaction of a mutating run costs the store, in memory: what is left when no disk is waited for.
#![expect(clippy::expect_used, reason = "a benchmark that goes wrong has nothing to tell")]

use std::time::Duration;

use criterion::Criterion;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::time::Instant;
use windlass_core::{
    Capability, Clock as _, EffectLimits, Grant, Id as _, Manifest, Policy, SystemClock, WorkerId,
    WorkflowId, WorkspaceId,
};
use windlass_store::{
    ActivateScript, ApplyMutation, BeginMutation, Bump, CheckpointPrepare, Claim, ClaimRuns,
    ClaimScope, CommitConsumer, CommitProducer, NewEvent, Options, Reservation, Result, SaveScript,
    SharedStore, StoreError,
};

const LEASE: Duration = Duration::from_secs(3_600);

/// The transactions, in the order in which a run makes them.
const STEPS: [&str; 5] = ["claim", "prepare", "begin", "apply", "commit"];

/// A workflow whose consumer always has one more event to take.
struct Bench {
    store: SharedStore,
    workspace: WorkspaceId,
    workflow: WorkflowId,
    worker: WorkerId,
    /// The event that the next run takes.
    n_taken: u64,
}

impl Bench {
    async fn new() -> Result<Self> {
        let effects = EffectLimits { mutations_per_hour: 0, doubts_per_hour: 0 };
        let policy = Policy { effects, ..Policy::default() };
        let options = Options { policy, ..Options::default() };
        let store = windlass_store::open("sqlite::memory:", options).await?;
        let workspace = store.ensure_workspace("default").await?;
        let tool = Capability::tool("Shop", "order");
        let saved = store
            .save_script(SaveScript {
                workspace,
                name: "orders".to_owned(),
                file_name: "orders.js".to_owned(),
                source: String::new(),
                manifest: manifest(),
                grant: Grant::from_iter([tool]),
                comment: String::new(),
                bump: Bump::Major,
                actor: "bench".to_owned(),
            })
            .await?;
        let (workflow, script) = (saved.script.workflow_id, saved.script.id);
        let actor = "bench".to_owned();
        store.activate_script(ActivateScript { workspace, workflow, script, actor }).await?;
        let worker = WorkerId::mint(SystemClock.now());
        let bench = Self { store, workspace, workflow, worker, n_taken: 0 };
        // The consumer runs first and finds nothing; then the producer publishes the first event.
        let empty = bench.claim().await?;
        bench.prepare(empty, Vec::new()).await?;
        bench.commit(empty, Vec::new()).await?;
        let poll = bench.claim().await?;
        bench
            .store
            .commit_producer(CommitProducer {
                claim: poll,
                state: None,
                inputs: Vec::new(),
                events: vec![event(bench.n_taken)],
                logs: Vec::new(),
                follow_up: None,
            })
            .await?;
        Ok(bench)
    }

    async fn claim(&self) -> Result<Claim> {
        let scope = ClaimScope::Workflow(self.workspace, self.workflow);
        let params = ClaimRuns { worker: self.worker, limit: 1, lease: LEASE, scope };
        let claimed = self.store.claim_runs(params).await?.into_iter().next();
        let run = claimed.ok_or_else(|| StoreError::not_found("queued run of", &self.workflow))?;
        Ok(run.claim)
    }

    async fn prepare(&self, claim: Claim, reservations: Vec<Reservation>) -> Result<()> {
        let (result, wake_at, logs) = (json!({ "data": 1 }), None, Vec::new());
        let params = CheckpointPrepare { claim, result, reservations, wake_at, logs };
        self.store.checkpoint_prepare(params).await
    }

    async fn commit(&self, claim: Claim, events: Vec<NewEvent>) -> Result<()> {
        let (state, logs, follow_up) = (Some(json!({ "last": 1 })), Vec::new(), None);
        let params = CommitConsumer { claim, state, events, logs, follow_up };
        self.store.commit_consumer(params).await.map(drop)
    }

    /// One run that takes an event, has an effect, and publishes the next event; how long each transaction took.
    async fn run(&mut self) -> Result<[Duration; STEPS.len()]> {
        let mut watch = Watch::default();
        let claim = self.claim().await?;
        watch.lap();
        let ids = vec![self.n_taken.to_string()];
        self.prepare(claim, vec![Reservation { topic: "work".to_owned(), ids }]).await?;
        watch.lap();
        let begun = self
            .store
            .begin_mutation(BeginMutation {
                claim,
                tool_namespace: "Shop".to_owned(),
                tool_method: "order".to_owned(),
                params: json!({ "n": self.n_taken }),
                target: "Shop".to_owned(),
                place: None,
                ui_title: String::new(),
                reconcilable: true,
                price: 0,
                logs: Vec::new(),
            })
            .await?;
        watch.lap();
        let (mutation, result) = (begun.id, json!({ "order": 1 }));
        let answer = ApplyMutation { claim, mutation, result, resolved_by: None };
        self.store.apply_mutation(answer).await?;
        watch.lap();
        self.n_taken += 1;
        self.commit(claim, vec![event(self.n_taken)]).await?;
        watch.lap();
        Ok(watch.laps)
    }
}

/// Takes the time of one step after the other.
struct Watch {
    began: Instant,
    n_laps: usize,
    laps: [Duration; STEPS.len()],
}

impl Default for Watch {
    fn default() -> Self {
        Self { began: Instant::now(), n_laps: 0, laps: Default::default() }
    }
}

impl Watch {
    fn lap(&mut self) {
        let now = Instant::now();
        if let Some(lap) = self.laps.get_mut(self.n_laps) {
            *lap = now - self.began;
        }
        self.began = now;
        self.n_laps += 1;
    }
}

fn manifest() -> Manifest {
    serde_json::from_value(json!({
        "topics": ["work"],
        "producers": { "poll": { "publishes": ["work"], "schedule": { "interval": "1d" } } },
        "consumers": {
            "order": { "subscribe": ["work"], "publishes": ["work"], "has_mutate": true, "has_next": true },
        },
    }))
    .expect("a manifest")
}

fn event(number: u64) -> NewEvent {
    NewEvent {
        topics: vec!["work".to_owned()],
        message_id: number.to_string(),
        payload: json!({ "n": number }),
        caused_by: Vec::new(),
    }
}

fn operations(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut bench = runtime.block_on(Bench::new()).expect("a workflow");
    let mut group = criterion.benchmark_group("a mutating run");
    for (idx, step) in STEPS.into_iter().enumerate() {
        let mut timed =
            |_| *runtime.block_on(bench.run()).expect("a run").get(idx).expect("a step");
        group.bench_function(step, |bencher| {
            bencher.iter_custom(|n_runs| (0..n_runs).map(&mut timed).sum());
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    operations(&mut criterion);
    criterion.final_summary();
}
