//! What agents and people do with plans and recorded plans.

use serde_json::{Value, json};
use windlass_core::graph::{Draft, GraphStatus, NodeResult, NodeStatus, compile, normalise};
use windlass_core::{Actor, ApprovalAnswer, ApprovalId, Grant, ScriptId, SessionId, WorkflowId};
use windlass_store::{
    Approval, ApprovalFilter, Claim, CommitNode, EventsAfter, GraphIncludes, GraphSelector,
    GraphText, GraphView, JournalEntry, Page, RecordPlan, Replaced, Result, SettleApproval,
    SettledApproval, StartExecution, StartPlan, Steer, SteerGraph, SteeredGraph, Submission,
    SubmitNode, SubmittedNode,
};

use super::World;

/// The graph of a draft, with its text.
#[must_use]
pub fn graph_text(draft: &Value) -> GraphText {
    let source = draft.to_string();
    let graph = compile(normalise(Draft::read(&source).unwrap())).unwrap();
    GraphText { file_name: "plan.json".to_owned(), source, graph }
}

/// A node of an agent.
#[must_use]
pub fn agent_node(id: &str, agent: &str) -> Value {
    json!({
        "id": id, "type": "action", "label": id, "objective": id, "instructions": "do it",
        "owner": { "executorType": "agent", "ref": agent },
        "successCriteria": ["it is done"],
    })
}

/// A node that asks a person.
#[must_use]
pub fn human_node(id: &str, kind: &str) -> Value {
    json!({
        "id": id, "type": kind, "label": id, "objective": id, "instructions": "please answer",
        "owner": { "executorType": "user", "ref": "ada" },
    })
}

/// A node that calls a tool.
#[must_use]
pub fn tool_node(id: &str, tool: &str, input: &Value) -> Value {
    json!({
        "id": id, "type": "tool", "label": id, "objective": id, "instructions": "call it",
        "owner": { "executorType": "system", "ref": tool }, "input": input,
        "successCriteria": ["it is called"],
    })
}

/// A plan whose nodes follow one another.
#[must_use]
pub fn chain(nodes: &[Value]) -> Value {
    let edges: Vec<Value> = nodes
        .windows(2)
        .map(|pair| json!({ "from": pair[0]["id"], "to": pair[1]["id"] }))
        .collect();
    json!({ "title": "a plan", "objective": "something", "nodes": nodes, "edges": edges })
}

/// A result that keeps the contract.
#[must_use]
pub fn success(output: &Value) -> NodeResult {
    serde_json::from_value(json!({
        "status": "success", "output": output,
        "criteria": [{ "criterion": "it is done", "met": true }],
    }))
    .unwrap()
}

/// A result that says why it failed.
#[must_use]
pub fn failed(reason: &str) -> NodeResult {
    serde_json::from_value(json!({ "status": "failed", "reason": reason })).unwrap()
}

#[must_use]
pub fn agent(name: &str) -> Actor {
    Actor::Agent(name.to_owned())
}

#[must_use]
pub fn ada() -> Actor {
    Actor::User("ada".to_owned())
}

impl World {
    #[must_use]
    pub fn plan(&self, workstream: &str, draft: &Value) -> StartPlan {
        StartPlan {
            workspace: self.workspace,
            workstream: workstream.to_owned(),
            text: graph_text(draft),
            grant: graph_text(draft).graph.tools(),
            replaces: None,
            idempotency_key: None,
            deadline_at: None,
            actor: agent("planner"),
        }
    }

    #[must_use]
    pub fn replacement(&self, workstream: &str, draft: &Value) -> StartPlan {
        let replaces =
            Some(Replaced { run: None, reason: "it was wrong".to_owned(), is_fresh: false });
        StartPlan { replaces, ..self.plan(workstream, draft) }
    }

    /// Starts a plan that calls what was granted.
    pub async fn start_plan(&self, workstream: &str, draft: &Value) -> SessionId {
        self.store.start_plan(self.plan(workstream, draft)).await.unwrap().session
    }

    /// The workflow of a workstream.
    pub async fn workstream(&self, name: &str) -> WorkflowId {
        self.store.find_workflow(self.workspace, name).await.unwrap().id
    }

    /// Records a chain of steps.
    pub async fn record(&self, steps: &[&str]) -> ScriptId {
        let nodes: Vec<Value> = steps
            .iter()
            .map(|step| {
                let mut node = agent_node(step, "planner");
                node["failurePolicy"] = json!([{ "on": "any", "action": "fail-run" }]);
                node["tool"] = json!("Book.hotel");
                node["cancellable"] = json!("reversible");
                node
            })
            .collect();
        let mut draft = chain(&nodes);
        draft["autoStart"] = json!(false);
        let text = graph_text(&draft);
        let params = RecordPlan { workspace: self.workspace, text, actor: agent("planner") };
        self.store.record_plan(params).await.unwrap().plan
    }

    pub async fn execute(&self, plan: ScriptId) -> SessionId {
        let params = StartExecution {
            workspace: self.workspace,
            plan,
            notes: Some("notes".to_owned()),
            actor: agent("planner"),
        };
        self.store.start_execution(params).await.unwrap().session
    }

    pub async fn submit(
        &self,
        session: SessionId,
        node: &str,
        result: NodeResult,
    ) -> Result<SubmittedNode> {
        self.submit_as(&agent("planner"), session, node, Submission::Result(result)).await
    }

    pub async fn begin_node(&self, session: SessionId, node: &str) -> Result<SubmittedNode> {
        self.submit_as(&agent("planner"), session, node, Submission::Begin).await
    }

    pub async fn submit_as(
        &self,
        actor: &Actor,
        session: SessionId,
        node: &str,
        submission: Submission,
    ) -> Result<SubmittedNode> {
        let params = SubmitNode {
            workspace: self.workspace,
            session,
            node: node.to_owned(),
            submission,
            actor: actor.clone(),
        };
        self.store.submit_node(params).await
    }

    /// A worker reports that the effect of a node happened, and left traces.
    pub async fn commit_node(&self, claim: Claim) -> Result<()> {
        let result = success(&json!({}));
        let commit = CommitNode { claim, result, leaves_traces: true, logs: Vec::new() };
        self.store.commit_node(commit).await
    }

    pub async fn steer(&self, session: SessionId, action: Steer) -> Result<SteeredGraph> {
        let params = SteerGraph { workspace: self.workspace, session, action, actor: ada() };
        self.store.steer_graph(params).await
    }

    pub async fn cancel_graph(&self, session: SessionId) -> SteeredGraph {
        let action = Steer::Cancel { reason: "not needed".to_owned(), details: None };
        self.steer(session, action).await.unwrap()
    }

    pub async fn answer(
        &self,
        approval: ApprovalId,
        answer: ApprovalAnswer,
    ) -> Result<SettledApproval> {
        let params = SettleApproval { workspace: self.workspace, approval, answer, actor: ada() };
        self.store.settle_approval(params).await
    }

    /// What is asked of people now.
    pub async fn asked(&self) -> Vec<Approval> {
        let filter =
            ApprovalFilter { workspace: self.workspace, session: None, only_pending: true };
        self.store.approvals(filter, Page::first(100)).await.unwrap().items
    }

    /// The run with everything about it.
    pub async fn graph(&self, session: SessionId) -> GraphView {
        let includes = GraphIncludes {
            events: Some(EventsAfter { seq: 0, limit: 1_000 }),
            attempts: true,
            artifacts: true,
            approvals: true,
            checkpoints: true,
        };
        let which = GraphSelector::Session(session);
        self.store.graph(self.workspace, which, includes).await.unwrap().unwrap()
    }

    /// How far the run and its nodes have come.
    pub async fn progress(&self, session: SessionId) -> (GraphStatus, Vec<NodeStatus>) {
        let view = self.graph(session).await;
        (view.run.status, view.nodes.iter().map(|node| node.status).collect())
    }

    /// What the journal of the run says was done.
    pub async fn actions(&self, session: SessionId) -> Vec<String> {
        let events: Vec<JournalEntry> = self.graph(session).await.events;
        let seqs: Vec<_> = events.iter().map(|entry| entry.seq.unwrap()).collect();
        assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
        events.into_iter().map(|entry| entry.action).collect()
    }
}

/// An answer that agrees.
#[must_use]
pub fn yes() -> ApprovalAnswer {
    ApprovalAnswer { approved: Some(true), ..ApprovalAnswer::default() }
}

/// An answer that refuses, with what has to be done otherwise.
#[must_use]
pub fn no(edits: &[&str]) -> ApprovalAnswer {
    ApprovalAnswer {
        approved: Some(false),
        required_edits: edits.iter().map(|&edit| edit.to_owned()).collect(),
        ..ApprovalAnswer::default()
    }
}

/// An answer in words.
#[must_use]
pub fn words(text: &str) -> ApprovalAnswer {
    ApprovalAnswer { response_text: Some(text.to_owned()), ..ApprovalAnswer::default() }
}

/// A plan that calls nothing that was granted.
#[must_use]
pub fn ungranted(plan: StartPlan) -> StartPlan {
    StartPlan { grant: Grant::default(), ..plan }
}
