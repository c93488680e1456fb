//! One store under test, and what a history has made in it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Action, Age, Clock, EventStatus, Failure, Grant, Id, LookupResult, ManualClock, MutationId,
    RecordKind, ResolutionKind, Retention, ScriptId, SessionId, WorkerId, WorkflowId, WorkspaceId,
};
use windlass_store::{
    ActivateScript, Bump, Claim, ClaimFilter, ClaimLookups, ClaimRuns, ClaimScope, ClockRun,
    ControlWorkflow, EndedLeases, EndedRuns, EventAction, Heartbeat, Prune, RecoverRuns,
    ReplayEvents, ReplaySelection, ResolveMutation, Result, SaveScript, ScriptMessage, SettleEvent,
    SettleLookup, StartSession, Store, StoreError,
};
use windlass_store_conformance::{resolution, worker_info};

use crate::differential::command::Command;
use crate::differential::names::Names;
use crate::differential::{scripts, state};

/// How long a claim lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
const ACTOR: &str = "ann";

/// One store under test.
pub(crate) struct Side {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<ManualClock>,
    /// Every claim that was ever given, oldest first.
    pub(crate) claims: Vec<Claim>,
    /// Every mutation that was begun, oldest first.
    pub(crate) mutations: Vec<MutationId>,
    /// Every run of a graph that was ever begun, oldest first.
    pub(crate) graphs: Vec<SessionId>,
    /// Every recorded plan, oldest first.
    pub(crate) plans: Vec<ScriptId>,
    pub(crate) workspace: WorkspaceId,
    workers: Vec<WorkerId>,
    names: Names,
}

impl Side {
    pub(crate) async fn new(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Self {
        let workspace = store.ensure_workspace("main").await.unwrap();
        let workers = (0..2).map(|_| WorkerId::mint(clock.now())).collect();
        Self {
            store,
            clock,
            claims: Vec::new(),
            mutations: Vec::new(),
            graphs: Vec::new(),
            plans: Vec::new(),
            workspace,
            workers,
            names: Names::default(),
        }
    }

    /// Takes one step; what the store answered.
    pub(crate) async fn apply(&mut self, command: &Command) -> String {
        let answer = self.answer(command).await.unwrap_or_else(|| "there is none".to_owned());
        self.names.normalise(&answer)
    }

    /// Removes what has been over for so long.
    pub(crate) async fn prune(&self, seconds: u64) -> String {
        let retention = Retention::all(Age::Span(Duration::from_secs(seconds)));
        let mut counts = Vec::new();
        for kind in RecordKind::ALL.iter().copied() {
            let params = Prune { kind, retention: retention.clone(), after: None, limit: 1_000 };
            counts.push((kind, self.store.prune(params).await.map(|pruned| pruned.count)));
        }
        format!("{counts:?}")
    }

    /// Everything that the store holds.
    pub(crate) async fn state(&mut self) -> BTreeMap<String, String> {
        let mut parts = state::read(self.store.as_ref(), self.workspace).await;
        parts.extend(self.graphs_state().await);
        let normal = |(part, text): (String, String)| {
            (self.names.normalise(&part), self.names.normalise(&text))
        };
        parts.into_iter().map(normal).collect()
    }

    /// None where the history speaks of something that is not there.
    async fn answer(&mut self, command: &Command) -> Option<String> {
        Some(match command {
            Command::Save { workflow, script, bump } => self.save(*workflow, *script, *bump).await,
            Command::Activate { workflow, version } => {
                self.activate(self.workflow(*workflow).await?, *version).await
            }
            Command::Control { workflow, action } => {
                self.control(self.workflow(*workflow).await?, *action).await
            }
            Command::Start { workflow } => self.start(self.workflow(*workflow).await?).await,
            Command::EnqueueDue { limit } => said(self.store.enqueue_due(*limit).await),
            Command::Claim { worker, limit, only } => {
                let only = match only {
                    Some(workflow) => Some(self.workflow(*workflow).await?),
                    None => None,
                };
                self.claim(*worker, *limit, only).await
            }
            Command::Renew { newest } => self.renew(*newest).await,
            Command::Recover { dead } => {
                let lost_workers = dead.iter().map(|dead| self.workers[*dead]).collect();
                said(
                    self.store
                        .recover_runs(RecoverRuns {
                            lost_workers,
                            ended_leases: EndedLeases::by_the_store(),
                            limit: 10,
                        })
                        .await,
                )
            }
            Command::Advance { seconds } => format!("{seconds} seconds pass"),
            Command::Work { claim, how } => self.work(*claim, how).await?,
            Command::Write { claim, write, how } => {
                self.write(nth_newest(&self.claims, *claim)?, *write, how).await?
            }
            Command::Resolve { mutation, verdict } => {
                self.resolve(nth_newest(&self.mutations, *mutation)?, *verdict).await
            }
            Command::LookUp { found } => self.look_up(*found).await,
            Command::SettleEvent { workflow, action } => {
                self.settle_event(self.workflow(*workflow).await?, *action).await?
            }
            Command::Replay { workflow, knows } => {
                self.replay(self.workflow(*workflow).await?, *knows).await?
            }
            Command::Prune { seconds } => self.prune(*seconds).await,
            Command::Message { mutation } => {
                self.message(nth_newest(&self.mutations, *mutation)?).await
            }
            Command::Graph(command) => self.graph(command).await?,
        })
    }

    pub(crate) async fn workflow(&self, nth: usize) -> Option<WorkflowId> {
        let found = self.store.find_workflow(self.workspace, &format!("workflow {nth}")).await;
        found.ok().map(|workflow| workflow.id)
    }

    async fn save(&self, workflow: usize, script: usize, bump: Bump) -> String {
        let params = SaveScript {
            workspace: self.workspace,
            name: format!("workflow {workflow}"),
            file_name: format!("{script}.js"),
            source: format!("// {script}"),
            manifest: scripts::manifest(script),
            grant: Grant::default(),
            comment: String::new(),
            bump,
            actor: ACTOR.to_owned(),
        };
        said(self.store.save_script(params).await)
    }

    async fn activate(&self, workflow: WorkflowId, version: usize) -> String {
        let versions = self.store.all_scripts(self.workspace, workflow).await.unwrap();
        let script = versions[version % versions.len()].id;
        let params =
            ActivateScript { workspace: self.workspace, workflow, script, actor: ACTOR.to_owned() };
        said(self.store.activate_script(params).await)
    }

    pub(crate) async fn control(&self, workflow: WorkflowId, action: Action) -> String {
        let params = ControlWorkflow {
            workspace: self.workspace,
            workflow,
            action,
            actor: ACTOR.to_owned(),
        };
        said(self.store.control_workflow(params).await)
    }

    pub(crate) async fn start(&self, workflow: WorkflowId) -> String {
        let params = StartSession { workspace: self.workspace, workflow, actor: ACTOR.to_owned() };
        said(self.store.start_session(params).await)
    }

    pub(crate) async fn claim(
        &mut self,
        worker: usize,
        limit: u32,
        workflow: Option<WorkflowId>,
    ) -> String {
        let scope = workflow.map_or_else(
            || ClaimScope::Matching(ClaimFilter::default()),
            |workflow| ClaimScope::Workflow(self.workspace, workflow),
        );
        let params = ClaimRuns { worker: self.workers[worker], limit, lease: LEASE, scope };
        let claimed = self.store.claim_runs(params).await;
        self.claims.extend(claimed.iter().flatten().map(|run| run.claim));
        said(claimed)
    }

    async fn renew(&self, newest: usize) -> String {
        let claims = self.claims.iter().rev().take(newest).copied().collect();
        let worker = worker_info(self.workers[0], ClaimFilter::default());
        let heartbeat = Heartbeat {
            worker,
            claims,
            lease: LEASE,
            ended: EndedRuns::default(),
            clock: ClockRun::Even,
        };
        said(self.store.heartbeat(heartbeat).await)
    }

    pub(crate) async fn resolve(&self, mutation: MutationId, verdict: ResolutionKind) -> String {
        let reason = Some("I looked".to_owned());
        let resolution = resolution(verdict);
        let params = ResolveMutation {
            workspace: self.workspace,
            mutation,
            resolution,
            actor: ACTOR.to_owned(),
            reason,
        };
        said(self.store.resolve_mutation(params).await)
    }

    /// Takes what is due to be looked up, and finds out or does not.
    async fn look_up(&self, found: Option<bool>) -> String {
        let params = ClaimLookups { of: None, limit: 5, time: Duration::from_secs(60) };
        let due = self.store.claim_lookups(params).await.unwrap();
        let mut answers = String::new();
        for due in due {
            let finding = match found {
                Some(true) => LookupResult::Applied(json!({ "found": true })),
                Some(false) => LookupResult::Absent { counts_after: Duration::from_secs(15) },
                None => LookupResult::Unknown(Failure::network("no answer")),
            };
            let (mutation, attempt) = (due.mutation.id, due.mutation.reconcile_attempts);
            let params = SettleLookup { workspace: self.workspace, mutation, attempt, finding };
            answers.push_str(&said(self.store.settle_lookup(params).await));
        }
        answers
    }

    /// Puts a parked event back, or skips it.
    async fn settle_event(&self, workflow: WorkflowId, action: EventAction) -> Option<String> {
        let events = self.events(workflow).await;
        let event = events.iter().find(|event| event.status == EventStatus::Parked)?.id;
        let params = SettleEvent {
            workspace: self.workspace,
            event,
            action,
            actor: ACTOR.to_owned(),
            reason: None,
        };
        Some(said(self.store.settle_event(params).await))
    }

    /// Has the newest consumed event processed once more, by a person who knows of its effects or of none.
    async fn replay(&self, workflow: WorkflowId, knows: bool) -> Option<String> {
        let events = self.events(workflow).await;
        let event = events.iter().rfind(|event| event.status == EventStatus::Consumed)?.id;
        let selection = ReplaySelection::Event(event);
        let found = self.store.event_rounds(self.workspace, selection).await.unwrap();
        let rounds = found.iter().flat_map(|it| &it.rounds).filter(|_| knows);
        let params = ReplayEvents {
            workspace: self.workspace,
            selection,
            known_effects: rounds.filter_map(|round| round.mutation_id).collect(),
            actor: ACTOR.to_owned(),
            reason: "repaired".to_owned(),
        };
        let answer = self.store.replay_events(params).await;
        Some(format!("{found:?} {}", said(answer)))
    }

    /// A message about a mutation. `Prune` may have removed it; the error would name an id, and
    /// ids differ between the two sides.
    async fn message(&self, mutation: MutationId) -> String {
        let Ok(mutation) = self.store.mutation(self.workspace, mutation).await else {
            return "there is no such mutation any more".to_owned();
        };
        let params = ScriptMessage {
            workspace: self.workspace,
            workflow: mutation.workflow_id,
            mutation: mutation.id,
            title: "A large sum".to_owned(),
            body: String::new(),
        };
        said(self.store.add_message(params).await)
    }
}

/// Counts back from the newest.
pub(crate) fn nth_newest<T: Copy>(all: &[T], nth: usize) -> Option<T> {
    all.iter().rev().nth(nth).copied()
}

/// An answer as text; a refusal with its kind.
pub(crate) fn said<T: Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error @ (StoreError::Database(_) | StoreError::Unreadable { .. })) => {
            panic!("no history may end so: {error:?}")
        }
        Err(error) => format!("refused: {error:?}: {error}"),
    }
}
