//! Everything that a scenario works with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tempfile::TempDir;
use windlass_api::service::{Activation, Deployment, Service, ValidScript};
use windlass_core::{
    Action, Backoff, Capability, Clock, Failure, Grant, Id, Manifest, ManualClock, MutationId,
    Policy, Problem, RunId, Timestamp, WorkerId, WorkflowId, WorkspaceId, digest_text,
};
use windlass_sandbox::{Sandbox, Script};
use windlass_scheduler::{Callable, Engine, EngineParts, MutationMode, Registry, Tool};
use windlass_store::{
    Bump, ClaimFilter, Event, EventFilter, Input, Layer, LayeredStore, LogFilter, LogSource,
    Mutation, Page, Run, RunFilter, Session, SharedStore, WorkerInfo, Workflow,
};
use windlass_store_conformance::PostgresSchema;
use windlass_tools::{self as tools, FilesConfig, HttpConfig, Notification, Notifier, ToolsConfig};

use crate::scenarios::fake_tool::{self, FakeTool};
use crate::scenarios::server::FakeServer;

/// When every scenario begins: a Monday, seven in the morning.
const START: &str = "2026-03-02T07:00:00Z";

/// A folder, a database, a clock, a server, and an engine over them.
pub(crate) struct TestEnv {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: SharedStore,
    pub(crate) server: FakeServer,
    /// Where [`Self::server`] listens, as a script writes it.
    pub(crate) url: String,
    pub(crate) messages: Arc<Messages>,
    pub(crate) fake_tool: Arc<FakeTool>,
    pub(crate) workspace: WorkspaceId,
    sandbox: Sandbox,
    registry: Arc<Registry>,
    policy: Policy,
    database: String,
    folder: TempDir,
}

/// Runs a scenario on a fresh SQLite file.
pub(crate) fn on_sqlite<F: Future<Output = ()>>(scenario: impl FnOnce(TestEnv) -> F) {
    windlass_sandbox::initialize_in_tests();
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
        windlass_store::migrate(&url).await.unwrap();
        scenario(TestEnv::new(&url, folder).await).await;
    });
}

/// Runs a scenario in a fresh PostgreSQL database.
pub(crate) fn on_postgres<F: Future<Output = ()>>(scenario: impl FnOnce(TestEnv) -> F) {
    windlass_sandbox::initialize_in_tests();
    runtime().block_on(async {
        let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
        scenario(TestEnv::new(&schema.url(), tempfile::tempdir().unwrap()).await).await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl TestEnv {
    async fn new(url: &str, folder: TempDir) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::parse(START).unwrap()));
        // Even delays: a test moves the clock to where they end.
        let transient = Backoff { jitter_percent: 0, ..Backoff::default() };
        let policy = Policy { transient, ..Policy::default() };
        let store = open(url, &clock, &policy).await;
        let server = FakeServer::default();
        let address = server.start().await;
        let messages = Arc::new(Messages::default());
        let fake_tool = Arc::new(FakeTool::default());
        let mut tools = builtin(&folder, address.to_string(), Arc::clone(&messages));
        tools.extend(fake_tool::tools(&fake_tool));
        let registry = Arc::new(Registry::new(tools).unwrap());
        let sandbox = Sandbox::start(windlass_sandbox::Options {
            limits: policy.script.clone(),
            functions: registry.functions(),
            max_threads: 8,
            cores: 2,
        });
        let workspace = store.ensure_workspace("default").await.unwrap();
        let (database, url) = (url.to_owned(), format!("http://{address}"));
        Self {
            clock,
            store,
            server,
            url,
            messages,
            fake_tool,
            workspace,
            sandbox,
            registry,
            policy,
            database,
            folder,
        }
    }

    /// The same place under other limits, as after a restart of everything that has a process.
    pub(crate) async fn restarted(self, policy: Policy) -> Self {
        let store = open(&self.database, &self.clock, &policy).await;
        Self { store, policy, ..self }
    }

    /// The same place, whose store seems to have something around it.
    pub(crate) fn with_layer(mut self, layer: impl Layer + 'static) -> Self {
        self.store = Arc::new(LayeredStore { inner: self.store, layer });
        self
    }

    /// Checks, saves and activates a script.
    pub(crate) async fn deploy(&self, name: &str, source: &str) -> WorkflowId {
        self.deploy_as(name, source, Bump::Major)
            .await
            .unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    /// The same, where the script may not pass the check or is a repair.
    pub(crate) async fn deploy_as(
        &self,
        name: &str,
        source: &str,
        bump: Bump,
    ) -> Result<WorkflowId, Vec<Problem>> {
        let manifest = self.manifest_of(name, source).await?;
        Ok(self.save(name, source, manifest, bump).await)
    }

    /// Deploys a script whose mistakes the check has not seen: it saw `seen`.
    pub(crate) async fn deploy_unseen(&self, name: &str, seen: &str, source: &str) -> WorkflowId {
        let manifest = self.manifest_of(name, seen).await.unwrap();
        self.save(name, source, manifest, Bump::Major).await
    }

    async fn manifest_of(&self, name: &str, source: &str) -> Result<Manifest, Vec<Problem>> {
        let source = source.replace("$URL", &self.url);
        let script = Script {
            name: format!("{name}.js").into(),
            digest: digest_text(&source).into(),
            source: source.into(),
        };
        self.sandbox.check(script, "UTC").await
    }

    async fn save(&self, name: &str, source: &str, manifest: Manifest, bump: Bump) -> WorkflowId {
        let source = source.replace("$URL", &self.url);
        let file_name = format!("{name}.js");
        let (tools, warnings) = (Grant::default(), Vec::new());
        let deployment = Deployment {
            name: name.to_owned(),
            script: ValidScript { file_name, source, manifest, tools, warnings },
            bump,
            comment: String::new(),
            grant: self.every_tool(),
            activation: Activation::Now,
        };
        self.service().deploy(deployment).await.unwrap().workflow.id
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn service(&self) -> Service {
        let (store, workspace) = (Arc::clone(&self.store), self.workspace);
        Service { store, workspace, actor: "test".to_owned() }
    }

    pub(crate) fn every_tool(&self) -> Grant {
        let specs = self.registry.callables().map(Callable::spec);
        specs.map(|spec| Capability::tool(&*spec.namespace, &*spec.method)).collect()
    }

    /// A worker; dropping it is the end of its process.
    pub(crate) fn engine(&self) -> Engine {
        self.engine_of(self.new_worker())
    }

    /// The same, of a worker that the test knows.
    pub(crate) fn engine_of(&self, worker: WorkerId) -> Engine {
        let parts = self.engine_parts(Arc::clone(&self.store));
        let worker = WorkerInfo { id: worker, ..parts.worker.clone() };
        Engine::new(EngineParts { worker, ..parts }).unwrap()
    }

    /// A worker as another process has it, with its own connection to the database.
    pub(crate) fn engine_in_other_process(&self) -> impl Future<Output = Engine> + Send + 'static {
        let (database, clock) = (self.database.clone(), Arc::clone(&self.clock));
        let here = self.engine_parts(Arc::clone(&self.store));
        async move {
            let store = open(&database, &clock, &here.policy).await;
            Engine::new(EngineParts { store, ..here }).unwrap()
        }
    }

    pub(crate) fn new_worker(&self) -> WorkerId {
        WorkerId::mint(self.clock.now())
    }

    pub(crate) fn engine_parts(&self, store: SharedStore) -> EngineParts {
        EngineParts {
            store,
            sandbox: self.sandbox.clone(),
            registry: Arc::clone(&self.registry),
            policy: self.policy.clone(),
            prices: serde_json::from_str(r#"{"Files.append": 0.25}"#).unwrap(),
            worker: WorkerInfo {
                id: self.new_worker(),
                host: "test-host".to_owned(),
                pid: std::process::id(),
                version: "0".to_owned(),
                slots: 4,
                filter: ClaimFilter::default(),
            },
            mutation_mode: MutationMode::Execute,
            workers_dir: Some(self.folder.path().join("workers")),
            observer: None,
        }
    }

    /// Runs everything that is due.
    pub(crate) async fn run_until_idle(&self) {
        self.engine().run_until_idle().await.unwrap();
    }

    /// Lets time pass and does what is due then.
    pub(crate) async fn run_after(&self, duration: Duration) {
        self.clock.advance(duration);
        self.run_until_idle().await;
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        self.write_bytes(path, text.as_bytes());
    }

    pub(crate) fn write_bytes(&self, path: &str, text: &[u8]) {
        std::fs::write(self.path(path), text).unwrap();
    }

    /// The lines of a file, none where there is no file.
    pub(crate) fn lines(&self, path: &str) -> Vec<String> {
        std::fs::read_to_string(self.path(path))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) async fn workflow(&self, workflow: WorkflowId) -> Workflow {
        self.store.overview(self.workspace, workflow).await.unwrap().workflow
    }

    pub(crate) async fn control(&self, workflow: WorkflowId, action: Action) {
        self.service().control(&workflow.to_string(), action).await.unwrap();
    }

    pub(crate) async fn events(&self, workflow: WorkflowId, topic: &str) -> Vec<Event> {
        let filter = EventFilter {
            workspace: self.workspace,
            workflow,
            topic: Some(topic.to_owned()),
            status: None,
            message_ids: None,
            page: Page::first(10_000),
        };
        self.store.all_events(filter).await.unwrap()
    }

    /// The statuses of a topic's events, oldest first, in words.
    pub(crate) async fn statuses(&self, workflow: WorkflowId, topic: &str) -> Vec<String> {
        self.events(workflow, topic).await.iter().map(|event| event.status.to_string()).collect()
    }

    pub(crate) async fn inputs(&self, workflow: WorkflowId) -> Vec<Input> {
        self.store.all_inputs(self.workspace, workflow).await.unwrap()
    }

    pub(crate) async fn outputs(&self, workflow: WorkflowId) -> Vec<Mutation> {
        self.store.all_mutations(self.workspace, workflow).await.unwrap()
    }

    /// All runs, oldest first.
    pub(crate) async fn runs(&self, workflow: WorkflowId) -> Vec<Run> {
        let filter = RunFilter {
            workspace: self.workspace,
            workflow,
            session: None,
            page: Page::first(10_000),
        };
        let mut runs = self.store.all_runs(filter).await.unwrap();
        runs.reverse();
        runs
    }

    pub(crate) async fn last_session(&self, workflow: WorkflowId) -> Session {
        self.store.overview(self.workspace, workflow).await.unwrap().last_session.unwrap()
    }

    /// What a run's scripts and the engine said.
    pub(crate) async fn log(&self, run: RunId) -> Vec<String> {
        let lines = self
            .store
            .all_logs(LogFilter {
                workspace: self.workspace,
                of: LogSource::Run(run),
                page: Page::first(u32::MAX),
            })
            .await
            .unwrap();
        lines.into_iter().map(|line| line.message).collect()
    }

    /// Notifications of a workflow that nobody has settled.
    pub(crate) async fn notices(&self, workflow: WorkflowId) -> Vec<windlass_store::Notification> {
        let mut notices = self.store.all_notifications(self.workspace).await.unwrap();
        notices.retain(|it| it.workflow_id == workflow && it.resolved_at.is_none());
        notices
    }

    /// What a producer or consumer returned last.
    pub(crate) async fn state(&self, workflow: WorkflowId, handler: &str) -> Value {
        let handlers = self.store.handlers(self.workspace, workflow).await.unwrap();
        handlers
            .into_iter()
            .find(|known| known.name == handler)
            .and_then(|known| known.state)
            .unwrap_or(Value::Null)
    }
}

/// Opens the database with the test's clock.
async fn open(url: &str, clock: &Arc<ManualClock>, policy: &Policy) -> SharedStore {
    let options = windlass_store::Options {
        clock: Some(Arc::clone(clock) as Arc<dyn Clock>),
        policy: policy.clone(),
        ..windlass_store::Options::default()
    };
    windlass_store::open(url, options).await.unwrap()
}

fn builtin(folder: &TempDir, allowed: String, messages: Arc<Messages>) -> Vec<Arc<dyn Tool>> {
    for root in ["in", "out"] {
        std::fs::create_dir(folder.path().join(root)).unwrap();
    }
    let config = ToolsConfig {
        files: FilesConfig {
            roots: vec!["in".to_owned(), "out".to_owned()],
            ..FilesConfig::default()
        },
        http: HttpConfig {
            allow: vec![allowed, "127.0.0.1:1".to_owned()],
            ..HttpConfig::default()
        },
    };
    tools::builtin(&config, &Arc::default(), folder.path(), messages).unwrap()
}

/// What scripts said to people.
#[derive(Debug, Default)]
pub(crate) struct Messages(std::sync::Mutex<Vec<(MutationId, String)>>);

impl Messages {
    pub(crate) fn titles(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, title)| title.clone()).collect()
    }
}

#[async_trait]
impl Notifier for Messages {
    async fn notify(&self, notification: Notification) -> Result<(), Failure> {
        self.0.lock().unwrap().push((notification.mutation, notification.title));
        Ok(())
    }

    async fn was_notified(
        &self,
        _workspace: WorkspaceId,
        mutation: MutationId,
    ) -> Result<bool, Failure> {
        Ok(self.0.lock().unwrap().iter().any(|(known, _)| *known == mutation))
    }
}
