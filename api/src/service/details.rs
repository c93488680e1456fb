//! Everything about one record, given its id.

use serde::Serialize;
use windlass_core::{EventId, InputId, MutationId, RunId, ScriptId, SessionId};
use windlass_store::{
    AnyId, Approval, Event, EventFilter, EventRounds, Input, JournalEntry, LogEntry, LogFilter,
    LogSource, Mutation, Notification, Page, ReplaySelection, Result, Round, Run, RunFilter,
    ScriptVersion, Session, StoreError,
};

use super::control::choose_version;
use super::handle::Service;
use super::plans::PlanArtifact;
use super::status::WorkflowStatusReport;
use crate::text::TimeFormat;

/// A record with everything around it. `W` is how a workflow's state and health are shown.
#[derive(Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum RecordDetails<W = WorkflowStatusReport> {
    /// A workflow.
    Workflow {
        /// Its state and health.
        workflow: Box<W>,
    },
    /// A script version.
    Script(Box<ScriptDetails>),
    /// An event.
    Event(Box<EventDetails>),
    /// An input.
    Input(Box<InputDetails>),
    /// A handler run.
    Run(Box<RunDetails>),
    /// A mutation.
    Output(Box<OutputDetails>),
    /// A session.
    Session(Box<SessionDetails>),
    /// A notification.
    Notification {
        /// The notification.
        notification: Box<Notification>,
    },
    /// Something that a person is asked.
    Approval(Box<Approval>),
    /// A version of something that a node made.
    Artifact(Box<PlanArtifact>),
}

/// A script version: where it came from, what it declares, and its text.
#[derive(Debug, Serialize)]
pub struct ScriptDetails {
    /// The version.
    pub script: ScriptVersion,
    /// The name of its workflow.
    pub workflow_name: String,
    /// Whether it is the version that runs.
    pub is_active: bool,
}

/// An event and the runs that had it.
#[derive(Debug, Serialize)]
pub struct EventDetails {
    /// The event.
    pub event: Event,
    /// The run that published it first.
    pub published_by: Run,
    /// The run that has it, or had it last.
    pub taken_by: Option<Run>,
    /// Every time that it is or was processed, oldest first.
    pub rounds: Vec<RoundDetails>,
    /// What was done about it, by whom and why.
    pub journal: Vec<JournalEntry>,
}

/// One time that an event is or was processed.
#[derive(Debug, Serialize)]
pub struct RoundDetails {
    /// Which one: 1 until a person replays the event.
    pub round: u32,
    /// The run that has the event, or that consumed or skipped it.
    pub run: RunId,
    /// The mutation of that run. It may have failed.
    pub mutation: Option<Mutation>,
}

/// An event with every time that it is or was processed.
#[derive(Debug, Serialize)]
pub struct EventHistory {
    /// The event.
    pub event: Event,
    /// Its rounds, oldest first. One that no run has begun is missing.
    pub rounds: Vec<RoundDetails>,
}

/// An input and its effects.
#[derive(Debug, Serialize)]
pub struct InputDetails {
    /// The input.
    pub input: Input,
    /// The run that registered it.
    pub registered_by: Option<Run>,
    /// The events that it caused, and what was decided about each.
    pub events: Vec<EventHistory>,
    /// What happened because of it.
    pub outputs: Vec<Mutation>,
}

/// An effect, its causes, and what was done about it.
#[derive(Debug, Serialize)]
pub struct OutputDetails {
    /// The mutation.
    pub mutation: Mutation,
    /// The run that made it.
    pub run: Run,
    /// The inputs that caused it.
    pub inputs: Vec<Input>,
    /// What was done about it, by whom and why.
    pub journal: Vec<JournalEntry>,
}

/// A handler run: how far it came, what it took and gave, and why it stopped.
#[derive(Debug, Serialize)]
pub struct RunDetails {
    /// The run.
    pub run: Run,
    /// The session that it belongs to.
    pub session: Session,
    /// The events that it reserved, consumed or skipped.
    pub took: Vec<Event>,
    /// The events that it published first.
    pub published: Vec<Event>,
    /// Its effect.
    pub mutation: Option<Mutation>,
    /// The runs that it continues, the nearest first.
    pub continues: Vec<Run>,
    /// The runs that continue it.
    pub continued_by: Vec<RunId>,
    /// What its script logged.
    pub logs: Vec<LogEntry>,
}

/// A session and its runs.
#[derive(Debug, Serialize)]
pub struct SessionDetails {
    /// The session.
    pub session: Session,
    /// Its runs in the order in which they began.
    pub handler_runs: Vec<Run>,
}

impl<W> RecordDetails<W> {
    /// Tells the state and health of a workflow in another way.
    pub fn map_workflow<V>(self, map: impl FnOnce(W) -> V) -> RecordDetails<V> {
        match self {
            Self::Workflow { workflow } => {
                RecordDetails::Workflow { workflow: Box::new(map(*workflow)) }
            }
            Self::Script(script) => RecordDetails::Script(script),
            Self::Event(event) => RecordDetails::Event(event),
            Self::Input(input) => RecordDetails::Input(input),
            Self::Run(run) => RecordDetails::Run(run),
            Self::Output(output) => RecordDetails::Output(output),
            Self::Session(session) => RecordDetails::Session(session),
            Self::Notification { notification } => RecordDetails::Notification { notification },
            Self::Approval(approval) => RecordDetails::Approval(approval),
            Self::Artifact(artifact) => RecordDetails::Artifact(artifact),
        }
    }
}

impl Service {
    /// Everything about the workflow of this name, its version `NAME@VERSION`, or the record with this id or a part of an id.
    /// `times` says how instants are worded in the health of a workflow.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchVersion`](super::ServiceError::NoSuchVersion), and those of the store, among them that no id or several
    /// ids fit.
    pub async fn details(
        &self,
        name_or_id: &str,
        times: TimeFormat,
    ) -> super::Result<RecordDetails> {
        Ok(self.record_details(self.identify(name_or_id).await?, times).await?)
    }

    /// What a person means: a name comes before an id that begins so.
    async fn identify(&self, written: &str) -> super::Result<AnyId> {
        let (name, version) = match written.rsplit_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (written, None),
        };
        let workflow = match self.store.find_workflow(self.workspace, name).await {
            Ok(workflow) if version.is_some() || workflow.name == *name => workflow,
            Err(error) if version.is_some() => return Err(error.into()),
            Ok(_) | Err(StoreError::NotFound { .. } | StoreError::Ambiguous { .. }) => {
                return Ok(self.store.resolve_id(self.workspace, written).await?);
            }
            Err(error) => return Err(error.into()),
        };
        if version.is_none() {
            return Ok(AnyId::Workflow(workflow.id));
        }
        let scripts = self.scripts_of(&workflow).await?;
        Ok(AnyId::Script(choose_version(&workflow, &scripts, version)?.id))
    }

    async fn record_details(&self, id: AnyId, times: TimeFormat) -> Result<RecordDetails> {
        Ok(match id {
            AnyId::Workflow(id) => {
                RecordDetails::Workflow { workflow: Box::new(self.status(id, times).await?) }
            }
            AnyId::Script(id) => RecordDetails::Script(Box::new(self.script_details(id).await?)),
            AnyId::Event(id) => RecordDetails::Event(Box::new(self.event_details(id).await?)),
            AnyId::Input(id) => RecordDetails::Input(Box::new(self.input_details(id).await?)),
            AnyId::Run(id) => RecordDetails::Run(Box::new(self.run_details(id).await?)),
            AnyId::Mutation(id) => RecordDetails::Output(Box::new(self.output_details(id).await?)),
            AnyId::Session(id) => RecordDetails::Session(Box::new(self.session_details(id).await?)),
            AnyId::Notification(id) => {
                let all = self.notifications().await?;
                let found = all.into_iter().find(|notification| notification.id == id);
                let missing = || StoreError::not_found("notification", &id);
                let notification = Box::new(found.ok_or_else(missing)?);
                RecordDetails::Notification { notification }
            }
            AnyId::Approval(id) => {
                let approval = self.store.approval(self.workspace, id).await?;
                RecordDetails::Approval(Box::new(approval))
            }
            AnyId::Artifact(id) => {
                let artifact = self.store.artifact(self.workspace, id).await?;
                RecordDetails::Artifact(Box::new(artifact.into()))
            }
        })
    }

    async fn script_details(&self, id: ScriptId) -> Result<ScriptDetails> {
        let script = self.store.script(self.workspace, id).await?;
        let workflow = self.store.overview(self.workspace, script.workflow_id).await?.workflow;
        let is_active = workflow.active_script_id == Some(id);
        Ok(ScriptDetails { script, workflow_name: workflow.name, is_active })
    }

    async fn event_details(&self, id: EventId) -> Result<EventDetails> {
        let event = self.store.event(self.workspace, id).await?;
        let published_by = self.store.run(self.workspace, event.created_by_run_id).await?;
        let taken_by = self.run_if(event.reserved_by_run_id).await?;
        let mut rounds = Vec::new();
        for EventRounds { rounds: all, .. } in self.rounds_of(ReplaySelection::Event(id)).await? {
            for Round { number, run_id, mutation_id } in all {
                let mutation = match mutation_id {
                    Some(mutation) => Some(self.store.mutation(self.workspace, mutation).await?),
                    None => None,
                };
                rounds.push(RoundDetails { round: number, run: run_id, mutation });
            }
        }
        let (workflow, about) = (published_by.workflow_id, id.to_string());
        let journal = self.store.all_journal_for(self.workspace, workflow, &about).await?;
        Ok(EventDetails { event, published_by, taken_by, rounds, journal })
    }

    async fn rounds_of(&self, selection: ReplaySelection) -> Result<Vec<EventRounds>> {
        self.store.event_rounds(self.workspace, selection).await
    }

    async fn input_details(&self, id: InputId) -> Result<InputDetails> {
        let input = self.store.input(self.workspace, id).await?;
        let mut outputs = self.store.all_mutations(self.workspace, input.workflow_id).await?;
        let found = self.rounds_of(ReplaySelection::Input(id)).await?;
        let details = |Round { number, run_id, mutation_id }: &Round| {
            let mutation = outputs.iter().find(|mutation| Some(mutation.id) == *mutation_id);
            RoundDetails { round: *number, run: *run_id, mutation: mutation.cloned() }
        };
        let history = |EventRounds { event, rounds }| EventHistory {
            event,
            rounds: rounds.iter().map(details).collect(),
        };
        let events = found.into_iter().map(history).collect();
        outputs.retain(|mutation| mutation.inputs.contains(&id));
        let registered_by = self.run_if(input.created_by_run_id).await?;
        Ok(InputDetails { input, registered_by, events, outputs })
    }

    async fn output_details(&self, id: MutationId) -> Result<OutputDetails> {
        let mutation = self.store.mutation(self.workspace, id).await?;
        let inputs = self.inputs_of(&mutation).await?;
        let about = id.to_string();
        let journal =
            self.store.all_journal_for(self.workspace, mutation.workflow_id, &about).await?;
        let run = self.store.run(self.workspace, mutation.handler_run_id).await?;
        Ok(OutputDetails { mutation, run, inputs, journal })
    }

    async fn run_details(&self, id: RunId) -> Result<RunDetails> {
        let run = self.store.run(self.workspace, id).await?;
        let all_events = EventFilter {
            workspace: self.workspace,
            workflow: run.workflow_id,
            topic: None,
            status: None,
            message_ids: None,
            page: Page::first(u32::MAX),
        };
        let events = self.store.all_events(all_events).await?;
        let mutation = match run.mutation_id {
            Some(mutation) => Some(self.store.mutation(self.workspace, mutation).await?),
            None => None,
        };
        let mut continues = Vec::new();
        let mut earlier = run.retry_of;
        while let Some(id) = earlier {
            let run = self.store.run(self.workspace, id).await?;
            earlier = run.retry_of;
            continues.push(run);
        }
        let all_runs = RunFilter {
            workspace: self.workspace,
            workflow: run.workflow_id,
            session: None,
            page: Page::first(u32::MAX),
        };
        let runs = self.store.all_runs(all_runs).await?;
        let later = runs.into_iter().filter(|later| later.retry_of == Some(id));
        Ok(RunDetails {
            session: self.store.session(self.workspace, run.session_id).await?,
            took: self.taken_by(id, &events).await?,
            published: filtered(&events, |event| event.created_by_run_id == id),
            mutation,
            continues,
            continued_by: later.map(|run| run.id).collect(),
            logs: self.logs(LogSource::Run(id), 0).await?,
            run,
        })
    }

    /// The events that the run has reserved, or that it consumed or skipped, also before they were replayed.
    async fn taken_by(&self, run: RunId, events: &[Event]) -> Result<Vec<Event>> {
        let mut taken = filtered(events, |event| event.reserved_by_run_id == Some(run));
        for event in events.iter().filter(|it| it.round > 1 && it.reserved_by_run_id != Some(run)) {
            let found = self.rounds_of(ReplaySelection::Event(event.id)).await?;
            if found.iter().flat_map(|it| &it.rounds).any(|round| round.run_id == run) {
                taken.push(event.clone());
            }
        }
        Ok(taken)
    }

    async fn session_details(&self, id: SessionId) -> Result<SessionDetails> {
        let session = self.store.session(self.workspace, id).await?;
        let handler_runs = self.runs_of_session(&session).await?;
        Ok(SessionDetails { session, handler_runs })
    }

    /// The runs of a session in the order in which they began.
    pub(crate) async fn runs_of_session(&self, session: &Session) -> Result<Vec<Run>> {
        let filter = RunFilter {
            workspace: self.workspace,
            workflow: session.workflow_id,
            session: Some(session.id),
            page: Page::first(u32::MAX),
        };
        let mut runs = self.store.all_runs(filter).await?;
        runs.reverse();
        Ok(runs)
    }

    /// The inputs that caused a mutation.
    pub(crate) async fn inputs_of(&self, mutation: &Mutation) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        for input in &mutation.inputs {
            inputs.push(self.store.input(self.workspace, *input).await?);
        }
        Ok(inputs)
    }

    async fn run_if(&self, run: Option<RunId>) -> Result<Option<Run>> {
        match run {
            Some(run) => Ok(Some(self.store.run(self.workspace, run).await?)),
            None => Ok(None),
        }
    }

    /// What a run or a session logged after the line with this number.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn logs(&self, of: LogSource, after_seq: u32) -> Result<Vec<LogEntry>> {
        let page = Page { limit: u32::MAX, after: Some(after_seq) };
        self.store.all_logs(LogFilter { workspace: self.workspace, of, page }).await
    }
}

fn filtered(events: &[Event], is_wanted: impl Fn(&&Event) -> bool) -> Vec<Event> {
    events.iter().filter(is_wanted).cloned().collect()
}
