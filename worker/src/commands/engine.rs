//! Puts the parts of an engine together.

use std::num::NonZeroUsize;
use std::path::{Component, Path};
use std::sync::Arc;

use async_trait::async_trait;
use windlass_api::service::Service;
use windlass_core::{Clock as _, Failure, Id as _, MutationId, SystemClock, WorkerId, WorkspaceId};
use windlass_sandbox::Sandbox;
use windlass_scheduler::{Effects, Engine, EngineParts, Observer, Registry, Tool};
use windlass_store::{ClaimFilter, ScriptMessage, SharedStore, StoreError, WorkerInfo};
use windlass_tools::secrets::{Secrets, Standing};
use windlass_tools::{self as tools, Notification, Notifier, ToolsConfig, ensure_roots};

use super::Context;
use crate::config::Settings;
use crate::exit::Result;

/// How an engine works.
pub(crate) struct Working {
    /// How many runs it drives at a time.
    pub(crate) slots: u32,
    /// Which runs it takes.
    pub(crate) filter: ClaimFilter,
    /// What becomes of mutations. Where they are captured, the store is a copy in this process, and no other worker can lose
    /// anything there.
    pub(crate) effects: Effects,
}

impl Working {
    /// As the configuration says.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self { slots: settings.slots, filter: ClaimFilter::default(), effects: Effects::Make }
    }
}

/// Makes an engine that works for this command line, as long as the process lives: what a stop cuts short may still be at work
/// on a file for a moment, and until then no other worker may take this one for dead.
pub(crate) async fn assemble(
    context: &Context,
    service: &Service,
    observer: Observer,
    working: Working,
) -> Result<&'static Engine> {
    let effects = working.effects;
    let settings = &context.settings;
    ensure_roots(&roots_below(settings), &settings.root)?;
    let notifier = Arc::new(StoreNotifier { store: Arc::clone(&service.store) });
    let secrets = usable_secrets(context);
    let builtin = tools::builtin(&settings.tools, &secrets, &settings.root, notifier)?;
    let tools = with_connectors(context, builtin).await?;
    let mut tools: Vec<_> = tools.into_iter().map(|tool| secrets.guard(tool)).collect();
    if let Some(faults) = &context.faults {
        tools = tools.into_iter().map(|tool| faults.tool(tool)).collect();
    }
    let registry = Arc::new(Registry::new(tools)?);
    let engine = Engine::new(EngineParts {
        store: Arc::clone(&service.store),
        sandbox: sandbox(context, &registry, working.slots),
        registry,
        policy: settings.policy.clone(),
        prices: settings.prices.clone(),
        worker: card(working),
        effects,
        workers_dir: (effects == Effects::Make).then(|| settings.state_folder()),
        observer: Some(observer),
    })?;
    Ok(Box::leak(Box::new(engine)))
}

/// This process as a worker.
fn card(working: Working) -> WorkerInfo {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    WorkerInfo {
        id: WorkerId::mint(SystemClock.now()),
        host,
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        slots: working.slots,
        filter: working.filter,
    }
}

/// The folders of scripts that lie below the configuration: they are made where they are missing. One that lies elsewhere has
/// to be there, for it may be mistyped, or not mounted.
pub(crate) fn roots_below(settings: &Settings) -> Vec<String> {
    let is_below = |root: &&String| {
        let mut parts = Path::new(root).components();
        parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
    };
    settings.tools.files.roots.iter().filter(is_below).cloned().collect()
}

/// The secrets of the configuration; those that are missing are said in the log.
fn usable_secrets(context: &Context) -> Arc<Secrets> {
    for (_, _, status) in context.secrets.standings() {
        if let Standing::Missing(error) = status {
            tracing::warn!("{error}");
        }
    }
    Arc::clone(&context.secrets)
}

/// What scripts may call, without anything that a call would need: to check scripts and to describe.
pub(crate) async fn described_registry(context: &Context) -> Result<Registry> {
    Ok(Registry::new(with_connectors(context, described_builtin()?).await?)?)
}

/// The built-in tools, without anything that a call would need.
pub(crate) fn described_builtin() -> Result<Vec<Arc<dyn Tool>>> {
    let (config, notifier) = (ToolsConfig::default(), Arc::new(NoNotifier));
    Ok(tools::builtin(&config, &Arc::default(), ".".as_ref(), notifier)?)
}

/// The built-in tools and those of the connectors.
async fn with_connectors(
    context: &Context,
    builtin: Vec<Arc<dyn Tool>>,
) -> Result<Vec<Arc<dyn Tool>>> {
    let taken: Vec<_> = builtin.iter().map(|tool| tool.spec().namespace.clone()).collect();
    let connected = context.connectors.tools(&taken).await?;
    Ok(builtin.into_iter().chain(connected).collect())
}

/// A sandbox whose scripts find what `registry` offers.
pub(crate) fn sandbox(context: &Context, registry: &Registry, slots: u32) -> Sandbox {
    Sandbox::start(windlass_sandbox::Options {
        limits: context.settings.policy.script.clone(),
        functions: registry.functions(),
        max_threads: usize::try_from(slots).unwrap_or(usize::MAX),
        cores: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
    })
}

/// Keeps the messages of scripts in the store.
#[derive(Debug)]
struct StoreNotifier {
    store: SharedStore,
}

#[async_trait]
impl Notifier for StoreNotifier {
    async fn notify(&self, notification: Notification) -> Result<(), Failure> {
        let Notification { workspace, workflow, mutation, title, text } = notification;
        let message = ScriptMessage { workspace, workflow, mutation, title, body: text };
        self.store.add_message(message).await.map_err(|error| failure(&error))
    }

    async fn was_notified(
        &self,
        workspace: WorkspaceId,
        mutation: MutationId,
    ) -> Result<bool, Failure> {
        self.store.has_message(workspace, mutation).await.map_err(|error| failure(&error))
    }
}

fn failure(error: &StoreError) -> Failure {
    if error.is_transient() {
        Failure::network(error.to_string())
    } else {
        Failure::internal(error.to_string())
    }
}

/// Is there where nothing is called.
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
