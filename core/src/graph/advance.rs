//! Moves a run of a graph on as far as it goes by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::failure::{NodeAt, NodeFailure, after_failure};
use super::graph_type::{Graph, Node};
use super::input::{Decision, decide, resolve};
use super::schema::mismatches;
use super::state::{GraphState, NodeChange, NodeState};
use super::words::{GraphStatus, NodeFailureClass, NodeStatus};
use crate::failure::Failure;
use crate::time::Timestamp;

/// What a run does next.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Advance {
    /// How nodes change, by position. A node that begins is in here too.
    pub changes: Vec<NodeChange>,
    /// What begins, by position.
    pub begin: Vec<Begin>,
    /// How far the run has come.
    pub status: GraphStatus,
    /// The end of the run, where it ends now.
    pub end: Option<GraphEnd>,
    /// When it has to be looked at again. It is later than now.
    pub due_at: Option<Timestamp>,
}

/// A node begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// Which node.
    pub position: usize,
    /// How.
    pub how: BeginHow,
}

/// How a node begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginHow {
    /// A worker runs it.
    Run,
    /// A worker goes on with it after its effect.
    Continue,
    /// A person is asked.
    Ask,
    /// It is an agent's turn.
    Tell,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphEnd {
    /// Every node is over.
    Completed,
    /// A node failed, or the run's time is over.
    Failed(Failure),
}

/// Works out everything that follows from the state of a run.
///
/// That is: attempts whose time is over, nodes that may begin or are left out, nodes that begin, and the end of the run. After these changes
/// it works out nothing more.
pub fn advance(graph: &Graph, run: &GraphState, now: Timestamp) -> Advance {
    let mut work = Work { graph, run: run.clone(), now, changes: BTreeMap::new() };
    if run.is_over {
        return work.done(Vec::new(), None, None);
    }
    work.expire();
    work.settle();
    if let Some(end) = work.end() {
        work.cancel_open();
        return work.done(Vec::new(), Some(end), None);
    }
    let begin = work.begin();
    let due_at = work.due_at();
    work.done(begin, None, due_at)
}

/// Cancels every node that is not over: the run is cancelled or replaced.
#[must_use]
pub fn cancel(graph: &Graph, run: &GraphState) -> Vec<NodeChange> {
    if run.is_over {
        return Vec::new();
    }
    let now = Timestamp::from_micros(0);
    let mut work = Work { graph, run: run.clone(), now, changes: BTreeMap::new() };
    work.cancel_open();
    work.changes.into_values().collect()
}

/// Whether a node may begin in this run at all.
pub(super) const fn may_begin(graph: &Graph, run: &GraphState) -> bool {
    !run.is_over
        && !run.is_held
        && !run.is_paused
        && !run.is_behind_another
        && run.failure_count < graph.failure_budget
}

/// Whether a place of `maxParallel` is free.
pub(super) fn has_place(graph: &Graph, run: &GraphState) -> bool {
    let begun = run.nodes.iter().filter(|node| node.status.is_begun()).count();
    u32::try_from(begun).is_ok_and(|begun| begun < graph.max_parallel)
}

/// A ready node begins: an attempt, unless one is under way.
pub(super) fn begun(node: &Node, state: &NodeState, now: Timestamp) -> NodeState {
    let status =
        if node.node_type.is_human() { NodeStatus::AwaitingHuman } else { NodeStatus::Running };
    let begun = NodeState { must_continue: false, ..state.with(status) };
    if state.has_attempt || state.must_continue {
        return begun;
    }
    NodeState {
        has_attempt: true,
        attempt_count: state.attempt_count.saturating_add(1),
        deadline_at: node.timeout_ms.map(|timeout| now.after(Duration::from_millis(timeout))),
        ..begun
    }
}

struct Work<'a> {
    graph: &'a Graph,
    run: GraphState,
    now: Timestamp,
    changes: BTreeMap<usize, NodeChange>,
}

impl Work<'_> {
    /// Attempts of agents and people whose time is over fail. The attempt of a worker ends with its run.
    fn expire(&mut self) {
        for (position, node) in self.graph.nodes.iter().enumerate() {
            let state = self.run.node(position);
            let is_over = state.deadline_at.is_some_and(|deadline| deadline <= self.now);
            if is_over && state.status.is_begun() && !self.is_at_worker(position, &state) {
                let reason = format!("node `{}` was not done in its time", node.id);
                let why = NodeFailure::new(NodeFailureClass::Timeout, reason);
                let change =
                    after_failure(NodeAt { position, node, state: &state, now: self.now }, &why);
                self.change(change);
            }
        }
    }

    fn is_at_worker(&self, position: usize, state: &NodeState) -> bool {
        let node = self.graph.nodes.get(position);
        state.status == NodeStatus::Running && node.is_some_and(Node::is_run_by_workers)
    }

    /// Decides about the nodes that wait, unless a node failed: then all that is open is cancelled. Every edge leads to a higher position, so one pass is enough.
    fn settle(&mut self) {
        if self.run.nodes.iter().any(|node| node.status == NodeStatus::Failed) {
            return;
        }
        for (position, node) in self.graph.nodes.iter().enumerate() {
            let state = self.run.node(position);
            if state.status != NodeStatus::Pending {
                continue;
            }
            let change = match decide(self.graph, &self.run, position) {
                Decision::Wait => continue,
                Decision::Skip => NodeChange::to(position, state.with(NodeStatus::Skipped)),
                Decision::Begin => self.ready(position, node, &state),
            };
            self.change(change);
        }
    }

    fn ready(&self, position: usize, node: &Node, state: &NodeState) -> NodeChange {
        let input = resolve(self.graph, &self.run, position);
        if let Some(reason) = self.input_problem(node, &input) {
            let blocked = state.blocked(NodeFailureClass::InputInvalid, reason);
            return NodeChange { input: Some(input), ..NodeChange::to(position, blocked) };
        }
        if node.node_type.is_structural() {
            let completed = state.with(NodeStatus::Completed);
            let output = Some(input.clone());
            return NodeChange {
                input: Some(input),
                output,
                ..NodeChange::to(position, completed)
            };
        }
        NodeChange { input: Some(input), ..NodeChange::to(position, state.with(NodeStatus::Ready)) }
    }

    fn input_problem(&self, node: &Node, input: &Value) -> Option<String> {
        let schema = self.graph.schemas.get(node.input_schema_ref.as_ref()?)?;
        let wrong = mismatches(schema, input);
        let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        (!wrong.is_empty()).then(|| {
            format!("the input of node `{}` breaks its schema: {}", node.id, texts.join("; "))
        })
    }

    fn end(&self) -> Option<GraphEnd> {
        let failed = self.run.nodes.iter().position(|node| node.status == NodeStatus::Failed);
        if let Some(position) = failed {
            let id = self.graph.nodes.get(position).map_or("", |node| node.id.as_str());
            let class = self.run.node(position).failure.map_or("", NodeFailureClass::as_str);
            return Some(GraphEnd::Failed(Failure::logic(format!("node `{id}` failed: {class}"))));
        }
        if self.run.nodes.iter().all(|node| node.status.is_final()) {
            return Some(GraphEnd::Completed);
        }
        let is_late = self.run.deadline_at.is_some_and(|deadline| deadline <= self.now);
        is_late.then(|| GraphEnd::Failed(Failure::logic("the run was not done in its time")))
    }

    fn cancel_open(&mut self) {
        for position in 0..self.graph.nodes.len() {
            let state = self.run.node(position);
            if !state.status.is_final() {
                let change = NodeChange::cancelled(position, &state);
                self.change(change);
            }
        }
    }

    fn begin(&mut self) -> Vec<Begin> {
        let mut begin = Vec::new();
        if !may_begin(self.graph, &self.run) {
            return begin;
        }
        for (position, node) in self.graph.nodes.iter().enumerate() {
            if !has_place(self.graph, &self.run) {
                break;
            }
            let state = self.run.node(position);
            let is_due = state.available_at.is_none_or(|at| at <= self.now);
            if state.status != NodeStatus::Ready || !is_due || self.waits_for_effects(node, &state)
            {
                continue;
            }
            let how = if node.node_type.is_human() {
                BeginHow::Ask
            } else if !node.is_run_by_workers() {
                BeginHow::Tell
            } else if state.must_continue {
                BeginHow::Continue
            } else {
                BeginHow::Run
            };
            if how == BeginHow::Tell && !self.graph.auto_start {
                continue;
            }
            begin.push(Begin { position, how });
            self.change(NodeChange::to(position, begun(node, &state, self.now)));
        }
        begin
    }

    /// Only workers have effects, and one that continues after its effect has no other.
    fn waits_for_effects(&self, node: &Node, state: &NodeState) -> bool {
        let is_used_up = self.run.effects_used_up_until.is_some_and(|until| until > self.now);
        is_used_up && node.is_run_by_workers() && !state.must_continue
    }

    fn due_at(&self) -> Option<Timestamp> {
        let of_nodes = self.graph.nodes.iter().enumerate().flat_map(|(position, node)| {
            let state = self.run.node(position);
            let is_ready = state.status == NodeStatus::Ready;
            let waits = is_ready && self.waits_for_effects(node, &state);
            let is_timed = state.status.is_begun() && !self.is_at_worker(position, &state);
            [
                state.available_at.filter(|_at| is_ready),
                state.deadline_at.filter(|_deadline| is_timed),
                self.run.effects_used_up_until.filter(|_until| waits),
            ]
        });
        of_nodes.chain([self.run.deadline_at]).flatten().filter(|at| *at > self.now).min()
    }

    fn change(&mut self, change: NodeChange) {
        self.run.apply(&change);
        let merged = match self.changes.remove(&change.position) {
            None => change,
            // Only the first of two changes of one node can end an attempt, count a failure or bring an input.
            Some(first) => NodeChange {
                input: change.input.or(first.input),
                output: change.output.or(first.output),
                attempt: change.attempt.or(first.attempt),
                budget: first.budget,
                ..change
            },
        };
        self.changes.insert(merged.position, merged);
    }

    fn done(self, begin: Vec<Begin>, end: Option<GraphEnd>, due_at: Option<Timestamp>) -> Advance {
        let status = self.status(end.as_ref());
        Advance { changes: self.changes.into_values().collect(), begin, status, end, due_at }
    }

    fn status(&self, end: Option<&GraphEnd>) -> GraphStatus {
        let has = |status: NodeStatus| self.run.nodes.iter().any(|node| node.status == status);
        match end {
            Some(GraphEnd::Completed) => GraphStatus::Completed,
            Some(GraphEnd::Failed(_)) => GraphStatus::Failed,
            None if self.run.is_over && has(NodeStatus::Failed) => GraphStatus::Failed,
            None if self.run.is_over && has(NodeStatus::Cancelled) => GraphStatus::Aborted,
            None if self.run.is_over => GraphStatus::Completed,
            None if self.run.is_held || has(NodeStatus::AwaitingHuman) => {
                GraphStatus::AwaitingHuman
            }
            None if has(NodeStatus::Running) => GraphStatus::Running,
            None if self.run.failure_count >= self.graph.failure_budget => GraphStatus::Blocked,
            None if !has(NodeStatus::Ready) && has(NodeStatus::Blocked) => GraphStatus::Blocked,
            None => GraphStatus::Running,
        }
    }
}
