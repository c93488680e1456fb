//! One store under test, and what a history has made in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Action, Clock, Consumer, EventStatus, Failure, HandlerKind, Id, InputId, LogLevel, Manifest,
    ManualClock, MutationId, Phase, Producer, RunId, Schedule, Status, Verdict, WorkerId,
    WorkflowId, WorkflowStatus, WorkspaceId,
};
use windlass_store::{
    ActivateScript, ApplyMutation, BeginMutation, CheckpointPrepare, Claim, ClaimRuns, ClaimedRun,
    CommitConsumer, CommitProducer, Committed, ControlWorkflow, DoubtMutation, Event, EventFilter,
    FailMutation, FollowUp, Mutation, NewEvent, NewInput, NewLog, ReconcileMutation, RecoverRuns,
    RenewLeases, Reservation, ResolveMutation, Result, SaveScript, ScriptMessage, StartSession,
    StopRun, Store, StoreError,
};

use crate::command::{Command, How, Write};
use crate::names::Names;
use crate::state;

const LEASE: Duration = Duration::from_secs(60);

/// One store under test.
pub struct Side {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    workspace: WorkspaceId,
    names: Names,
    workers: Vec<WorkerId>,
    /// Every claim that was ever given, oldest first.
    claims: Vec<Claim>,
    /// Every mutation that was begun, oldest first.
    mutations: Vec<MutationId>,
}

impl Side {
    pub async fn new(store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Self {
        let workspace = store.ensure_workspace("main").await.unwrap();
        let workers = (0..2).map(|_| WorkerId::mint(clock.now())).collect();
        let (claims, mutations) = (Vec::new(), Vec::new());
        Self { store, clock, workspace, names: Names::default(), workers, claims, mutations }
    }

    /// Takes one step; what the store answered.
    pub async fn apply(&mut self, command: &Command) -> String {
        let answer = self.answer(command).await;
        self.names.normalise(&answer)
    }

    /// Everything that the store holds.
    pub async fn state(&mut self) -> BTreeMap<String, String> {
        let parts = state::read(self.store.as_ref(), self.workspace).await;
        let normal = |(part, text): (String, String)| {
            (self.names.normalise(&part), self.names.normalise(&text))
        };
        parts.into_iter().map(normal).collect()
    }

    async fn answer(&mut self, command: &Command) -> String {
        match command {
            Command::Save { .. }
            | Command::Activate { .. }
            | Command::Control { .. }
            | Command::Start { .. } => self.by_a_person(command).await,
            Command::EnqueueDue { limit } => said(self.store.enqueue_due(*limit).await),
            Command::Claim { worker, limit, only } => self.claim(*worker, *limit, *only).await,
            Command::Renew { newest } => {
                let claims = self.claims.iter().rev().take(*newest).copied().collect();
                said(self.store.renew_leases(RenewLeases { claims, lease: LEASE }).await)
            }
            Command::Recover { dead } => {
                let lost_workers = dead.iter().map(|dead| self.workers[*dead]).collect();
                said(self.store.recover_runs(RecoverRuns { lost_workers, limit: 10 }).await)
            }
            Command::Advance { .. } => "time passes".to_owned(),
            Command::GoOn { claim, how } => self.move_on(*claim, how).await,
            Command::Write { claim, write, how } => match nth_newest(&self.claims, *claim) {
                Some(claim) => self.write(claim, *write, how).await,
                None => "no claim".to_owned(),
            },
            Command::Resolve { .. } | Command::Reconcile { .. } | Command::Message { .. } => {
                self.settle(command).await
            }
        }
    }

    async fn by_a_person(&self, command: &Command) -> String {
        let actor = || "ann".to_owned();
        match command {
            Command::Save { workflow, script, bump } => {
                let params = SaveScript {
                    workspace: self.workspace,
                    name: format!("workflow {workflow}"),
                    file_name: format!("{script}.js"),
                    source: format!("// {script}"),
                    manifest: manifest(*script),
                    comment: String::new(),
                    bump: *bump,
                    actor: actor(),
                };
                said(self.store.save_script(params).await)
            }
            Command::Activate { workflow, version } => {
                let Some(workflow) = self.workflow(*workflow).await else {
                    return "no workflow".to_owned();
                };
                let versions = self.store.scripts(workflow).await.unwrap();
                let script = versions[version % versions.len()].id;
                said(
                    self.store
                        .activate_script(ActivateScript { workflow, script, actor: actor() })
                        .await,
                )
            }
            Command::Control { workflow, action } => {
                let Some(workflow) = self.workflow(*workflow).await else {
                    return "no workflow".to_owned();
                };
                let params = ControlWorkflow { workflow, action: *action, actor: actor() };
                said(self.store.control_workflow(params).await)
            }
            Command::Start { workflow } => {
                let Some(workflow) = self.workflow(*workflow).await else {
                    return "no workflow".to_owned();
                };
                said(self.store.start_session(StartSession { workflow, actor: actor() }).await)
            }
            other => unreachable!("{other:?} is no person's"),
        }
    }

    async fn workflow(&self, nth: usize) -> Option<WorkflowId> {
        let found = self.store.find_workflow(self.workspace, &format!("workflow {nth}")).await;
        found.ok().map(|workflow| workflow.id)
    }

    async fn claim(&mut self, worker: usize, limit: u32, only: Option<usize>) -> String {
        let workflow = match only {
            Some(nth) => self.workflow(nth).await,
            None => None,
        };
        let params = ClaimRuns { worker: self.workers[worker], limit, lease: LEASE, workflow };
        let claimed = self.store.claim_runs(params).await;
        for run in claimed.iter().flatten() {
            self.claims.push(run.claim);
        }
        said(claimed)
    }

    /// What an engine would do: it goes on with a run that it holds, or takes one, or enqueues what is due.
    async fn move_on(&mut self, nth: usize, how: &How) -> String {
        let mut held = Vec::new();
        for claim in &self.claims {
            // A queued run that was withdrawn is gone.
            let Ok(run) = self.store.run(claim.run).await else { continue };
            if run.status == Status::Active && run.fence == claim.fence {
                held.push(*claim);
            }
        }
        if let Some(claim) = nth_newest(&held, nth % held.len().max(1)) {
            return self.go_on(claim, how).await;
        }
        let claimed = self.claim(nth % 2, 2, None).await;
        if claimed != "[]" {
            return claimed;
        }
        match self.store.enqueue_due(10).await {
            Ok(0) => self.unblock(nth % 2, how).await,
            due => said(due),
        }
    }

    /// What a person would do with a workflow that stands still.
    async fn unblock(&self, nth: usize, how: &How) -> String {
        let Some(workflow) = self.workflow(nth).await else { return "no workflow".to_owned() };
        let overview = self.store.overview(workflow).await.unwrap();
        if let Some(doubt) = overview.in_doubt.first() {
            let verdict = Verdict::ALL[usize::from(how.choice) % Verdict::ALL.len()];
            return self.resolve(doubt.id, verdict).await;
        }
        if overview.workflow.status == WorkflowStatus::Active
            && overview.workflow.error.is_none()
            && !overview.workflow.maintenance
        {
            return said(
                self.store.start_session(StartSession { workflow, actor: "ann".to_owned() }).await,
            );
        }
        let action = match overview.workflow.status {
            WorkflowStatus::Archived => Action::Unarchive,
            _ => Action::Resume,
        };
        let params = ControlWorkflow { workflow, action, actor: "ann".to_owned() };
        said(self.store.control_workflow(params).await)
    }

    /// What comes next for a run, by where it stands.
    async fn go_on(&mut self, claim: Claim, how: &How) -> String {
        let run = self.store.run(claim.run).await.unwrap();
        let newest = self.mutations.iter().rev().position(|id| Some(*id) == run.mutation_id);
        let mutation = newest.unwrap_or_default();
        let has_reserved = self.events(run.workflow_id).await.iter().any(|event| {
            event.status == EventStatus::Reserved && event.reserved_by_run_id == Some(run.id)
        });
        let write = match (run.phase, how.choice % 8) {
            (_, 0) => Write::Stop,
            (Phase::Preparing, _) => Write::Prepare,
            (Phase::Prepared, 1..=6) if has_reserved => Write::Begin,
            (Phase::Mutating, 1..=4) => Write::Apply { mutation },
            (Phase::Mutating, 5) => Write::Fail { mutation },
            (Phase::Mutating, _) => Write::Doubt { mutation },
            (_, _) if run.kind == HandlerKind::Producer => Write::CommitProducer,
            (_, _) => Write::CommitConsumer,
        };
        self.write(claim, write, how).await
    }

    async fn write(&mut self, claim: Claim, write: Write, how: &How) -> String {
        let failure = Failure::new(how.class, format!("it went wrong: {}", how.class));
        match write {
            Write::Prepare => self.prepare(claim, how).await,
            Write::Begin => self.begin(claim, how).await,
            Write::CommitProducer => self.commit_producer(claim, how).await,
            Write::CommitConsumer => self.commit_consumer(claim, how).await,
            Write::Stop => {
                let entered = (how.choice > 128).then_some(Phase::Emitting);
                let params = StopRun { claim, entered, failure, logs: logs(how) };
                said(self.store.stop_run(params).await)
            }
            Write::Apply { mutation } | Write::Fail { mutation } | Write::Doubt { mutation } => {
                let Some(mutation) = nth_newest(&self.mutations, mutation) else {
                    return "no mutation".to_owned();
                };
                self.answered(claim, write, (mutation, failure)).await
            }
        }
    }

    async fn answered(
        &self,
        claim: Claim,
        write: Write,
        (mutation, failure): (MutationId, Failure),
    ) -> String {
        let resolved_by = None;
        match write {
            Write::Apply { .. } => {
                let result = json!({ "ok": true });
                let params = ApplyMutation { claim, mutation, result, resolved_by };
                said(self.store.apply_mutation(params).await)
            }
            Write::Fail { .. } => {
                let params = FailMutation { claim, mutation, failure, resolved_by };
                said(self.store.fail_mutation(params).await)
            }
            _ => said(self.store.doubt_mutation(DoubtMutation { claim, mutation, failure }).await),
        }
    }

    /// Reserves pending events, and now and then one that cannot be reserved.
    async fn prepare(&self, claim: Claim, how: &How) -> String {
        let run = self.store.run(claim.run).await.unwrap();
        let topic = if run.handler == "tell" { "large" } else { "mail" };
        let events = self.events(run.workflow_id).await;
        let mut reservations = Vec::new();
        for item in how.items.iter().map(|item| usize::from(*item)) {
            // Mostly what waits; with the highest number whatever is there.
            let of_interest = |event: &&Event| {
                (item == 5 && how.choice % 4 == 0)
                    || (event.status == EventStatus::Pending && event.topic == topic)
            };
            let candidates: Vec<_> = events.iter().filter(of_interest).collect();
            if let Some(event) = candidates.get(item % candidates.len().max(1)) {
                let ids = vec![event.message_id.clone()];
                reservations.push(Reservation { topic: event.topic.clone(), ids });
            }
        }
        if how.choice == 7 {
            let ids = vec!["unheard of".to_owned()];
            reservations.push(Reservation { topic: "mail".to_owned(), ids });
        }
        let wake_at = how.wake_in_s.map(|seconds| {
            let micros = self.clock.now().as_micros() + seconds * 1_000_000;
            windlass_core::Timestamp::from_micros(micros).to_string()
        });
        let result = json!({ "picked": how.items });
        let params = CheckpointPrepare { claim, result, reservations, wake_at, logs: logs(how) };
        said(self.store.checkpoint_prepare(params).await)
    }

    async fn events(&self, workflow: WorkflowId) -> Vec<Event> {
        let filter =
            EventFilter { workflow, topic: None, status: None, message_ids: None, limit: 100 };
        self.store.events(filter).await.unwrap()
    }

    async fn begin(&mut self, claim: Claim, how: &How) -> String {
        let params = BeginMutation {
            claim,
            tool_namespace: "Files".to_owned(),
            tool_method: "append".to_owned(),
            params: json!({ "line": how.items }),
            ui_title: "Append a line".to_owned(),
            reconcilable: how.goes_on,
            logs: logs(how),
        };
        match self.store.begin_mutation(params).await {
            Ok(begun) => {
                self.mutations.push(begun.id);
                format!("begun {}", begun.id)
            }
            Err(error) => said::<()>(Err(error)),
        }
    }

    async fn commit_producer(&mut self, claim: Claim, how: &How) -> String {
        let inputs: Vec<_> = how.items.iter().map(|item| self.new_input(*item)).collect();
        let mut events = self.new_events("mail", how);
        for (event, input) in events.iter_mut().zip(&inputs) {
            event.caused_by = vec![input.id];
        }
        let params = CommitProducer {
            claim,
            state: state_of(how),
            inputs,
            events,
            logs: logs(how),
            follow_up: self.follow_up(claim.run, how).await,
        };
        let committed = self.store.commit_producer(params).await;
        self.committed(committed)
    }

    async fn commit_consumer(&mut self, claim: Claim, how: &How) -> String {
        let params = CommitConsumer {
            claim,
            state: state_of(how),
            events: self.new_events("large", how),
            logs: logs(how),
            follow_up: self.follow_up(claim.run, how).await,
        };
        let committed = self.store.commit_consumer(params).await;
        self.committed(committed)
    }

    fn committed(&mut self, committed: Result<Committed>) -> String {
        let next = committed.as_ref().ok().and_then(|committed| committed.follow_up.as_ref());
        let next: Option<&ClaimedRun> = next;
        self.claims.extend(next.map(|next| next.claim));
        said(committed)
    }

    fn new_input(&self, item: u8) -> NewInput {
        NewInput {
            id: InputId::mint(self.clock.now()),
            source: "Files".to_owned(),
            input_type: "file".to_owned(),
            external_id: format!("{item}.eml"),
            title: format!("Mail {item}"),
        }
    }

    fn new_events(&self, topic: &str, how: &How) -> Vec<NewEvent> {
        let event = |item: &u8| NewEvent {
            topics: vec![topic.to_owned()],
            message_id: format!("Message {item}"),
            payload: json!({ "item": item, "said": how.choice % 3 }),
            caused_by: Vec::new(),
        };
        how.items.iter().map(event).collect()
    }

    /// The worker that has the run takes the next one as well.
    async fn follow_up(&self, run: RunId, how: &How) -> Option<FollowUp> {
        let by = self.store.run(run).await.ok()?.claimed_by?;
        let worker = by.parse().unwrap();
        how.goes_on.then_some(FollowUp { worker, lease: LEASE })
    }

    async fn resolve(&self, mutation: MutationId, verdict: Verdict) -> String {
        let (actor, reason) = ("ann".to_owned(), Some("I looked".to_owned()));
        let params = ResolveMutation { mutation, verdict, actor, reason };
        said(self.store.resolve_mutation(params).await.map(keyless))
    }

    async fn settle(&self, command: &Command) -> String {
        let (Command::Resolve { mutation: nth, .. }
        | Command::Reconcile { mutation: nth, .. }
        | Command::Message { mutation: nth }) = command
        else {
            unreachable!("{command:?} settles nothing")
        };
        let Some(mutation) = nth_newest(&self.mutations, *nth) else {
            return "no mutation".to_owned();
        };
        match command {
            Command::Resolve { verdict, .. } => self.resolve(mutation, *verdict).await,
            Command::Reconcile { found, .. } => {
                let found = found.then(|| json!({ "found": true }));
                let params = ReconcileMutation { mutation, found };
                said(self.store.reconcile_mutation(params).await.map(keyless))
            }
            _ => {
                let workflow = self.store.mutation(mutation).await.unwrap().workflow_id;
                let params = ScriptMessage {
                    workspace: self.workspace,
                    workflow,
                    mutation,
                    title: "A large sum".to_owned(),
                    body: String::new(),
                };
                said(self.store.add_message(params).await)
            }
        }
    }
}

fn nth_newest<T: Copy>(all: &[T], nth: usize) -> Option<T> {
    all.iter().rev().nth(nth).copied()
}

/// The mutation without its key, which is minted anew on each side.
fn keyless(mutation: Mutation) -> Mutation {
    Mutation { idempotency_key: String::new(), ..mutation }
}

fn state_of(how: &How) -> Option<serde_json::Value> {
    (how.choice % 2 == 0).then(|| json!({ "seen": how.items }))
}

fn logs(how: &How) -> Vec<NewLog> {
    let line = |item: &u8| NewLog { level: LogLevel::Log, message: format!("item {item}") };
    how.items.iter().take(2).map(line).collect()
}

/// An answer as text; a refusal with its kind.
fn said<T: Debug>(answer: Result<T>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error @ (StoreError::Database(_) | StoreError::Unreadable { .. })) => {
            panic!("no history may end so: {error:?}")
        }
        Err(error) => format!("refused: {error:?}: {error}"),
    }
}

/// Three scripts: one producer and two consumers, one of each, two producers.
fn manifest(script: usize) -> Manifest {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let producer = |every: &str| Producer {
        publishes: names(&["mail"]),
        schedule: Schedule::interval(every).unwrap(),
    };
    let consumer = |subscribe: &[&str], publishes: &[&str]| Consumer {
        subscribe: names(subscribe),
        publishes: names(publishes),
        has_mutate: true,
        has_next: true,
    };
    let mut manifest = Manifest {
        topics: names(&["mail", "large"]),
        producers: BTreeMap::from([("poll".to_owned(), producer("30s"))]),
        consumers: BTreeMap::from([("book".to_owned(), consumer(&["mail"], &["large"]))]),
    };
    match script {
        0 => drop(manifest.consumers.insert("tell".to_owned(), consumer(&["large"], &[]))),
        1 => {}
        _ => drop(manifest.producers.insert("Poll more".to_owned(), producer("5m"))),
    }
    manifest
}
