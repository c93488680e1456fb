//! The looking half of the store: each method is one operation that only reads.

use async_trait::async_trait;
use windlass_core::{
    EventId, InputId, MutationId, RunId, ScriptId, SessionId, Timestamp, WorkflowId, WorkspaceId,
};

use super::dialect::Backend;
use super::ops::prune::Prunable;
use super::ops::{Operation, Tx};
use super::{
    due, events, flow, identify, inputs, mutations, notices, overview, runs, workers, workflows,
};
use crate::error::Result;
use crate::model::{
    Agenda, Event, HandlerState, Input, JournalEntry, Limit, LogEntry, Mutation, Notification, Run,
    ScriptVersion, Session, Worker, Workflow, WorkflowOverview, Workspace,
};
use crate::params::{EventFilter, LogFilter, Prune, Pruned, RunFilter, Takes};
use crate::rows::storable;
use crate::store::{AnyId, Inspect, WakeUps};

/// Makes an operation of each read: what it is given, what comes of it, and its body over the open transaction.
macro_rules! looks {
    ($( $name:ident { $( $field:ident: $type:ty ),* } -> $output:ty: |$tx:ident| $body:expr; )+) => { $(
        #[derive(Clone)]
        struct $name { $( $field: $type, )* }

        impl Operation for $name {
            type Output = $output;

            async fn run(self, $tx: &mut Tx<'_>) -> Result<$output> {
                let Self { $( $field ),* } = self;
                $body.await
            }
        }
    )+ };
}

looks! {
    Now {} -> Timestamp: |tx| std::future::ready(Ok(tx.now));
    OnAgenda { takes: Takes } -> Agenda: |tx| due::agenda(tx.conn, tx.now, &takes);
    Limits { workspace: WorkspaceId } -> Vec<Limit>: |tx| flow::limits(tx.conn, tx.now, workspace);
    Workers { workspace: Option<WorkspaceId> } -> Vec<Worker>: |tx| workers::workers(tx.conn, workspace);
    Workspaces {} -> Vec<Workspace>: |tx| workflows::workspaces(tx.conn);
    Workflows { workspace: WorkspaceId } -> Vec<Workflow>: |tx| workflows::workflows(tx.conn, workspace);
    FindWorkflow { workspace: WorkspaceId, name_or_id: String } -> Workflow:
        |tx| identify::find_workflow(tx.conn, workspace, &name_or_id);
    Overview { workflow: WorkflowId } -> WorkflowOverview:
        |tx| overview::overview(tx.conn, (tx.policy, tx.now), workflow);
    Script { script: ScriptId } -> ScriptVersion: |tx| workflows::script(tx.conn, script);
    Scripts { workflow: WorkflowId } -> Vec<ScriptVersion>: |tx| workflows::scripts(tx.conn, workflow);
    Handlers { workflow: WorkflowId } -> Vec<HandlerState>: |tx| workflows::handlers(tx.conn, workflow);
    Events { filter: EventFilter } -> Vec<Event>: |tx| events::events(tx.conn, &filter);
    OneEvent { event: EventId } -> Event: |tx| events::event(tx.conn, event);
    FindInput { workflow: WorkflowId, source: String, input_type: String, external_id: String } -> Option<InputId>:
        |tx| inputs::find_input(tx.conn, workflow, (&source, &input_type, &external_id));
    Inputs { workflow: WorkflowId } -> Vec<Input>: |tx| inputs::inputs(tx.conn, workflow);
    OneInput { input: InputId } -> Input: |tx| inputs::input(tx.conn, input);
    Mutations { workflow: WorkflowId } -> Vec<Mutation>: |tx| mutations::mutations(tx.conn, workflow);
    OneMutation { mutation: MutationId } -> Mutation: |tx| mutations::mutation(tx.conn, mutation);
    Runs { filter: RunFilter } -> Vec<Run>: |tx| runs::runs(tx.conn, &filter);
    OneRun { run: RunId } -> Run: |tx| runs::run(tx.conn, run);
    OneSession { session: SessionId } -> Session: |tx| runs::session(tx.conn, session);
    Logs { filter: LogFilter } -> Vec<LogEntry>: |tx| runs::logs(tx.conn, filter);
    Notifications { workspace: WorkspaceId } -> Vec<Notification>: |tx| notices::notifications(tx.conn, workspace);
    HasMessage { mutation: MutationId } -> bool: |tx| notices::has_message(tx.conn, mutation);
    Journal { workflow: WorkflowId } -> Vec<JournalEntry>: |tx| notices::journal(tx.conn, workflow);
    Story { workflow: WorkflowId, subject: String } -> Vec<JournalEntry>:
        |tx| notices::story(tx.conn, workflow, &subject);
    ResolveId { workspace: WorkspaceId, prefix: String } -> AnyId:
        |tx| identify::resolve_id(tx.conn, workspace, &prefix);
}

#[async_trait]
impl Inspect for Backend {
    async fn now(&self) -> Result<Timestamp> {
        self.read(Now {}).await
    }

    async fn agenda(&self, takes: &Takes) -> Result<Agenda> {
        self.read(OnAgenda { takes: takes.clone() }).await
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

    async fn overview(&self, workflow: WorkflowId) -> Result<WorkflowOverview> {
        self.read(Overview { workflow }).await
    }

    async fn script(&self, script: ScriptId) -> Result<ScriptVersion> {
        self.read(Script { script }).await
    }

    async fn scripts(&self, workflow: WorkflowId) -> Result<Vec<ScriptVersion>> {
        self.read(Scripts { workflow }).await
    }

    async fn handlers(&self, workflow: WorkflowId) -> Result<Vec<HandlerState>> {
        self.read(Handlers { workflow }).await
    }

    async fn events(&self, filter: EventFilter) -> Result<Vec<Event>> {
        let filter = EventFilter {
            topic: filter.topic.map(storable),
            message_ids: filter.message_ids.map(|ids| ids.into_iter().map(storable).collect()),
            ..filter
        };
        self.read(Events { filter }).await
    }

    async fn event(&self, event: EventId) -> Result<Event> {
        self.read(OneEvent { event }).await
    }

    async fn find_input(
        &self,
        workflow: WorkflowId,
        source: &str,
        input_type: &str,
        external_id: &str,
    ) -> Result<Option<InputId>> {
        let [source, input_type, external_id] =
            [source, input_type, external_id].map(|text| storable(text.to_owned()));
        self.read(FindInput { workflow, source, input_type, external_id }).await
    }

    async fn inputs(&self, workflow: WorkflowId) -> Result<Vec<Input>> {
        self.read(Inputs { workflow }).await
    }

    async fn input(&self, input: InputId) -> Result<Input> {
        self.read(OneInput { input }).await
    }

    async fn mutations(&self, workflow: WorkflowId) -> Result<Vec<Mutation>> {
        self.read(Mutations { workflow }).await
    }

    async fn mutation(&self, mutation: MutationId) -> Result<Mutation> {
        self.read(OneMutation { mutation }).await
    }

    async fn runs(&self, filter: RunFilter) -> Result<Vec<Run>> {
        self.read(Runs { filter }).await
    }

    async fn run(&self, run: RunId) -> Result<Run> {
        self.read(OneRun { run }).await
    }

    async fn session(&self, session: SessionId) -> Result<Session> {
        self.read(OneSession { session }).await
    }

    async fn logs(&self, filter: LogFilter) -> Result<Vec<LogEntry>> {
        self.read(Logs { filter }).await
    }

    async fn notifications(&self, workspace: WorkspaceId) -> Result<Vec<Notification>> {
        self.read(Notifications { workspace }).await
    }

    async fn has_message(&self, mutation: MutationId) -> Result<bool> {
        self.read(HasMessage { mutation }).await
    }

    async fn journal(&self, workflow: WorkflowId) -> Result<Vec<JournalEntry>> {
        self.read(Journal { workflow }).await
    }

    async fn story(&self, workflow: WorkflowId, subject: &str) -> Result<Vec<JournalEntry>> {
        self.read(Story { workflow, subject: subject.to_owned() }).await
    }

    async fn prunable(&self, params: Prune) -> Result<Pruned> {
        self.read(Prunable(params)).await
    }

    async fn resolve_id(&self, workspace: WorkspaceId, prefix: &str) -> Result<AnyId> {
        self.read(ResolveId { workspace, prefix: prefix.to_owned() }).await
    }
}
