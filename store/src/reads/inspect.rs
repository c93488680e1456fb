//! The looking half of the store: each method is one operation that only reads.

use async_trait::async_trait;
use windlass_core::{
    EventId, InputId, MutationId, RunId, ScriptId, SessionId, Timestamp, WorkflowId, WorkspaceId,
};

use super::dialect::{Backend, Conn};
use super::ops::prune::Prunable;
use super::ops::{Operation, Query, Tx};
use super::{
    due, events, identify, inputs, limits, mutations, notices, overview, runs, workers, workflows,
};
use crate::error::Result;
use crate::model::{
    Agenda, Event, HandlerState, Input, JournalEntry, Limit, LogEntry, Mutation, Notification, Run,
    ScriptVersion, Session, Worker, Workflow, WorkflowOverview, Workspace,
};
use crate::params::{ClaimFilter, EventFilter, InputKey, LogFilter, Prune, Pruned, RunFilter};
use crate::rows::storable;
use crate::store::{AnyId, Inspect, WakeUps};

/// Makes an [`Operation`] or a [`Look`] of each read: what it is given, what comes of it, and its body over the open transaction or
/// the connection.
macro_rules! reads {
    (
        $kind:ident over $over:ty;
        $( $name:ident { $( $field:ident: $type:ty ),* } -> $output:ty: |$place:ident| $body:expr; )+
    ) => { $(
        #[derive(Clone)]
        struct $name { $( $field: $type, )* }

        impl $kind for $name {
            type Output = $output;

            async fn run(self, $place: &$over) -> Result<$output> {
                let Self { $( $field ),* } = self;
                $body.await
            }
        }
    )+ };
}

reads! {
    Query over Conn;
    Events { filter: EventFilter } -> Vec<Event>: |conn| events::events(conn, &filter);
    FindInput { key: InputKey } -> Option<InputId>: |conn| inputs::find_input(conn, &key);
    HasMessage { workspace: WorkspaceId, mutation: MutationId } -> bool: |conn| notices::has_message(conn, workspace, mutation);
}

reads! {
    Operation over Tx<'_>;
    Now {} -> Timestamp: |tx| std::future::ready(Ok(tx.now));
    OnAgenda { filter: ClaimFilter } -> Agenda: |tx| due::agenda(tx.conn, tx.now, &filter);
    Limits { workspace: WorkspaceId } -> Vec<Limit>: |tx| limits::limits(tx.conn, tx.now, workspace);
    Workers { workspace: Option<WorkspaceId> } -> Vec<Worker>: |tx| workers::workers(tx.conn, workspace);
    Workspaces {} -> Vec<Workspace>: |tx| workflows::workspaces(tx.conn);
    Workflows { workspace: WorkspaceId } -> Vec<Workflow>: |tx| workflows::workflows(tx.conn, workspace);
    FindWorkflow { workspace: WorkspaceId, name_or_id: String } -> Workflow:
        |tx| identify::find_workflow(tx.conn, workspace, &name_or_id);
    Overview { workspace: WorkspaceId, workflow: WorkflowId } -> WorkflowOverview:
        |tx| overview::overview(tx.conn, (tx.policy, tx.now), (workspace, workflow));
    Script { workspace: WorkspaceId, script: ScriptId } -> ScriptVersion: |tx| workflows::script(tx.conn, workspace, script);
    Scripts { workspace: WorkspaceId, workflow: WorkflowId } -> Vec<ScriptVersion>: |tx| workflows::scripts(tx.conn, workspace, workflow);
    Handlers { workspace: WorkspaceId, workflow: WorkflowId } -> Vec<HandlerState>: |tx| workflows::handlers(tx.conn, workspace, workflow);
    OneEvent { workspace: WorkspaceId, event: EventId } -> Event: |tx| events::event(tx.conn, workspace, event);
    Inputs { workspace: WorkspaceId, workflow: WorkflowId } -> Vec<Input>: |tx| inputs::inputs(tx.conn, workspace, workflow);
    OneInput { workspace: WorkspaceId, input: InputId } -> Input: |tx| inputs::input(tx.conn, workspace, input);
    Mutations { workspace: WorkspaceId, workflow: WorkflowId } -> Vec<Mutation>: |tx| mutations::mutations(tx.conn, workspace, workflow);
    OneMutation { workspace: WorkspaceId, mutation: MutationId } -> Mutation: |tx| mutations::mutation(tx.conn, workspace, mutation);
    Runs { filter: RunFilter } -> Vec<Run>: |tx| runs::runs(tx.conn, &filter);
    OneRun { workspace: WorkspaceId, run: RunId } -> Run: |tx| runs::run(tx.conn, workspace, run);
    OneSession { workspace: WorkspaceId, session: SessionId } -> Session: |tx| runs::session(tx.conn, workspace, session);
    Logs { filter: LogFilter } -> Vec<LogEntry>: |tx| runs::logs(tx.conn, filter);
    Notifications { workspace: WorkspaceId } -> Vec<Notification>: |tx| notices::notifications(tx.conn, workspace);
    Journal { workspace: WorkspaceId, workflow: WorkflowId } -> Vec<JournalEntry>: |tx| notices::journal(tx.conn, workspace, workflow);
    Story { workspace: WorkspaceId, workflow: WorkflowId, subject: String } -> Vec<JournalEntry>:
        |tx| notices::journal_for(tx.conn, workspace, (workflow, &subject));
    ResolveId { workspace: WorkspaceId, prefix: String } -> AnyId:
        |tx| identify::resolve_id(tx.conn, workspace, &prefix);
}

#[async_trait]
impl Inspect for Backend {
    async fn now(&self) -> Result<Timestamp> {
        self.read(Now {}).await
    }

    async fn agenda(&self, filter: &ClaimFilter) -> Result<Agenda> {
        self.read(OnAgenda { filter: filter.clone() }).await
    }

    async fn workers(&self, workspace: Option<WorkspaceId>) -> Result<Vec<Worker>> {
        self.read(Workers { workspace }).await
    }

    fn wake_ups(&self) -> WakeUps {
        WakeUps::new(self.subscribe())
    }

    async fn workspaces(&self) -> Result<Vec<Workspace>> {
        self.read(Workspaces {}).await
    }

    async fn limits(&self, workspace: WorkspaceId) -> Result<Vec<Limit>> {
        self.read(Limits { workspace }).await
    }

    async fn workflows(&self, workspace: WorkspaceId) -> Result<Vec<Workflow>> {
        self.read(Workflows { workspace }).await
    }

    async fn find_workflow(&self, workspace: WorkspaceId, name_or_id: &str) -> Result<Workflow> {
        self.read(FindWorkflow { workspace, name_or_id: storable(name_or_id.to_owned()) }).await
    }

    async fn overview(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<WorkflowOverview> {
        self.read(Overview { workspace, workflow }).await
    }

    async fn script(&self, workspace: WorkspaceId, script: ScriptId) -> Result<ScriptVersion> {
        self.read(Script { workspace, script }).await
    }

    async fn scripts(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<ScriptVersion>> {
        self.read(Scripts { workspace, workflow }).await
    }

    async fn handlers(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<HandlerState>> {
        self.read(Handlers { workspace, workflow }).await
    }

    async fn events(&self, filter: EventFilter) -> Result<Vec<Event>> {
        let filter = EventFilter {
            topic: filter.topic.map(storable),
            message_ids: filter.message_ids.map(|ids| ids.into_iter().map(storable).collect()),
            ..filter
        };
        self.query(Events { filter }).await
    }

    async fn event(&self, workspace: WorkspaceId, event: EventId) -> Result<Event> {
        self.read(OneEvent { workspace, event }).await
    }

    async fn find_input(&self, key: InputKey) -> Result<Option<InputId>> {
        let key = InputKey {
            source: storable(key.source),
            input_type: storable(key.input_type),
            external_id: storable(key.external_id),
            ..key
        };
        self.query(FindInput { key }).await
    }

    async fn inputs(&self, workspace: WorkspaceId, workflow: WorkflowId) -> Result<Vec<Input>> {
        self.read(Inputs { workspace, workflow }).await
    }

    async fn input(&self, workspace: WorkspaceId, input: InputId) -> Result<Input> {
        self.read(OneInput { workspace, input }).await
    }

    async fn mutations(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<Mutation>> {
        self.read(Mutations { workspace, workflow }).await
    }

    async fn mutation(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<Mutation> {
        self.read(OneMutation { workspace, mutation }).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>> {
        self.read(Runs { filter }).await
    }

    async fn run(&self, workspace: WorkspaceId, run: RunId) -> Result<Run> {
        self.read(OneRun { workspace, run }).await
    }

    async fn session(&self, workspace: WorkspaceId, session: SessionId) -> Result<Session> {
        self.read(OneSession { workspace, session }).await
    }

    async fn logs(&self, filter: LogFilter) -> Result<Vec<LogEntry>> {
        self.read(Logs { filter }).await
    }

    async fn notifications(&self, workspace: WorkspaceId) -> Result<Vec<Notification>> {
        self.read(Notifications { workspace }).await
    }

    async fn has_message(&self, workspace: WorkspaceId, mutation: MutationId) -> Result<bool> {
        self.query(HasMessage { workspace, mutation }).await
    }

    async fn journal(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
    ) -> Result<Vec<JournalEntry>> {
        self.read(Journal { workspace, workflow }).await
    }

    async fn journal_for(
        &self,
        workspace: WorkspaceId,
        workflow: WorkflowId,
        subject: &str,
    ) -> Result<Vec<JournalEntry>> {
        self.read(Story { workspace, workflow, subject: subject.to_owned() }).await
    }

    async fn prunable(&self, params: Prune) -> Result<Pruned> {
        self.read(Prunable(params)).await
    }

    async fn resolve_id(&self, workspace: WorkspaceId, prefix: &str) -> Result<AnyId> {
        self.read(ResolveId { workspace, prefix: prefix.to_owned() }).await
    }
}
