//! Assembles an engine from the configuration: tools, connectors, secrets, sandbox.

use std::sync::Arc;

use async_trait::async_trait;
use windlass_api::service::start_sandbox;
use windlass_core::{Clock as _, Failure, Id as _, MutationId, SystemClock, WorkerId, WorkspaceId};
use windlass_scheduler::{
    Engine, EngineParts, MutationMode, Observer, Registry, Tool, store_failure,
};
use windlass_store::{ClaimFilter, ScriptMessage, SharedStore, WorkerInfo};
use windlass_tools::mcp::OfferedTools;
use windlass_tools::secrets::{SecretStatus, Secrets};
use windlass_tools::{self as tools, Notification, Notifier, ToolsConfig};

use crate::config::Settings;
use crate::context::Context;
use crate::exit::Result;
use crate::trust;

/// What an engine does, and how much at a time.
pub(crate) struct EngineOptions {
    /// How many runs it drives at a time.
    pub(crate) slots: u32,
    /// Which runs it takes.
    pub(crate) filter: ClaimFilter,
    /// What becomes of mutations. Where they are captured, the store is a copy in this process, and no other worker can lose
    /// anything there.
    pub(crate) mutation_mode: MutationMode,
}

impl From<&Settings> for EngineOptions {
    fn from(settings: &Settings) -> Self {
        Self {
            slots: settings.slots,
            filter: ClaimFilter::default(),
            mutation_mode: MutationMode::Execute,
        }
    }
}

/// Assembles an engine, which lives as long as the process: after a stop a tool call may still write to a file for a moment, and
/// until it ends no other worker may take this one for dead.
pub(crate) async fn assemble(
    context: &Context,
    store: SharedStore,
    observer: Observer,
    options: EngineOptions,
) -> Result<&'static Engine> {
    let mutation_mode = options.mutation_mode;
    let settings = &context.settings;
    let notifier = Arc::new(StoreNotifier { store: Arc::clone(&store) });
    let secrets = warn_of_missing_secrets(context);
    let builtin = tools::builtin(&settings.tools, &secrets, &settings.root, notifier)?;
    let OfferedTools { tools, missing } = with_connectors(context, builtin).await?;
    for failure in missing.values() {
        tracing::warn!(
            "{failure}; workflows that need it wait until this process is started again"
        );
    }
    let mut tools: Vec<_> = tools.into_iter().map(|tool| secrets.redact_tool(tool)).collect();
    if let Some(faults) = &context.faults {
        tools = tools.into_iter().map(|tool| faults.tool(tool)).collect();
    }
    let registry = Arc::new(Registry::new(tools)?.with_missing(missing));
    let engine = Engine::new(EngineParts {
        store,
        sandbox: start_sandbox(&registry, &settings.policy.script, options.slots),
        registry,
        policy: settings.policy.clone(),
        prices: settings.prices.clone(),
        worker: worker_info(options),
        mutation_mode,
        workers_dir: (mutation_mode == MutationMode::Execute).then(|| settings.state_folder()),
        observer: Some(observer),
    })?;
    Ok(Box::leak(Box::new(engine)))
}

/// This process as a worker.
fn worker_info(options: EngineOptions) -> WorkerInfo {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    WorkerInfo {
        id: WorkerId::mint(SystemClock.now()),
        host,
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        slots: options.slots,
        filter: options.filter,
    }
}

/// The secrets of the configuration; those that are missing are named in the log.
fn warn_of_missing_secrets(context: &Context) -> Arc<Secrets> {
    for (_, _, status) in context.secrets.statuses() {
        if let SecretStatus::Missing(error) = status {
            tracing::warn!("{error}");
        }
    }
    Arc::clone(&context.secrets)
}

/// The tools that scripts can call, to check scripts and to describe the tools. They cannot be called.
pub(crate) async fn described_registry(context: &Context) -> Result<Registry> {
    let OfferedTools { tools, missing } = with_connectors(context, described_builtin()?).await?;
    Ok(Registry::new(tools)?.with_missing(missing))
}

/// The built-in tools, to be described. They cannot be called.
pub(crate) fn described_builtin() -> Result<Vec<Arc<dyn Tool>>> {
    let (config, notifier) = (ToolsConfig::default(), Arc::new(NoNotifier));
    Ok(tools::builtin(&config, &Arc::default(), ".".as_ref(), notifier)?)
}

/// The built-in tools and those of the connectors.
async fn with_connectors(context: &Context, builtin: Vec<Arc<dyn Tool>>) -> Result<OfferedTools> {
    trust::require(context)?;
    let taken: Vec<_> = builtin.iter().map(|tool| tool.spec().namespace.clone()).collect();
    let OfferedTools { tools, missing } = context.connectors.tools(&taken).await?;
    Ok(OfferedTools { tools: builtin.into_iter().chain(tools).collect(), missing })
}

/// Stores the messages of scripts.
#[derive(Debug)]
struct StoreNotifier {
    store: SharedStore,
}

#[async_trait]
impl Notifier for StoreNotifier {
    async fn notify(&self, notification: Notification) -> Result<(), Failure> {
        let Notification { workspace, workflow, mutation, title, text } = notification;
        let message = ScriptMessage { workspace, workflow, mutation, title, body: text };
        let added = self.store.add_message(message).await;
        added.map_err(|error| store_failure("could not store the notification", &error))
    }

    async fn was_notified(
        &self,
        workspace: WorkspaceId,
        mutation: MutationId,
    ) -> Result<bool, Failure> {
        let found = self.store.has_message(workspace, mutation).await;
        found.map_err(|error| store_failure("could not look the notification up", &error))
    }
}

/// For tools that are described and never called.
#[derive(Debug)]
pub(crate) struct NoNotifier;

#[async_trait]
impl Notifier for NoNotifier {
    async fn notify(&self, _notification: Notification) -> Result<(), Failure> {
        Err(Failure::internal("no store is open"))
    }

    async fn was_notified(
        &self,
        _workspace: WorkspaceId,
        _mutation: MutationId,
    ) -> Result<bool, Failure> {
        Err(Failure::internal("no store is open"))
    }
}
