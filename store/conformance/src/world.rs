//! The setting of the tests: a store, a clock that stands still, and what a worker and a person do.

mod effects;
pub mod graphs;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Action, FailureClass, Grant, HandlerKind, Id, InputId, Manifest, ManualClock, Phase, RunId,
    ScriptId, WorkerId, WorkflowId, WorkspaceId,
};
use windlass_store::{
    ActivateScript, Bump, CheckpointPrepare, Claim, ClaimFilter, ClaimRuns, ClaimScope, ClaimedRun,
    ClockRun, CommitConsumer, CommitProducer, Committed, ControlWorkflow, EndedLeases, EndedRuns,
    FollowUp, Heartbeat, HeartbeatAnswer, LeaseRenewal, NewEvent, NewInput, RecoverRuns,
    RecoveredRun, Reservation, Result, SaveScript, SavedScript, Session, SharedStore, StartSession,
    StopRun, Workflow,
};

pub use crate::builders::{
    commit_consumer_of, commit_of, event, event_with, failure, log, lone_consumer, manifest,
    pipeline, policy, reservation, resolution, seconds, start, worker_info,
};

/// How long the tests' workers hold a run.
pub const LEASE: Duration = Duration::from_secs(60);

/// What each test is given: an empty store that takes its instants from the clock and its limits from [`policy`].
#[derive(Debug, Clone)]
pub struct TestStore {
    /// The store.
    pub store: SharedStore,
    /// Its clock.
    pub clock: Arc<ManualClock>,
}

/// A store with one workflow that the test is about.
#[derive(Debug, Clone)]
pub struct World {
    pub store: SharedStore,
    pub clock: Arc<ManualClock>,
    pub workspace: WorkspaceId,
    pub workflow: WorkflowId,
    pub worker: WorkerId,
}

impl World {
    /// A store with a workspace and nothing in it.
    pub async fn empty(test_store: TestStore) -> Self {
        let workspace = test_store.store.ensure_workspace("default").await.unwrap();
        let TestStore { store, clock } = test_store;
        let (workflow, worker) = (WorkflowId::mint(start()), WorkerId::mint(start()));
        Self { store, clock, workspace, workflow, worker }
    }

    /// A store with [`pipeline`] activated as the workflow `mail`.
    pub async fn pipeline(test_store: TestStore) -> Self {
        Self::empty(test_store).await.deploy("mail", pipeline()).await
    }

    /// A store in which the pipeline has polled these mails, and `record` has work.
    pub async fn with_mails(test_store: TestStore, mails: &[&str]) -> Self {
        Self::empty(test_store).await.polled("mail", mails).await
    }

    /// Another pipeline, of that name, that has polled these mails.
    pub async fn polled(&self, name: &str, mails: &[&str]) -> Self {
        let world = self.deploy(name, pipeline()).await;
        world.drain().await;
        world.poll(mails).await;
        world
    }

    /// Saves and activates a workflow; the answer is about that one.
    pub async fn deploy(&self, name: &str, manifest: Manifest) -> Self {
        let saved = self.save(name, &format!("// {name}"), manifest, Bump::Major).await;
        let world = Self { workflow: saved.script.workflow_id, ..self.clone() };
        world.activate(saved.script.id).await.unwrap();
        world
    }

    pub async fn save(
        &self,
        name: &str,
        source: &str,
        manifest: Manifest,
        bump: Bump,
    ) -> SavedScript {
        let params = SaveScript {
            workspace: self.workspace,
            name: name.to_owned(),
            file_name: format!("{name}.js"),
            source: source.to_owned(),
            manifest,
            grant: Grant::default(),
            comment: "a comment".to_owned(),
            bump,
            actor: "ada".to_owned(),
        };
        self.store.save_script(params).await.unwrap()
    }

    /// Saves a version of the workflow `mail` that may call this.
    pub async fn save_with(&self, grant: Grant) -> SavedScript {
        let params = SaveScript {
            workspace: self.workspace,
            name: "mail".to_owned(),
            file_name: "mail.js".to_owned(),
            source: format!("// may call {grant:?}"),
            manifest: pipeline(),
            grant,
            comment: String::new(),
            bump: Bump::Major,
            actor: "ada".to_owned(),
        };
        self.store.save_script(params).await.unwrap()
    }

    pub async fn activate(&self, script: ScriptId) -> Result<Workflow> {
        let params = ActivateScript {
            workspace: self.workspace,
            workflow: self.workflow,
            script,
            actor: "ada".to_owned(),
        };
        self.store.activate_script(params).await
    }

    /// Saves another version of the workflow `mail` and activates it.
    pub async fn redeploy(&self, source: &str, manifest: Manifest) -> ScriptId {
        let script = self.save("mail", source, manifest, Bump::Minor).await.script.id;
        self.activate(script).await.unwrap();
        script
    }

    pub async fn control(&self, action: Action) -> Result<Workflow> {
        let params = ControlWorkflow {
            workspace: self.workspace,
            workflow: self.workflow,
            action,
            actor: "ada".to_owned(),
        };
        self.store.control_workflow(params).await
    }

    pub async fn start_session(&self) -> Result<Session> {
        let params = StartSession {
            workspace: self.workspace,
            workflow: self.workflow,
            actor: "ada".to_owned(),
        };
        let session = self.store.start_session(params).await?;
        self.store.session(self.workspace, session).await
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Takes the workflow's queued run, where there is one.
    pub async fn claim(&self) -> Option<ClaimedRun> {
        self.store.enqueue_due(100).await.unwrap();
        self.claims(Some(self.workflow), 1).await.pop()
    }

    pub async fn claims(&self, workflow: Option<WorkflowId>, limit: u32) -> Vec<ClaimedRun> {
        let scope = workflow.map_or_else(
            || ClaimScope::Matching(ClaimFilter::default()),
            |workflow| ClaimScope::Workflow(self.workspace, workflow),
        );
        self.claims_from(scope, limit).await
    }

    pub async fn claims_from(&self, scope: ClaimScope, limit: u32) -> Vec<ClaimedRun> {
        let params = ClaimRuns { worker: self.worker, limit, lease: LEASE, scope };
        self.store.claim_runs(params).await.unwrap()
    }

    /// The world's worker lives; what it still holds.
    pub async fn heartbeat(&self, claims: &[Claim]) -> Vec<RunId> {
        self.renew(claims).await.renewed
    }

    pub async fn renew(&self, claims: &[Claim]) -> LeaseRenewal {
        let worker = worker_info(self.worker, ClaimFilter::default());
        let (claims, ended) = (claims.to_vec(), EndedRuns { done: 3, failed: 1 });
        let heartbeat = Heartbeat { worker, claims, lease: LEASE, ended, clock: ClockRun::Even };
        self.store.heartbeat(heartbeat).await.unwrap().leases
    }

    /// A worker without runs reports of the clock.
    pub async fn report_clock(&self, clock: ClockRun) -> HeartbeatAnswer {
        let worker = worker_info(WorkerId::mint(start()), ClaimFilter::default());
        let (claims, ended) = (Vec::new(), EndedRuns::default());
        let heartbeat = Heartbeat { worker, claims, lease: LEASE, ended, clock };
        self.store.heartbeat(heartbeat).await.unwrap()
    }

    /// How long until there is something to do for any worker.
    pub async fn next_due(&self) -> Option<Duration> {
        self.store.agenda(&ClaimFilter::default()).await.unwrap().next()
    }

    /// Takes the workflow's queued run, which must be one of this handler.
    pub async fn take(&self, handler: &str) -> ClaimedRun {
        let run = self.claim().await;
        let run = run.unwrap_or_else(|| panic!("expected a run of `{handler}`, found none"));
        assert_eq!(run.handler, handler);
        run
    }

    /// Runs everything that there is to do, each consumer finding nothing and each producer publishing nothing.
    pub async fn drain(&self) {
        while let Some(run) = self.claim().await {
            if run.state.kind == HandlerKind::Producer {
                self.commit_producer(&run, &[], Vec::new()).await.unwrap();
            } else {
                self.find_nothing(&run).await;
            }
        }
    }

    /// Lets a consumer's run find nothing.
    pub async fn find_nothing(&self, run: &ClaimedRun) {
        self.prepare(run, Vec::new()).await.unwrap();
        self.commit(run, Vec::new()).await.unwrap();
    }

    /// Lets the producer, once it is due, publish these mails, each caused by an input of the same name.
    pub async fn poll(&self, mails: &[&str]) -> RunId {
        self.advance(seconds(300));
        let run = self.take("poll").await;
        let inputs: Vec<NewInput> = mails.iter().map(|mail| self.input(mail)).collect();
        let cause = |(mail, input): (&&str, &NewInput)| NewEvent {
            caused_by: vec![input.id],
            ..event("mail", mail)
        };
        let events = mails.iter().zip(&inputs).map(cause).collect();
        self.commit_producer(&run, &inputs, events).await.unwrap();
        run.claim.run
    }

    #[must_use]
    pub fn input(&self, external_id: &str) -> NewInput {
        NewInput {
            id: InputId::mint(start()),
            source: "Mail".to_owned(),
            input_type: "message".to_owned(),
            external_id: external_id.to_owned(),
            title: format!("the mail {external_id}"),
        }
    }

    pub async fn commit_producer(
        &self,
        run: &ClaimedRun,
        inputs: &[NewInput],
        events: Vec<NewEvent>,
    ) -> Result<Committed> {
        let params = CommitProducer { inputs: inputs.to_vec(), events, ..commit_of(run) };
        self.store.commit_producer(params).await
    }

    pub async fn prepare(&self, run: &ClaimedRun, reservations: Vec<Reservation>) -> Result<()> {
        self.store.checkpoint_prepare(self.prepared(run, reservations)).await
    }

    #[must_use]
    pub fn prepared(&self, run: &ClaimedRun, reservations: Vec<Reservation>) -> CheckpointPrepare {
        CheckpointPrepare {
            claim: run.claim,
            result: json!({ "data": "prepared" }),
            reservations,
            wake_at: None,
            logs: Vec::new(),
        }
    }

    /// Takes a run of `record` and reserves these mails.
    pub async fn reserve(&self, mails: &[&str]) -> ClaimedRun {
        let run = self.take("record").await;
        self.prepare(&run, vec![reservation("mail", mails)]).await.unwrap();
        run
    }

    pub async fn commit(&self, run: &ClaimedRun, events: Vec<NewEvent>) -> Result<Committed> {
        self.store.commit_consumer(CommitConsumer { events, ..commit_consumer_of(run) }).await
    }

    pub async fn stop(
        &self,
        run: &ClaimedRun,
        entered: Option<Phase>,
        class: FailureClass,
    ) -> Result<()> {
        let params = StopRun {
            claim: run.claim,
            entered,
            failure: failure(class),
            seen: Vec::new(),
            logs: Vec::new(),
        };
        self.store.stop_run(params).await
    }

    /// The worker wants to go on at once.
    #[must_use]
    pub const fn follow_up(&self) -> FollowUp {
        FollowUp { worker: self.worker, lease: LEASE }
    }

    /// Takes runs from workers whose lease has run out.
    pub async fn recover(&self) -> Vec<RecoveredRun> {
        self.recover_from(Vec::new()).await
    }

    pub async fn recover_from(&self, lost_workers: Vec<WorkerId>) -> Vec<RecoveredRun> {
        let ended_leases = EndedLeases::by_the_store();
        let params = RecoverRuns { lost_workers, ended_leases, limit: 100 };
        self.store.recover_runs(params).await.unwrap()
    }

    /// Takes runs whose leases have ended, as far as the caller can tell.
    pub async fn recover_ended(&self, ended_leases: EndedLeases) -> Vec<RecoveredRun> {
        let params = RecoverRuns { lost_workers: Vec::new(), ended_leases, limit: 100 };
        self.store.recover_runs(params).await.unwrap()
    }

    /// The worker of every run dies, and it is noticed.
    pub async fn crash(&self) -> Vec<RecoveredRun> {
        self.recover_from(vec![self.worker]).await
    }
}
