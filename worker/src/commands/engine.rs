//! Puts the parts of an engine together.

use std::num::NonZeroUsize;
use std::sync::Arc;

use async_trait::async_trait;
use windlass_core::{Clock as _, Failure, Id as _, MutationId, SystemClock, WorkerId};
use windlass_sandbox::Sandbox;
use windlass_scheduler::{Engine, EngineParts, Observer, Registry};
use windlass_store::{NotificationKind, ScriptMessage, SharedStore, StoreError};

use super::{Context, Opened};
use crate::exit::Result;
use crate::tools::{self, Notification, Notifier, ToolsConfig};

/// Threads for calls that wait for something slow, for each run at a time.
const THREADS_PER_SLOT: usize = 1;

/// Makes an engine that works for this command line.
pub(crate) fn assemble(context: &Context, opened: &Opened, observer: Observer) -> Result<Engine> {
    let settings = &context.settings;
    let notifier = Arc::new(StoreNotifier { store: Arc::clone(&opened.store) });
    let tools = tools::builtin(&settings.tools, &settings.root, notifier)?;
    let registry = Arc::new(Registry::new(tools)?);
    Ok(Engine::new(EngineParts {
        store: Arc::clone(&opened.store),
        sandbox: sandbox(context, &registry),
        registry,
        policy: settings.policy.clone(),
        worker: WorkerId::mint(SystemClock.now()),
        slots: settings.slots,
        workers_dir: Some(settings.state_folder()),
        observer: Some(observer),
    })?)
}

/// What scripts may call, without anything that a call would need: to check scripts and to describe.
pub(crate) fn described_registry() -> Result<Registry> {
    let tools = tools::builtin(&ToolsConfig::default(), ".".as_ref(), Arc::new(NoNotifier))?;
    Ok(Registry::new(tools)?)
}

/// A sandbox whose scripts find what `registry` offers.
pub(crate) fn sandbox(context: &Context, registry: &Registry) -> Sandbox {
    let slots = context.settings.slots;
    Sandbox::start(windlass_sandbox::Options {
        limits: context.settings.policy.script.clone(),
        functions: registry.functions(),
        max_threads: slots * THREADS_PER_SLOT,
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

    async fn was_notified(&self, mutation: MutationId) -> Result<bool, Failure> {
        self.find(mutation).await.map_err(|error| failure(&error))
    }
}

impl StoreNotifier {
    async fn find(&self, mutation: MutationId) -> Result<bool, StoreError> {
        let workflow = self.store.mutation(mutation).await?.workflow_id;
        let workspace = self.store.overview(workflow).await?.workflow.workspace_id;
        let is_it = |notification: &windlass_store::Notification| {
            notification.kind == NotificationKind::ScriptMessage
                && notification.mutation_id == Some(mutation)
        };
        Ok(self.store.notifications(workspace).await?.iter().any(is_it))
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

    async fn was_notified(&self, _mutation: MutationId) -> Result<bool, Failure> {
        Err(Failure::internal("no store is open"))
    }
}
