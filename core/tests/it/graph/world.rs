//! A store in memory that writes exactly what the rules of graphs decide, and an outside world that remembers what really happened.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use windlass_core::graph::{
    Advance, BeginHow, Graph, GraphEnd, GraphState, Judged, NodeAt, NodeChange, NodeEffect,
    NodeFailure, NodeFailureClass, NodeStatus, Restart, SourceView, Verdict, advance, after_answer,
    after_result, after_stop, cancel, outputs_needed, restart, resume, take_up,
};
use windlass_core::{
    Actor, ApprovalAnswer, ApprovalKind, ApprovalStatus, Asked, Backoff, Changes, EventPolicy,
    Failure, HandlerKind, MutationStatus, OnFailure, Outcome, Phase, Recourse, ResolutionKind,
    RunState, Status, StopContext, Suspects, Timestamp, settle,
};

/// A handler run of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) node: usize,
    pub(super) state: RunState,
    pub(super) round: u32,
    pub(super) happened: bool,
    /// Taken away by the end of the run of the graph, before it was claimed.
    pub(super) withdrawn: bool,
}

impl Run {
    pub(super) fn is_open(&self) -> bool {
        self.state.status.is_open() && !self.withdrawn
    }
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    Tick,
    Claim(usize),
    Prepare(usize),
    Begin(usize),
    Apply(usize),
    Refuse(usize),
    Doubt(usize, bool),
    Crash(usize),
    Commit(usize, bool),
    NoAnswer(usize),
    Bug(usize),
    Resolve(usize, ResolutionKind),
    Submit(usize, u8),
    Answer(usize, u8),
    Resume(bool),
    Restart(usize, bool, bool),
    Pause,
    Release,
    Clear,
    Cancel,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) graph: Graph,
    pub(super) state: GraphState,
    pub(super) now: Timestamp,
    pub(super) runs: Vec<Run>,
    pub(super) approvals: BTreeMap<usize, ApprovalKind>,
    pub(super) effects: BTreeMap<(usize, u32), u32>,
    pub(super) end: Option<GraphEnd>,
    pub(super) last: Option<Advance>,
    /// What an invariant of a single decision found.
    pub(super) broken: Option<String>,
}

impl World {
    pub(super) fn new(graph: Graph, is_held: bool) -> Self {
        let state = GraphState { is_held, ..GraphState::new(graph.nodes.len()) };
        let now = Timestamp::from_micros(1_000_000_000);
        let mut world = Self {
            graph,
            state,
            now,
            runs: Vec::new(),
            approvals: BTreeMap::new(),
            effects: BTreeMap::new(),
            end: None,
            last: None,
            broken: None,
        };
        world.go_on();
        world
    }

    /// Whether the effects of that node leave traces.
    pub(super) fn leaves_traces(&self, node: usize) -> bool {
        self.graph.nodes[node].owner.reference == "Files.append"
    }

    pub(super) fn is_in_doubt(&self, node: usize) -> bool {
        self.runs.iter().any(|run| run.node == node && run.state.is_uncertain() && !run.is_open())
    }

    fn write(&mut self, changes: &[NodeChange]) {
        for change in changes {
            let before = self.state.node(change.position).status;
            self.check_decision(before, change);
            self.state.apply(change);
            let status = change.state.status;
            if status != NodeStatus::AwaitingHuman {
                self.approvals.remove(&change.position);
            } else if change.attempt.is_some()
                || (before != NodeStatus::AwaitingHuman
                    && !self.graph.nodes[change.position].node_type.is_human())
            {
                self.approvals.insert(change.position, ApprovalKind::Escalation);
            }
        }
    }

    /// A waiting node begins only with a taken edge or none at all, and is left out only where no edge is.
    fn check_decision(&mut self, before: NodeStatus, change: &NodeChange) {
        let after = change.state.status;
        if before != NodeStatus::Pending
            || matches!(after, NodeStatus::Pending | NodeStatus::Cancelled)
        {
            return;
        }
        let taken = |edge: &&windlass_core::graph::Edge| {
            let status = self.state.node(edge.from_position).status;
            let output =
                self.state.outputs.get(&edge.from_position).unwrap_or(&serde_json::Value::Null);
            let source = SourceView { node_id: &edge.from, status, output };
            let holds = edge.when.as_ref().is_none_or(|when| when.holds(source));
            let beside = self.graph.outgoing(edge.from_position).any(|other| {
                !other.is_default && other.when.as_ref().is_some_and(|when| when.holds(source))
            });
            status.has_result() && if edge.is_default { !beside } else { holds }
        };
        let incoming = self.graph.incoming(change.position).count();
        let taken = self.graph.incoming(change.position).filter(taken).count();
        let fits = match after {
            NodeStatus::Skipped => incoming > 0 && taken < incoming,
            _ => incoming == 0 || taken > 0,
        };
        if !fits {
            self.broken = Some(format!("{taken} of {incoming} edges taken: {change:?}"));
        }
    }

    /// What the store does at the end of each operation.
    pub(super) fn go_on(&mut self) {
        self.load_effects();
        let full = advance(&self.graph, &self.state, self.now);
        let mut few = self.state.clone();
        let needed = outputs_needed(&self.graph, &few);
        few.outputs.retain(|position, _| needed.contains(position));
        if advance(&self.graph, &few, self.now) != full {
            self.broken = Some("an output was needed that is not loaded".to_owned());
        }
        self.write(&full.changes);
        for begin in &full.begin {
            let round = self.state.node(begin.position).effect_round;
            let queue = |state| Run {
                node: begin.position,
                state,
                round,
                happened: false,
                withdrawn: false,
            };
            match begin.how {
                BeginHow::Run => self.runs.push(queue(RunState::queued(HandlerKind::Node))),
                BeginHow::Continue => {
                    let stopped = self.runs.iter().rev().find(|run| run.node == begin.position);
                    let next = stopped.expect("a run to continue").state.retry().expect("a retry");
                    self.runs.push(queue(next));
                }
                BeginHow::Ask => {
                    let kind = self.graph.nodes[begin.position].node_type.as_str();
                    self.approvals.insert(begin.position, kind.parse().expect("a kind"));
                }
                BeginHow::Tell => {}
            }
        }
        if let Some(end) = &full.end {
            self.over(Some(end.clone()));
        }
        self.last = Some(full);
    }

    fn over(&mut self, end: Option<GraphEnd>) {
        self.end = end;
        self.state.is_over = true;
        for run in &mut self.runs {
            run.withdrawn |= run.state.status == Status::Queued;
        }
    }

    /// What the store reads from the ledger.
    pub(super) fn load_effects(&mut self) {
        for node in 0..self.graph.nodes.len() {
            let round = self.state.node(node).effect_round;
            let is_applied = self.runs.iter().any(|run| {
                run.node == node
                    && run.round == round
                    && run.state.mutation == Some(MutationStatus::Applied)
            });
            let is_skipped = self.runs.iter().any(|run| {
                run.node == node
                    && run.round == round
                    && run.state.outcome == Some(Outcome::Skipped)
            });
            self.state.nodes[node].effect = if self.is_in_doubt(node) {
                NodeEffect::InDoubt
            } else if is_skipped || (is_applied && self.leaves_traces(node)) {
                NodeEffect::Happened
            } else {
                NodeEffect::None
            };
        }
    }

    /// A run changed by `changes`; its node follows unless the run of the graph is over.
    fn stopped(&mut self, run: usize, changes: &Changes, failure: &Failure) {
        self.runs[run].state = changes.run;
        if self.state.is_over {
            return;
        }
        self.load_effects();
        let position = self.runs[run].node;
        let state = self.state.node(position);
        let node = &self.graph.nodes[position];
        let change =
            after_stop(NodeAt { position, node, state: &state, now: self.now }, changes, failure);
        self.write(&[change]);
        self.go_on();
    }

    fn stop(&mut self, run: usize, failure: &Failure) {
        let limits = limits();
        let transient_failures = self.state.node(self.runs[run].node).transient_failures;
        let changes =
            self.runs[run].state.stop(None, failure, context(transient_failures, &limits));
        self.stopped(run, &changes.expect("an active run"), failure);
    }

    /// The steps that may happen now.
    pub(super) fn options(&self) -> Vec<Step> {
        let mut options = vec![Step::Tick];
        for (number, run) in self.runs.iter().enumerate() {
            options.extend(self.options_of_run(number, run));
        }
        if self.state.is_over {
            return options;
        }
        for (node, spec) in self.graph.nodes.iter().enumerate() {
            let status = self.state.node(node).status;
            let is_agents = !spec.is_run_by_workers() && spec.node_type.is_work();
            let is_open = status == NodeStatus::Running
                || (status == NodeStatus::Ready && !self.graph.auto_start);
            if is_agents && is_open {
                options.extend((0..5).map(|how| Step::Submit(node, how)));
            }
            if self.approvals.contains_key(&node) {
                options.extend((0..4).map(|how| Step::Answer(node, how)));
            }
            if status.is_final() || status == NodeStatus::Blocked {
                options.push(Step::Restart(node, node % 2 == 0, self.now.as_micros() % 2 == 0));
            }
        }
        options.extend([Step::Resume(false), Step::Resume(true), Step::Pause, Step::Clear]);
        if self.state.is_held {
            options.push(Step::Release);
        }
        if self.now.as_micros() % 16 == 0 {
            options.push(Step::Cancel);
        }
        options
    }

    fn options_of_run(&self, number: usize, run: &Run) -> Vec<Step> {
        if run.state.is_uncertain() && !run.state.status.is_open() {
            let truth =
                if run.happened { ResolutionKind::Happened } else { ResolutionKind::DidNotHappen };
            return vec![Step::Resolve(number, truth), Step::Resolve(number, ResolutionKind::Skip)];
        }
        if !run.is_open() {
            return Vec::new();
        }
        if run.state.status == Status::Queued {
            return if self.state.is_paused { Vec::new() } else { vec![Step::Claim(number)] };
        }
        let stops = [Step::Crash(number), Step::NoAnswer(number), Step::Bug(number)];
        let ends = [Step::Commit(number, true), Step::Commit(number, false)];
        match run.state.phase {
            Phase::Preparing => [&stops[..], &[Step::Prepare(number)]].concat(),
            // The commit point refuses an effect once the run of the graph is over.
            Phase::Prepared if self.state.is_over => stops.to_vec(),
            Phase::Prepared => [&stops[..], &ends[..], &[Step::Begin(number)]].concat(),
            Phase::Mutating => vec![
                Step::Apply(number),
                Step::Refuse(number),
                Step::Doubt(number, true),
                Step::Doubt(number, false),
                Step::Crash(number),
            ],
            _ => [&stops[..], &ends[..]].concat(),
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Tick => {
                let due = self.last.as_ref().and_then(|last| last.due_at);
                self.now =
                    due.unwrap_or(self.now).max(self.now.after(Duration::from_micros(1_000_001)));
                self.go_on();
            }
            Step::Claim(run) => {
                self.runs[run].state = self.runs[run].state.claim().expect("queued").run;
            }
            Step::Prepare(run) => {
                self.runs[run].state = self.runs[run].state.prepared().expect("preparing").run;
            }
            Step::Begin(run) => {
                self.runs[run].state =
                    self.runs[run].state.begin_mutation(1).expect("prepared").run;
            }
            Step::Apply(run) => {
                self.happens(run);
                self.runs[run].state = self.runs[run].state.apply_mutation().expect("mutating").run;
            }
            Step::Refuse(run) => {
                let failure = Failure::logic("refused");
                let changes = self.runs[run].state.fail_mutation(&failure, context(0, &limits()));
                self.stopped(run, &changes.expect("mutating"), &failure);
            }
            Step::Doubt(run, happens) => {
                if happens {
                    self.happens(run);
                }
                let failure = Failure::network("no answer");
                let changes = self.runs[run].state.doubt_mutation(&failure, Recourse::Ask);
                self.stopped(run, &changes.expect("mutating"), &failure);
            }
            Step::Crash(run) => {
                let changes = self.runs[run].state.crash(Recourse::LookUp).expect("active");
                self.stopped(run, &changes, &Failure::internal("lost"));
            }
            Step::NoAnswer(run) => self.stop(run, &Failure::network("no answer")),
            Step::Bug(run) => self.stop(run, &Failure::logic("wrong")),
            Step::Resolve(run, how) => {
                let changes = self.runs[run].state.resolve(how).expect("in doubt");
                self.stopped(run, &changes, &Failure::internal("settled"));
            }
            Step::Commit(run, is_good) => self.commit(run, is_good),
            other => self.by_people(other),
        }
    }

    fn by_people(&mut self, step: Step) {
        match step {
            Step::Submit(node, how) => self.submit(node, how),
            Step::Answer(node, how) => self.answer(node, how),
            Step::Resume(force) => {
                let changes = resume(&self.graph, &self.state, force).expect("not over");
                for change in &changes {
                    if self.state.node(change.position).status.is_final() {
                        self.broken = Some(format!("resume changed a finished node: {change:?}"));
                    }
                }
                self.write(&changes);
                self.state.failure_count = 0;
            }
            Step::Restart(node, downstream, repeat_effects) => {
                let id = self.graph.nodes[node].id.clone();
                let from = Restart { node: &id, downstream, repeat_effects };
                self.load_effects();
                if let Ok(changes) = restart(&self.graph, &self.state, &from) {
                    self.write(&changes);
                }
            }
            Step::Pause => self.state.is_paused = !self.state.is_paused,
            Step::Clear => self.state.is_behind_another = !self.state.is_behind_another,
            Step::Release => self.state.is_held = false,
            Step::Cancel => {
                let changes = cancel(&self.graph, &self.state);
                self.write(&changes);
                self.over(None);
            }
            other => panic!("{other:?} is no step of people"),
        }
        self.go_on();
    }

    fn happens(&mut self, run: usize) {
        let run = &mut self.runs[run];
        run.happened = true;
        *self.effects.entry((run.node, run.round)).or_default() += 1;
    }

    fn commit(&mut self, run: usize, is_good: bool) {
        let changes = self.runs[run].state.commit().expect("at its end");
        self.runs[run].state = changes.run;
        if changes.run.outcome == Some(Outcome::Skipped) || self.state.is_over {
            return;
        }
        let position = self.runs[run].node;
        self.result(position, u8::from(!is_good) * 2);
        self.go_on();
    }

    fn submit(&mut self, node: usize, how: u8) {
        let id = self.graph.nodes[node].id.clone();
        let agent = Actor::Agent("ada".to_owned());
        match take_up(&self.graph, &self.state, &id, (&agent, None), self.now) {
            Ok(change) => {
                self.write(&change.into_iter().collect::<Vec<_>>());
                if how < 4 {
                    self.result(node, how);
                }
            }
            Err(_refused) => {}
        }
    }

    fn result(&mut self, position: usize, how: u8) {
        self.load_effects();
        let failed = |class| Verdict::Failed(NodeFailure::new(class, "bad"));
        let verdict = match how {
            0 => Verdict::Accepted,
            1 => Verdict::Partial,
            2 => failed(NodeFailureClass::ValidationFailed),
            _ => Verdict::Blocked("waits".to_owned()),
        };
        let k = (self.now.as_micros() / 7 + i64::try_from(position).expect("few")) % 2;
        let output =
            matches!(verdict, Verdict::Accepted | Verdict::Partial).then(|| json!({"k": k}));
        let judged = Judged { verdict, output, findings: Vec::new() };
        let state = self.state.node(position);
        let node = &self.graph.nodes[position];
        let change = after_result(NodeAt { position, node, state: &state, now: self.now }, &judged);
        self.write(&[change]);
    }

    fn answer(&mut self, node: usize, how: u8) {
        let kind = self.approvals[&node];
        let asked =
            Asked { kind, status: ApprovalStatus::Pending, presented_digest: "", owner: None };
        let answer = ApprovalAnswer {
            approved: Some(how == 0),
            response_text: (how != 3).then(|| "text".to_owned()),
            required_edits: if how == 2 { vec!["edit".to_owned()] } else { Vec::new() },
            ..ApprovalAnswer::default()
        };
        let by = |name: &str| name.parse::<Actor>().expect("an actor");
        if settle(&asked, answer.clone(), &by("agent:ada")).is_ok() {
            self.broken = Some("an agent settled an approval".to_owned());
        }
        let Ok(settled) = settle(&asked, answer, &by("user:bob")) else { return };
        self.load_effects();
        let changes = after_answer(&self.graph, &self.state, node, (kind, &settled), self.now);
        let changes = changes.expect("no schema");
        self.write(&changes);
    }
}

type Limits = (Backoff, EventPolicy);

fn limits() -> Limits {
    (Backoff { tries: 2, ..Backoff::default() }, EventPolicy::default())
}

const fn context(transient_failures: u32, limits: &Limits) -> StopContext<'_> {
    StopContext {
        transient_failures,
        backoff: &limits.0,
        jitter_seed: 0,
        recourse: Recourse::Ask,
        suspects: Suspects {
            events: 0,
            untried: 0,
            parked_in_a_row: 0,
            on_failure: OnFailure::Stop,
            policy: &limits.1,
        },
    }
}
