//! What a worker does with its runs.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{
    Action, Clock, EventStatus, Failure, HandlerKind, Id, InputId, LogLevel, NoEffect, Phase,
    ResolutionKind, RunId, Status, Timestamp, WorkflowId, WorkflowStatus,
};
use windlass_store::{
    ApplyMutation, BeginMutation, CheckpointPrepare, Claim, CommitConsumer, CommitNode,
    CommitProducer, Committed, DoubtMutation, Event, EventFilter, FailMutation, FollowUp, NewEvent,
    NewInput, NewLog, Page, Reservation, Result, Run, StopRun,
};
use windlass_store_conformance::world::graphs::{failed, success};

use crate::differential::command::{How, Write};
use crate::differential::scripts;
use crate::differential::side::{LEASE, Side, nth_newest, said};

impl Side {
    /// What an engine would do: it continues a run that it holds, or claims one, or enqueues what is due.
    pub(crate) async fn work(&mut self, nth: usize, how: &How) -> Option<String> {
        let mut held = Vec::new();
        for claim in &self.claims {
            // It may have been removed since.
            let Ok(run) = self.store.run(self.workspace, claim.run).await else { continue };
            if run.status == Status::Active && run.fence == claim.fence {
                held.push((*claim, run));
            }
        }
        if !held.is_empty() {
            let (claim, run) = held.swap_remove(nth % held.len());
            let write = self.next_write(&run, how).await;
            return self.write(claim, write, how).await;
        }
        let claimed = self.claim(nth % 2, 2, None).await;
        if claimed != "[]" {
            return Some(claimed);
        }
        match self.store.enqueue_due(10).await {
            Ok(0) => self.unblock(self.workflow(nth % 2).await?, how).await,
            due => Some(said(due)),
        }
    }

    /// What a person would do with a workflow that stands still.
    async fn unblock(&self, workflow: WorkflowId, how: &How) -> Option<String> {
        let overview = self.store.overview(self.workspace, workflow).await.unwrap();
        let workflow = overview.workflow;
        let has_stopped = workflow.error.is_some() || workflow.maintenance;
        Some(match overview.in_doubt.first() {
            Some(doubt) => {
                let verdict =
                    ResolutionKind::ALL[usize::from(how.choice) % ResolutionKind::ALL.len()];
                self.resolve(doubt.id, verdict).await
            }
            None if workflow.status == WorkflowStatus::Active && !has_stopped => {
                self.start(workflow.id).await
            }
            None if workflow.status == WorkflowStatus::Archived => {
                self.control(workflow.id, Action::Unarchive).await
            }
            None => self.control(workflow.id, Action::Resume).await,
        })
    }

    /// What comes next for a run, by where it stands.
    async fn next_write(&self, run: &Run, how: &How) -> Write {
        let newest = self.mutations.iter().rev().position(|id| Some(*id) == run.mutation_id);
        let mutation = newest.unwrap_or_default();
        let is_node = run.kind == HandlerKind::Node;
        let has_reserved = is_node
            || self.events(run.workflow_id).await.iter().any(|event| {
                event.status == EventStatus::Reserved && event.reserved_by_run_id == Some(run.id)
            });
        match (run.phase, how.choice % 8) {
            (_, 0) => Write::Stop,
            (Phase::Preparing, _) => Write::Prepare,
            (Phase::Prepared, 1..=6) if has_reserved => Write::Begin,
            (Phase::Mutating, 1..=4) => Write::Apply { mutation },
            (Phase::Mutating, 5) => Write::Fail { mutation },
            (Phase::Mutating, _) => Write::Doubt { mutation },
            (_, _) if run.kind == HandlerKind::Producer => Write::CommitProducer,
            (_, _) if is_node => Write::CommitNode,
            (_, _) => Write::CommitConsumer,
        }
    }

    /// Writes to a run, whether it fits or not.
    pub(crate) async fn write(&mut self, claim: Claim, write: Write, how: &How) -> Option<String> {
        let failure = Failure::new(how.class, format!("it went wrong: {}", how.class));
        let mutation = |nth| nth_newest(&self.mutations, nth);
        let resolved_by = None;
        Some(match write {
            Write::Prepare => self.prepare(claim, how).await,
            Write::Begin => self.begin(claim, how).await,
            Write::Apply { mutation: nth } => {
                let (mutation, result) = (mutation(nth)?, json!({ "ok": true }));
                let params = ApplyMutation { claim, mutation, result, resolved_by };
                said(self.store.apply_mutation(params).await)
            }
            Write::Fail { mutation: nth } => {
                let mutation = mutation(nth)?;
                let no_effect = if how.goes_on { NoEffect::Unsent } else { NoEffect::Refused };
                let params = FailMutation { claim, mutation, failure, no_effect, goes_on: false };
                said(self.store.fail_mutation(params).await)
            }
            Write::Doubt { mutation: nth } => {
                let mutation = mutation(nth)?;
                let looked_up = how.goes_on.then_some(Duration::from_secs(15));
                let params = DoubtMutation { claim, mutation, failure, looked_up };
                said(self.store.doubt_mutation(params).await)
            }
            Write::CommitProducer => self.commit_producer(claim, how).await,
            Write::CommitConsumer => self.commit_consumer(claim, how).await,
            Write::CommitNode => {
                let result = match how.choice % 5 {
                    0 => failed("it answered with an error"),
                    _ => success(&json!({ "n": how.items.len() })),
                };
                let params =
                    CommitNode { claim, result, leaves_traces: how.goes_on, logs: logs(how) };
                said(self.store.commit_node(params).await)
            }
            Write::Stop => {
                let entered = (how.choice > 128).then_some(Phase::Emitting);
                let params = StopRun { claim, entered, failure, seen: Vec::new(), logs: logs(how) };
                said(self.store.stop_run(params).await)
            }
        })
    }

    /// Reserves pending events, and now and then what cannot be reserved.
    async fn prepare(&self, claim: Claim, how: &How) -> String {
        let run = self.store.run(self.workspace, claim.run).await.unwrap();
        let topic = scripts::topic_of(&run.handler);
        let is_bold = how.choice.is_multiple_of(16);
        let mut candidates = self.events(run.workflow_id).await;
        candidates.retain(|event| {
            is_bold || (event.status == EventStatus::Pending && event.topic == topic)
        });
        let chosen = how
            .items
            .iter()
            .filter_map(|item| candidates.get(usize::from(*item) % candidates.len().max(1)));
        let reserve = |topic: &str, id: &str| Reservation {
            topic: topic.to_owned(),
            ids: vec![id.to_owned()],
        };
        let mut reservations: Vec<_> =
            chosen.map(|event| reserve(&event.topic, &event.message_id)).collect();
        if how.choice == 7 {
            reservations.push(reserve(topic, "unheard of"));
        }
        let wake_at = how.wake_in_s.map(|seconds| {
            let micros = self.clock.now().as_micros() + seconds * 1_000_000;
            Timestamp::from_micros(micros).to_string()
        });
        let result = json!({ "picked": how.items });
        let params = CheckpointPrepare { claim, result, reservations, wake_at, logs: logs(how) };
        said(self.store.checkpoint_prepare(params).await)
    }

    async fn begin(&mut self, claim: Claim, how: &How) -> String {
        let params = BeginMutation {
            claim,
            tool_namespace: "Files".to_owned(),
            tool_method: "append".to_owned(),
            params: json!({ "line": how.items }),
            target: "ledger.csv".to_owned(),
            place: how.goes_on.then(|| "here".to_owned()),
            ui_title: "Append a line".to_owned(),
            reconcilable: how.goes_on,
            price: 0,
            logs: logs(how),
        };
        let begun = self.store.begin_mutation(params).await.map(|begun| begun.id);
        self.mutations.extend(begun.iter());
        said(begun)
    }

    async fn commit_producer(&mut self, claim: Claim, how: &How) -> String {
        let inputs: Vec<_> = how.items.iter().map(|item| self.input(*item)).collect();
        let mut events = events("mail", how);
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
            events: events("large", how),
            logs: logs(how),
            follow_up: self.follow_up(claim.run, how).await,
        };
        let committed = self.store.commit_consumer(params).await;
        self.committed(committed)
    }

    fn committed(&mut self, committed: Result<Committed>) -> String {
        let next = committed.iter().filter_map(|committed| committed.follow_up.as_ref());
        self.claims.extend(next.map(|next| next.claim));
        said(committed)
    }

    /// The worker that has the run takes the next one as well.
    async fn follow_up(&self, run: RunId, how: &How) -> Option<FollowUp> {
        let worker = self.store.run(self.workspace, run).await.unwrap().claimed_by?;
        how.goes_on.then(|| FollowUp { worker: worker.parse().unwrap(), lease: LEASE })
    }

    fn input(&self, item: u8) -> NewInput {
        NewInput {
            id: InputId::mint(self.clock.now()),
            source: "Files".to_owned(),
            input_type: "file".to_owned(),
            external_id: format!("{item}.eml"),
            title: format!("Mail {item}"),
        }
    }

    pub(crate) async fn events(&self, workflow: WorkflowId) -> Vec<Event> {
        let (topic, status, message_ids) = (None, None, None);
        let filter = EventFilter {
            workspace: self.workspace,
            workflow,
            topic,
            status,
            message_ids,
            page: Page::first(100),
        };
        self.store.all_events(filter).await.unwrap()
    }
}

fn events(topic: &str, how: &How) -> Vec<NewEvent> {
    let event = |item: &u8| NewEvent {
        topics: vec![topic.to_owned()],
        message_id: format!("Message {item}"),
        payload: json!({ "item": item, "said": how.choice % 3 }),
        caused_by: Vec::new(),
    };
    how.items.iter().map(event).collect()
}

fn state_of(how: &How) -> Option<Value> {
    how.choice.is_multiple_of(2).then(|| json!({ "seen": how.items }))
}

fn logs(how: &How) -> Vec<NewLog> {
    let line = |item: &u8| NewLog { level: LogLevel::Log, message: format!("item {item}") };
    how.items.iter().take(2).map(line).collect()
}
