//! What a case needs of the crates: a store, a sandbox, workflows, and an engine.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure};
use async_trait::async_trait;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::json;
use windlass_core::{
    Capability, Clock as _, EffectLimits, Failure, HandlerKind, Id as _, MutationId, Policy,
    SystemClock, WorkerId, WorkflowId, WorkspaceId, digest_text,
};
use windlass_sandbox::{Sandbox, Script};
use windlass_scheduler::{Callable, Engine, EngineParts, MutationMode, Observer, Registry};
use windlass_store::{
    ActivateScript, Bump, CheckpointPrepare, Claim, ClaimFilter, ClaimRuns, ClaimScope, ClaimedRun,
    CommitConsumer, CommitProducer, Event, EventFilter, NewEvent, Page, Run, RunFilter, SaveScript,
    SharedStore, StartSession, WorkerInfo,
};
use windlass_tools::{Notification, Notifier, ToolsConfig};

use crate::bench_tool::{self, Calls};
use crate::database::{Database, DatabaseKind};

/// How many runs a worker drives at a time by default.
pub(crate) const SLOTS: u32 = 8;

/// How many transactions run concurrently while a case is prepared.
const CONCURRENCY: usize = 32;

/// The lease of runs that a case claims itself.
const LEASE: Duration = Duration::from_secs(3_600);

/// More than any case has of anything.
const ALL: u32 = 1_000_000;

/// A store, and what an engine over it needs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) store: SharedStore,
    sandbox: Sandbox,
    registry: Arc<Registry>,
    policy: Policy,
    pub(crate) workspace: WorkspaceId,
    pub(crate) calls: Arc<Calls>,
}

impl World {
    pub(crate) async fn open(database: &Database) -> anyhow::Result<Self> {
        // No limit on effects.
        let effects = EffectLimits { mutations_per_hour: 0, doubts_per_hour: 0 };
        let policy = Policy { effects, ..Policy::default() };
        let store = open(database, &policy).await?;
        let calls = Arc::new(Calls::default());
        let registry = Arc::new(registry(&calls, database)?);
        let sandbox = Sandbox::start(windlass_sandbox::Options {
            limits: policy.script.clone(),
            functions: registry.functions(),
            max_threads: usize::try_from(SLOTS)?,
            cores: std::thread::available_parallelism()?.get(),
        });
        let workspace = store.ensure_workspace("default").await?;
        Ok(Self { store, sandbox, registry, policy, workspace, calls })
    }

    /// The same with a newly opened store; a store in memory stays as it is.
    pub(crate) async fn reopened(self, database: &Database) -> anyhow::Result<Self> {
        if database.kind() == DatabaseKind::Memory {
            return Ok(self);
        }
        let Self { store, sandbox, registry, policy, workspace, calls } = self;
        drop(store);
        database.wait_until_closed().await?;
        let store = open(database, &policy).await?;
        Ok(Self { store, sandbox, registry, policy, workspace, calls })
    }

    /// Saves and activates a script under as many names.
    pub(crate) async fn deploy(
        &self,
        source: &str,
        n_workflows: usize,
    ) -> anyhow::Result<Vec<WorkflowId>> {
        let script = Script {
            name: "figures.js".into(),
            digest: digest_text(source).into(),
            source: source.into(),
        };
        let manifest = self.sandbox.check(script, "UTC").await;
        let manifest = manifest.map_err(|problems| anyhow!("the script: {problems:?}"))?;
        let specs = self.registry.callables().map(Callable::spec);
        let grant = specs.map(|spec| Capability::tool(&*spec.namespace, &*spec.method)).collect();
        let save = SaveScript {
            workspace: self.workspace,
            name: String::new(),
            file_name: "figures.js".to_owned(),
            source: source.to_owned(),
            manifest,
            grant,
            comment: String::new(),
            bump: Bump::Major,
            actor: "figures".to_owned(),
        };
        // Later deployments have other names.
        let first = self.store.all_workflows(self.workspace).await?.len();
        let deployed = (first..first + n_workflows).map(|idx| self.deploy_one(&save, idx));
        stream::iter(deployed).buffered(CONCURRENCY).try_collect().await
    }

    async fn deploy_one(&self, save: &SaveScript, idx: usize) -> anyhow::Result<WorkflowId> {
        let save = SaveScript { name: format!("w{idx}"), ..save.clone() };
        let script = self.store.save_script(save).await?.script;
        let actor = "figures".to_owned();
        let (workspace, workflow, script) = (self.workspace, script.workflow_id, script.id);
        let activate = ActivateScript { workspace, workflow, script, actor };
        Ok(self.store.activate_script(activate).await?.id)
    }

    /// Publishes events to the topic `work` of each workflow, numbered from 1, as its producer would.
    pub(crate) async fn publish(
        &self,
        workflows: &[WorkflowId],
        n_events: &[usize],
    ) -> anyhow::Result<()> {
        let published = workflows.iter().zip(n_events).map(|(workflow, n_events)| async {
            let producer = self.claim_producer(*workflow).await?;
            self.commit_producer(producer, *n_events).await
        });
        stream::iter(published).buffered(CONCURRENCY).try_collect().await
    }

    /// Claims the run of a workflow's producer, which must be due.
    pub(crate) async fn claim_producer(&self, workflow: WorkflowId) -> anyhow::Result<Claim> {
        // The consumer runs first, and finds nothing.
        for _look in 0..4 {
            let ClaimedRun { claim, state, .. } =
                self.claim(ClaimScope::Workflow(self.workspace, workflow)).await?;
            match state.kind {
                HandlerKind::Producer => return Ok(claim),
                HandlerKind::Consumer => self.commit_without_events(claim).await?,
                HandlerKind::Node => bail!("a run of an unknown kind"),
            }
        }
        bail!("the producer of `{workflow}` is not due")
    }

    /// Claims a run.
    pub(crate) async fn claim(&self, scope: ClaimScope) -> anyhow::Result<ClaimedRun> {
        let worker = WorkerId::mint(SystemClock.now());
        let params = ClaimRuns { worker, limit: 1, lease: LEASE, scope };
        let claimed = self.store.claim_runs(params).await?.into_iter().next();
        claimed.ok_or_else(|| anyhow!("there is no run to be claimed"))
    }

    /// Commits a consumer's run that takes no event.
    pub(crate) async fn commit_without_events(&self, claim: Claim) -> anyhow::Result<()> {
        let prepared = CheckpointPrepare {
            claim,
            result: json!({ "reservations": [] }),
            reservations: Vec::new(),
            wake_at: None,
            logs: Vec::new(),
        };
        self.store.checkpoint_prepare(prepared).await?;
        self.commit_consumer(claim).await
    }

    /// Commits a consumer's run.
    pub(crate) async fn commit_consumer(&self, claim: Claim) -> anyhow::Result<()> {
        let (state, events, logs) = (None, Vec::new(), Vec::new());
        let done = CommitConsumer { claim, state, events, logs, follow_up: None };
        self.store.commit_consumer(done).await?;
        Ok(())
    }

    /// Commits a producer's run with this many events.
    pub(crate) async fn commit_producer(
        &self,
        claim: Claim,
        n_events: usize,
    ) -> anyhow::Result<()> {
        let event = |n: usize| NewEvent {
            topics: vec!["work".to_owned()],
            message_id: n.to_string(),
            payload: json!({ "n": n }),
            caused_by: Vec::new(),
        };
        let params = CommitProducer {
            claim,
            state: None,
            inputs: Vec::new(),
            events: (1..=n_events).map(event).collect(),
            logs: Vec::new(),
            follow_up: None,
        };
        self.store.commit_producer(params).await?;
        Ok(())
    }

    /// Starts a session: every producer is due.
    pub(crate) async fn start_session(&self, workflow: WorkflowId) -> anyhow::Result<()> {
        let params =
            StartSession { workspace: self.workspace, workflow, actor: "figures".to_owned() };
        self.store.start_session(params).await?;
        Ok(())
    }

    /// A worker over this store.
    pub(crate) fn engine(
        &self,
        slots: u32,
        observer: Option<Observer>,
    ) -> anyhow::Result<Arc<Engine>> {
        let engine = Engine::new(EngineParts {
            store: Arc::clone(&self.store),
            sandbox: self.sandbox.clone(),
            registry: Arc::clone(&self.registry),
            policy: self.policy.clone(),
            prices: windlass_core::Prices::default(),
            worker: WorkerInfo {
                id: WorkerId::mint(SystemClock.now()),
                host: "figures".to_owned(),
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                slots,
                filter: ClaimFilter::default(),
            },
            mutation_mode: MutationMode::Execute,
            workers_dir: None,
            observer,
        })?;
        Ok(Arc::new(engine))
    }

    /// The runs of a workflow, oldest first.
    pub(crate) async fn runs(&self, workflow: WorkflowId) -> anyhow::Result<Vec<Run>> {
        let filter = RunFilter {
            workspace: self.workspace,
            workflow,
            session: None,
            page: Page::first(ALL),
        };
        let mut runs = self.store.all_runs(filter).await?;
        runs.reverse();
        Ok(runs)
    }

    /// The events of a topic, oldest first.
    pub(crate) async fn events(
        &self,
        workflow: WorkflowId,
        topic: &str,
    ) -> anyhow::Result<Vec<Event>> {
        let topic = Some(topic.to_owned());
        let filter = EventFilter {
            workspace: self.workspace,
            workflow,
            topic,
            status: None,
            message_ids: None,
            page: Page::first(ALL),
        };
        Ok(self.store.all_events(filter).await?)
    }
}

async fn open(database: &Database, policy: &Policy) -> anyhow::Result<SharedStore> {
    let options =
        windlass_store::Options { policy: policy.clone(), ..windlass_store::Options::default() };
    Ok(windlass_store::open(database.url(), options).await?)
}

/// The tools of the binary, and the bench tool.
fn registry(calls: &Arc<Calls>, database: &Database) -> anyhow::Result<Registry> {
    let config = ToolsConfig::default();
    let folder = database.folder();
    windlass_tools::ensure_roots(&config.files.roots, folder)?;
    let mut tools =
        windlass_tools::builtin(&config, &Arc::default(), folder, Arc::new(RejectingNotifier))?;
    tools.extend(bench_tool::tools(calls));
    Ok(Registry::new(tools)?)
}

/// The functions that scripts can call.
pub(crate) fn functions(database: &Database) -> anyhow::Result<Vec<windlass_sandbox::Function>> {
    let functions = registry(&Arc::default(), database)?.functions();
    ensure!(!functions.is_empty(), "scripts would find nothing");
    Ok(functions)
}

/// Rejects every message.
#[derive(Debug)]
struct RejectingNotifier;

#[async_trait]
impl Notifier for RejectingNotifier {
    async fn notify(&self, _notification: Notification) -> Result<(), Failure> {
        Err(Failure::internal("the benchmark accepts no messages"))
    }

    async fn was_notified(
        &self,
        _workspace: WorkspaceId,
        _mutation: MutationId,
    ) -> Result<bool, Failure> {
        Ok(false)
    }
}
