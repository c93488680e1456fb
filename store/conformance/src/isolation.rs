//! Two workspaces: each call is tried from outside on the things inside.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use windlass_core::{MutationId, RunId};
use windlass_store::{
    CheckpointPrepare, Claim, ClaimedRun, EventFilter, Layer, LayeredStore, LogFilter, LogSource,
    Page, Result, StoreError, WriteOutcome,
};

use crate::world::{World, log, reservation};

/// A layer that collects the names of the methods that are called.
#[derive(Debug, Clone, Default)]
struct Names(Arc<Mutex<BTreeSet<&'static str>>>);

impl Names {
    fn note(&self, name: &'static str) {
        self.0.lock().unwrap().insert(name);
    }
}

#[async_trait]
impl Layer for Names {
    async fn write<T: WriteOutcome>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.note(name);
        call.await
    }

    async fn read<T: Send>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.note(name);
        call.await
    }
}

/// A workspace with a workflow, and another workspace from which its ids are used.
pub(crate) struct TwoWorkspaces {
    pub(crate) inside: World,
    pub(crate) outside: World,
    tried: Names,
}

impl TwoWorkspaces {
    pub(crate) async fn of(inside: World) -> Self {
        let tried = Names::default();
        let store =
            Arc::new(LayeredStore { inner: Arc::clone(&inside.store), layer: tried.clone() });
        let workspace = inside.store.ensure_workspace("another").await.unwrap();
        Self { outside: World { store, workspace, ..inside.clone() }, inside, tried }
    }

    /// From outside the call finds no such thing and changes nothing. From inside it succeeds.
    pub(crate) async fn refused_outside<T: Debug>(
        &self,
        call: impl AsyncFn(&World) -> Result<T>,
    ) -> T {
        let before = everything_visible(&self.inside).await;
        let error = call(&self.outside).await.unwrap_err();
        let is_unknown =
            matches!(error, StoreError::NotFound { .. } | StoreError::ClaimLost { .. });
        assert!(is_unknown, "{error:?}");
        assert_eq!(everything_visible(&self.inside).await, before);
        call(&self.inside).await.unwrap()
    }

    /// From outside the call returns nothing and changes nothing. From inside it returns something.
    pub(crate) async fn empty_outside<T>(&self, call: impl AsyncFn(&World) -> Result<T>) -> T
    where
        T: Debug + Default + PartialEq,
    {
        let before = everything_visible(&self.inside).await;
        assert_eq!(call(&self.outside).await.unwrap(), T::default());
        assert_eq!(everything_visible(&self.inside).await, before);
        let found = call(&self.inside).await.unwrap();
        assert_ne!(found, T::default());
        found
    }

    /// From outside the call changes nothing inside. From inside it does.
    pub(crate) async fn separate_outside<T>(&self, call: impl AsyncFn(&World) -> Result<T>) {
        let before = everything_visible(&self.inside).await;
        call(&self.outside).await.unwrap();
        let after = everything_visible(&self.inside).await;
        assert_eq!(after, before);
        call(&self.inside).await.unwrap();
        assert_ne!(everything_visible(&self.inside).await, after);
    }

    /// The methods that were tried from outside.
    pub(crate) fn tried(&self) -> BTreeSet<&'static str> {
        self.tried.0.lock().unwrap().clone()
    }

    /// Takes the workflow's queued run.
    pub(crate) async fn take(&self, handler: &str) -> ClaimedRun {
        let claims = async |world: &World| Ok(world.claims(Some(world.workflow), 1).await);
        let run = self.empty_outside(claims).await.remove(0);
        assert_eq!(run.handler, handler);
        run
    }

    /// Takes a run of `record` and reserves that mail.
    pub(crate) async fn reserve(&self, mail: &str) -> ClaimedRun {
        let run = self.take("record").await;
        let prepare = async |world: &World| {
            let prepared =
                world.prepared(&as_named_by(world, &run), vec![reservation("mail", &[mail])]);
            let params = CheckpointPrepare { logs: vec![log("prepared")], ..prepared };
            world.store.checkpoint_prepare(params).await
        };
        self.refused_outside(prepare).await;
        run
    }

    /// The same, whose request is under way.
    pub(crate) async fn mutating(&self, mail: &str) -> (ClaimedRun, MutationId) {
        let run = self.reserve(mail).await;
        let begin = async |world: &World| world.begin_as(&as_named_by(world, &run), true).await;
        let mutation = self.refused_outside(begin).await;
        (run, mutation)
    }
}

/// The run, as a caller from that workspace would name it.
pub(crate) fn as_named_by(world: &World, run: &ClaimedRun) -> ClaimedRun {
    ClaimedRun { claim: claim_as_named_by(world, run), ..run.clone() }
}

pub(crate) fn claim_as_named_by(world: &World, run: &ClaimedRun) -> Claim {
    Claim { workspace: world.workspace, ..run.claim }
}

pub(crate) fn all_events(world: &World) -> EventFilter {
    let (workspace, workflow) = (world.workspace, world.workflow);
    EventFilter {
        workspace,
        workflow,
        topic: None,
        status: None,
        message_ids: None,
        page: Page::first(1_000),
    }
}

pub(crate) fn logs_of(world: &World, run: RunId) -> LogFilter {
    LogFilter { workspace: world.workspace, of: LogSource::Run(run), page: Page::first(u32::MAX) }
}

/// Everything that can be read of a workspace and its workflow.
pub(crate) async fn everything_visible(world: &World) -> Vec<String> {
    let World { store, workspace, workflow, .. } = world;
    let runs = world.runs().await;
    let mut seen = vec![
        format!("{:?}", store.all_workflows(*workspace).await.unwrap()),
        format!("{:?}", store.limits(*workspace).await.unwrap()),
        format!("{:?}", store.workers(Some(*workspace)).await.unwrap()),
        format!("{:?}", store.all_notifications(*workspace).await.unwrap()),
        format!("{:?}", store.overview(*workspace, *workflow).await.unwrap()),
        format!("{:?}", store.all_scripts(*workspace, *workflow).await.unwrap()),
        format!("{:?}", store.all_events(all_events(world)).await.unwrap()),
        format!("{:?}", store.all_inputs(*workspace, *workflow).await.unwrap()),
        format!("{:?}", store.all_mutations(*workspace, *workflow).await.unwrap()),
        format!("{:?}", store.all_journal(*workspace, *workflow).await.unwrap()),
        format!("{:?}", store.credentials(Some(*workspace), Page::first(100)).await.unwrap()),
        format!("{:?}", world.next_due().await),
    ];
    for run in runs {
        let session = store.session(*workspace, run.session_id).await.unwrap();
        let logs = store.all_logs(logs_of(world, run.id)).await.unwrap();
        seen.push(format!("{run:?} {session:?} {logs:?}"));
    }
    seen
}
