//! What agents and people do with plans and recorded plans.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use windlass_core::graph::{GraphStatus, NodeResult};
use windlass_core::{ApprovalAnswer, Clock, Grant, SessionId, WorkflowKind};
use windlass_store::{
    AddNote, Approval, ApprovalFilter, DeleteExecutions, EventsAfter, GraphFilter, GraphIncludes,
    GraphOrder, GraphSelector, NoteKind, Page, RecordPlan, Replaced, SetWorkspace, SettleApproval,
    SettledApproval, StartExecution, StartPlan, Steer, SteerGraph, Submission, SubmitNode,
};
use windlass_store_conformance::world::graphs::{
    ada, agent, agent_node, chain, failed, graph_text, human_node, no, success, tool_node, words,
    yes,
};

use crate::differential::side::{Side, nth_newest, said};

/// What is done with graphs. Runs are counted back from the newest.
#[derive(Debug, Clone)]
pub(crate) enum GraphCommand {
    /// A plan is begun, or replaces the active one.
    Start { stream: usize, draft: usize, how: Beginning },
    /// An agent takes up a node or submits its result.
    Submit { run: Which, node: usize, said: Said, is_owner: bool },
    /// A person answers one of the open questions.
    Answer { question: usize, answer: usize },
    /// A person steers a run.
    Steer { run: Which, node: usize, steer: usize, flags: [bool; 3] },
    /// An agent notes something.
    Note { run: Which, kind: bool },
    /// A plan is recorded.
    Record { steps: usize },
    /// An execution of a recorded plan begins.
    Execute { plan: usize },
    /// Executions that are over are deleted, or it is said which would be.
    Delete { is_dry_run: bool, orphaned_plans: bool },
    /// A person says what plans of agents may call.
    Grant { all: bool },
}

/// How a plan begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    replaces: bool,
    is_fresh: bool,
    is_granted: bool,
    key: Option<u8>,
    seconds: Option<u64>,
}

/// Which run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which {
    /// The active one of a workstream.
    Active(usize),
    /// Any that was ever begun.
    Any(usize),
}

/// What an agent says of a node.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    Begin,
    Good,
    WrongOutput,
    Partial,
    Blocked,
    Failed,
}

impl GraphCommand {
    /// Whether it may be about what is over, or asks for what is removed.
    pub(crate) const fn may_ask_for_old(&self) -> bool {
        match self {
            Self::Submit { run, .. } | Self::Steer { run, .. } | Self::Note { run, .. } => {
                matches!(run, Which::Any(_))
            }
            // A repeated key names a run that was removed.
            Self::Start { how, .. } => how.key.is_some(),
            Self::Delete { .. } => true,
            Self::Answer { .. }
            | Self::Record { .. }
            | Self::Execute { .. }
            | Self::Grant { .. } => false,
        }
    }
}

pub(crate) fn graph_command() -> impl Strategy<Value = GraphCommand> {
    let run = || prop_oneof![5 => (0..2_usize).prop_map(Which::Active), 2 => (0..3_usize).prop_map(Which::Any)];
    let said = prop_oneof![
        2 => Just(Said::Begin), 8 => Just(Said::Good), 1 => Just(Said::WrongOutput),
        1 => Just(Said::Partial), 1 => Just(Said::Blocked), 2 => Just(Said::Failed),
    ];
    prop_oneof![
        5 => (0..2_usize, 0..DRAFTS, beginning())
            .prop_map(|(stream, draft, how)| GraphCommand::Start { stream, draft, how }),
        14 => (run(), 0..5_usize, said, any_but_seldom())
            .prop_map(|(run, node, said, is_owner)| GraphCommand::Submit { run, node, said, is_owner }),
        5 => (0..2_usize, 0..5_usize)
            .prop_map(|(question, answer)| GraphCommand::Answer { question, answer }),
        3 => (run(), 0..5_usize, 0..5_usize, any::<[bool; 3]>())
            .prop_map(|(run, node, steer, flags)| GraphCommand::Steer { run, node, steer, flags }),
        1 => (run(), any::<bool>()).prop_map(|(run, kind)| GraphCommand::Note { run, kind }),
        1 => (1..4_usize).prop_map(|steps| GraphCommand::Record { steps }),
        1 => (0..2_usize).prop_map(|plan| GraphCommand::Execute { plan }),
        1 => any::<(bool, bool)>()
            .prop_map(|(is_dry_run, orphaned_plans)| GraphCommand::Delete { is_dry_run, orphaned_plans }),
        1 => any::<bool>().prop_map(|all| GraphCommand::Grant { all }),
    ]
}

fn any_but_seldom() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.9)
}

fn beginning() -> impl Strategy<Value = Beginning> {
    let often = any_but_seldom();
    let key = proptest::option::weighted(0.2, 0..2_u8);
    let seconds = proptest::option::weighted(0.2, 20..2_000_u64);
    (any::<bool>(), proptest::bool::weighted(0.2), often, key, seconds).prop_map(
        |(replaces, is_fresh, is_granted, key, seconds)| Beginning {
            replaces,
            is_fresh,
            is_granted,
            key,
            seconds,
        },
    )
}

const DRAFTS: usize = 4;

/// Drafts that have much in common, so that one takes over what another has done.
fn draft(nth: usize) -> Value {
    let mut write = agent_node("a", "planner");
    write["outputSchemaRef"] = json!("count");
    write["retryPolicy"] = json!({ "maxAttempts": 2, "retryOn": ["validation-failed", "timeout"] });
    write["timeoutMs"] = json!(600_000);
    let append = |id: &str| tool_node(id, "Files.append", &json!({ "line": id }));
    let mut skipped = append("t");
    skipped["failurePolicy"] = json!([{ "on": "any", "action": "skip-node" }]);
    let mut last = agent_node("z", "planner");
    let (nodes, edges) = match nth {
        0 | 1 => {
            last["instructions"] = json!(nth.to_string());
            let ask = human_node("ask", ["human-approval", "human-review-edit"][nth]);
            (vec![write, ask, append("t"), last], vec![["a", "ask"], ["ask", "t"], ["t", "z"]])
        }
        2 => (vec![append("s"), skipped, write, last], vec![["s", "z"], ["t", "z"], ["a", "z"]]),
        _ => {
            last["failurePolicy"] = json!([{ "on": "tool-error", "action": "escalate-human" }]);
            let ask = human_node("ask", "human-input");
            (vec![ask, last, append("t")], vec![["ask", "z"]])
        }
    };
    let edges: Vec<Value> =
        edges.into_iter().map(|[from, to]| json!({ "from": from, "to": to })).collect();
    json!({
        "title": format!("plan {nth}"), "objective": "something", "maxParallel": 1 + nth,
        "schemas": { "count": { "type": "object", "properties": { "n": { "type": "integer", "required": true } } } },
        "nodes": nodes, "edges": edges,
    })
}

fn result(said: Said) -> NodeResult {
    let of = |value: Value| serde_json::from_value(value).unwrap();
    match said {
        Said::Begin | Said::Good => {
            let mut result = serde_json::to_value(success(&json!({ "n": 1 }))).unwrap();
            result["artifacts"] =
                json!([{ "name": "notes", "kind": "markdown", "content": "# One" }]);
            of(result)
        }
        Said::WrongOutput => success(&json!({ "n": "one" })),
        Said::Partial => of(json!({ "status": "partial", "output": { "n": 2 }, "reason": "late" })),
        Said::Blocked => of(json!({ "status": "blocked", "reason": "no key" })),
        Said::Failed => failed("no"),
    }
}

fn answer(nth: usize) -> ApprovalAnswer {
    match nth {
        0 | 1 => yes(),
        2 => no(&["shorter"]),
        3 => no(&[]),
        _ => words("better"),
    }
}

impl Side {
    /// Takes one step with graphs; none where the history speaks of something that is not there.
    pub(crate) async fn graph(&mut self, command: &GraphCommand) -> Option<String> {
        Some(match command {
            GraphCommand::Start { stream, draft, how } => {
                self.begin_plan(*stream, *draft, *how).await
            }
            GraphCommand::Submit { run, node, said, is_owner } => {
                let run = self.which(*run).await?;
                self.submit(run, *node, *said, *is_owner).await?
            }
            GraphCommand::Answer { question, answer } => self.settle(*question, *answer).await?,
            GraphCommand::Steer { run, node, steer, flags } => {
                let run = self.which(*run).await?;
                self.steer(run, *node, *steer, *flags).await?
            }
            GraphCommand::Note { run, kind } => {
                let session = self.which(*run).await?;
                self.note(session, *kind).await
            }
            GraphCommand::Record { steps } => self.record(*steps).await,
            GraphCommand::Execute { plan } => self.execute(*plan).await?,
            GraphCommand::Delete { is_dry_run, orphaned_plans } => {
                self.delete(*is_dry_run, *orphaned_plans).await
            }
            GraphCommand::Grant { all } => {
                let plan_grant =
                    if *all { graph_text(&draft(0)).graph.tools() } else { Grant::default() };
                let params = SetWorkspace { workspace: self.workspace, plan_grant, actor: ada() };
                let set = said(self.store.set_workspace(params).await);
                format!("{set} {:?}", self.store.plan_grant(self.workspace).await.unwrap())
            }
        })
    }

    async fn which(&self, which: Which) -> Option<SessionId> {
        let selector = match which {
            Which::Any(nth) => return nth_newest(&self.graphs, nth),
            Which::Active(stream) => {
                let workflow = self.store.find_workflow(self.workspace, &stream_name(stream)).await;
                GraphSelector::Active(workflow.ok()?.id)
            }
        };
        let found = self.store.graph(self.workspace, selector, GraphIncludes::default()).await;
        found.unwrap().map(|view| view.run.id)
    }

    async fn begin_plan(&mut self, stream: usize, nth: usize, how: Beginning) -> String {
        let text = graph_text(&draft(nth));
        let grant = if how.is_granted { text.graph.tools() } else { Grant::default() };
        let reason = "it was wrong".to_owned();
        let replaces = Replaced { run: None, reason, is_fresh: how.is_fresh };
        let params = StartPlan {
            workspace: self.workspace,
            workstream: stream_name(stream),
            text,
            grant,
            replaces: how.replaces.then_some(replaces),
            idempotency_key: how.key.map(|key| format!("key {key}")),
            deadline_at: how.seconds.map(|it| self.clock.now().after(Duration::from_secs(it))),
            actor: agent("planner"),
        };
        let started = self.store.start_plan(params).await;
        self.graphs.extend(started.iter().filter(|it| it.is_new).map(|it| it.session));
        said(started)
    }

    /// The id of a node of the run.
    async fn node(&self, session: SessionId, nth: usize) -> Option<String> {
        let which = GraphSelector::Session(session);
        let view =
            self.store.graph(self.workspace, which, GraphIncludes::default()).await.unwrap()?;
        Some(view.nodes[nth % view.nodes.len()].node_id.clone())
    }

    async fn submit(
        &self,
        session: SessionId,
        node: usize,
        what: Said,
        is_owner: bool,
    ) -> Option<String> {
        let submission = match what {
            Said::Begin => Submission::Begin,
            Said::Good | Said::WrongOutput | Said::Partial | Said::Blocked | Said::Failed => {
                Submission::Result(result(what))
            }
        };
        let params = SubmitNode {
            workspace: self.workspace,
            session,
            node: self.node(session, node).await?,
            submission,
            actor: agent(if is_owner { "planner" } else { "other" }),
        };
        Some(said(self.store.submit_node(params).await))
    }

    async fn settle(&self, question: usize, nth: usize) -> Option<String> {
        let filter =
            ApprovalFilter { workspace: self.workspace, session: None, only_pending: true };
        let asked = self.store.approvals(filter, Page::first(10)).await.unwrap().items;
        let approval = nth_newest(&asked.iter().map(|it| it.id).collect::<Vec<_>>(), question)?;
        let params = SettleApproval {
            workspace: self.workspace,
            approval,
            answer: answer(nth),
            actor: ada(),
        };
        let settle = async |params| said(self.store.settle_approval(params).await.map(settled));
        let settled = settle(params.clone()).await;
        // Once more changes nothing, and an agent never answers.
        let again = settle(params.clone()).await;
        let by_agent = SettleApproval { actor: agent("planner"), ..params };
        let by_agent = settle(by_agent).await;
        Some(format!("{settled}; again: {again}; by an agent: {by_agent}"))
    }

    async fn steer(
        &self,
        session: SessionId,
        node: usize,
        steer: usize,
        flags: [bool; 3],
    ) -> Option<String> {
        let [downstream, repeat_effects, discard_edits] = flags;
        let action = match steer {
            0 | 1 => Steer::Resume { force: downstream },
            2 | 3 => {
                let node = self.node(session, node).await?;
                Steer::Restart { node, downstream, repeat_effects, discard_edits }
            }
            _ => Steer::Cancel { reason: "enough".to_owned(), details: Some(json!({ "n": node })) },
        };
        let params = SteerGraph { workspace: self.workspace, session, action, actor: ada() };
        Some(said(self.store.steer_graph(params).await))
    }

    async fn note(&self, session: SessionId, is_decision: bool) -> String {
        let params = AddNote {
            workspace: self.workspace,
            session,
            node: None,
            kind: if is_decision { NoteKind::Decision } else { NoteKind::Action },
            reason: "I thought of something".to_owned(),
            details: json!({ "n": 1 }),
            actor: agent("planner"),
        };
        said(self.store.add_note(params).await)
    }

    async fn record(&mut self, steps: usize) -> String {
        let ids = ["one", "two", "three"];
        let nodes: Vec<Value> = ids[..steps].iter().map(|id| agent_node(id, "planner")).collect();
        let mut draft = chain(&nodes);
        draft["autoStart"] = json!(false);
        let text = graph_text(&draft);
        let params = RecordPlan { workspace: self.workspace, text, actor: agent("planner") };
        let recorded = self.store.record_plan(params).await;
        self.plans.extend(recorded.iter().map(|it| it.plan));
        said(recorded)
    }

    async fn execute(&mut self, plan: usize) -> Option<String> {
        let plan = nth_newest(&self.plans, plan)?;
        let (workspace, actor) = (self.workspace, agent("planner"));
        let params = StartExecution { workspace, plan, notes: Some("quick".to_owned()), actor };
        let started = self.store.start_execution(params).await;
        self.graphs.extend(started.iter().map(|it| it.session));
        Some(said(started))
    }

    async fn delete(&self, is_dry_run: bool, orphaned_plans: bool) -> String {
        let params = DeleteExecutions {
            workspace: self.workspace,
            statuses: vec![GraphStatus::Completed, GraphStatus::Failed, GraphStatus::Aborted],
            orphaned_plans,
            ended_before: self.clock.now(),
            is_dry_run,
            limit: 10,
        };
        said(self.store.delete_executions(params).await)
    }

    /// Everything about the newest runs of graphs, and what is asked of people.
    pub(crate) async fn graphs_state(&self) -> Vec<(String, String)> {
        let mut parts = Vec::new();
        let includes = GraphIncludes {
            events: Some(EventsAfter { seq: 0, limit: 1_000 }),
            attempts: true,
            artifacts: true,
            approvals: true,
            checkpoints: true,
        };
        for session in self.graphs.iter().rev().take(2) {
            let which = GraphSelector::Session(*session);
            let view = self.store.graph(self.workspace, which, includes).await.unwrap();
            let view = view.map(|mut view| {
                view.approvals = view.approvals.into_iter().map(comparable).collect();
                if view.run.kind == WorkflowKind::Journal {
                    // The name of a recorded plan has the end of its id.
                    view.run.workflow.clear();
                }
                view
            });
            parts.push((format!("graph {session}"), format!("{view:?}")));
        }
        for (kind, order) in [
            (WorkflowKind::Plan, GraphOrder::Ended),
            (WorkflowKind::Plan, GraphOrder::Begun),
            (WorkflowKind::Journal, GraphOrder::Changed),
        ] {
            let filter = GraphFilter {
                workspace: self.workspace,
                kind,
                workflow: None,
                statuses: Vec::new(),
                order,
                limit: 4,
                offset: 1,
            };
            let runs = self.store.graphs(filter).await.unwrap().runs;
            let runs: Vec<_> = runs.iter().map(|run| (run.id, run.status)).collect();
            parts.push((format!("graphs {kind:?} {order:?}"), format!("{runs:?}")));
        }
        let filter =
            ApprovalFilter { workspace: self.workspace, session: None, only_pending: false };
        let asked = self.store.approvals(filter, Page::first(5)).await.unwrap().items;
        let asked: Vec<_> = asked.into_iter().map(comparable).collect();
        parts.push(("graphs approvals".to_owned(), format!("{asked:?}")));
        parts
    }
}

/// The question without its digest, which covers ids of artifacts, and those differ.
fn comparable(asked: Approval) -> Approval {
    Approval { presented_digest: String::new(), ..asked }
}

fn settled(settled: SettledApproval) -> SettledApproval {
    SettledApproval { approval: comparable(settled.approval), ..settled }
}

fn stream_name(stream: usize) -> String {
    format!("stream {stream}")
}
