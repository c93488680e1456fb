//! A store with something around each of its methods.

use async_trait::async_trait;
use windlass_core::{MutationStatus, SessionId, WorkspaceId};

use crate::error::Result;
use crate::model::{
    BegunMutation, Committed, Credential, DeletedExecutions, Event, HeartbeatAnswer, JournalEntry,
    Mutation, RecordedPlan, SavedScript, SettledApproval, SettledEvents, StartedGraph,
    SteeredGraph, SubmittedNode, Workflow,
};
use crate::params::PruneStep;
use crate::store::{InPlace, SharedStore, WakeUpSource, WakeUps};

/// What is done around each method of a store: measuring it, delaying it, refusing it.
#[async_trait]
pub trait Layer: std::fmt::Debug + Send + Sync {
    /// Makes `call`, a method that may change something, or refuses it by dropping it.
    async fn write<T: WriteOutcome>(
        &self,
        method: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T>;

    /// Makes `call`, a method that changes nothing.
    async fn read<T: Send>(
        &self,
        _method: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        call.await
    }
}

/// A store behind a layer. It has all traits of the inner one, by the macro that declares them.
#[derive(Debug)]
pub struct LayeredStore<L> {
    /// The store itself.
    pub inner: SharedStore,
    /// What is around it.
    pub layer: L,
}

impl<L> InPlace for LayeredStore<L> {
    fn check_in_place(&self) -> Result<()> {
        self.inner.check_in_place()
    }
}

impl<L> WakeUpSource for LayeredStore<L> {
    fn wake_ups(&self) -> WakeUps {
        self.inner.wake_ups()
    }
}

/// What a method returns that may change something.
pub trait WriteOutcome: Send {
    /// Whether it changed something: not where it found nothing to do.
    fn has_changed(&self) -> bool {
        true
    }
}

impl<T: Send> WriteOutcome for Vec<T> {
    fn has_changed(&self) -> bool {
        !self.is_empty()
    }
}

impl WriteOutcome for bool {
    fn has_changed(&self) -> bool {
        *self
    }
}

impl WriteOutcome for Option<Credential> {
    fn has_changed(&self) -> bool {
        self.is_some()
    }
}

impl WriteOutcome for PruneStep {
    fn has_changed(&self) -> bool {
        self.count > 0
    }
}

impl WriteOutcome for usize {
    fn has_changed(&self) -> bool {
        *self > 0
    }
}

impl WriteOutcome for StartedGraph {
    fn has_changed(&self) -> bool {
        self.is_new
    }
}

impl WriteOutcome for SteeredGraph {
    fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl WriteOutcome for SubmittedNode {
    fn has_changed(&self) -> bool {
        !self.is_repeated
    }
}

impl WriteOutcome for SettledApproval {
    fn has_changed(&self) -> bool {
        self.is_settled_now
    }
}

impl WriteOutcome for DeletedExecutions {
    fn has_changed(&self) -> bool {
        !self.executions.is_empty() || !self.plans.is_empty()
    }
}

impl WriteOutcome for () {}
impl WriteOutcome for BegunMutation {}
impl WriteOutcome for Committed {}
impl WriteOutcome for Credential {}
impl WriteOutcome for Event {}
impl WriteOutcome for HeartbeatAnswer {}
impl WriteOutcome for JournalEntry {}
impl WriteOutcome for Mutation {}
impl WriteOutcome for MutationStatus {}
impl WriteOutcome for RecordedPlan {}
impl WriteOutcome for SavedScript {}
impl WriteOutcome for SessionId {}
impl WriteOutcome for SettledEvents {}
impl WriteOutcome for Workflow {}
impl WriteOutcome for WorkspaceId {}
