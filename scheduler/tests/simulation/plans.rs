//! Plans in the simulation: what they consist of, what people do with them, and what must hold of their runs.

use serde_json::{Value, json};
use windlass_core::graph::{
    Draft, GraphStatus, NodeFailureClass, NodeStatus, OwnerType, compile, normalise,
};
use windlass_core::{
    Action, Actor, ApprovalAnswer, ApprovalId, ApprovalStatus, HandlerKind, SessionId,
    WorkflowStatus, WorkspaceId,
};
use windlass_store::{
    GraphIncludes, GraphSelector, GraphText, GraphView, NotificationKind, Replaced, SettleApproval,
    StartPlan, Steer, SteerGraph, Store, StoreError, Workflow,
};

use crate::environment::Scenario;
use crate::oracle::{CheckResult, WorkflowView, require};
use crate::rng::Rng;
use crate::services::{ActualOutcome, ServiceKind, Services};

/// The workstreams, each with a plan of its own.
pub(crate) const WORKSTREAMS: [&str; 2] = ["north", "south"];

/// What a person does with a run of a plan.
#[derive(Debug, Clone)]
pub(crate) enum PlanAction {
    Answer(ApprovalId, ApprovalAnswer),
    Steer(SessionId, Steer),
    Replace(Box<StartPlan>),
}

impl PlanAction {
    /// The kind, for the tally.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Answer(_, ApprovalAnswer { approved: Some(true), .. }) => "agree",
            Self::Answer(..) => "refuse with edits",
            Self::Steer(_, Steer::Resume { .. }) => "resume a plan",
            Self::Steer(_, Steer::Restart { .. }) => "restart a node",
            Self::Steer(_, Steer::Cancel { .. }) => "cancel a plan",
            Self::Replace(_) => "replace a plan",
        }
    }

    pub(crate) async fn perform(
        self,
        store: &dyn Store,
        workspace: WorkspaceId,
    ) -> Result<(), StoreError> {
        let actor = person();
        match self {
            Self::Answer(approval, answer) => {
                let params = SettleApproval { workspace, approval, answer, actor };
                store.settle_approval(params).await.map(drop)
            }
            Self::Steer(session, action) => {
                let params = SteerGraph { workspace, session, action, actor };
                store.steer_graph(params).await.map(drop)
            }
            Self::Replace(params) => store.start_plan(*params).await.map(drop),
        }
    }
}

fn person() -> Actor {
    Actor::User("person".to_owned())
}

/// A plan: services beside each other, a person, and services after that. Its nodes are the same whenever it is replaced, but for what
/// only the person notices.
pub(crate) fn plan(
    workspace: WorkspaceId,
    workstream: &str,
    services: &[ServiceKind],
    rng: &mut Rng,
) -> StartPlan {
    let kinds: Vec<ServiceKind> = (0..4).map(|_| *rng.pick(services).unwrap()).collect();
    plan_of(workspace, workstream, &kinds, rng.below(3) + 1)
}

fn plan_of(
    workspace: WorkspaceId,
    workstream: &str,
    kinds: &[ServiceKind],
    max_parallel: u64,
) -> StartPlan {
    let tool = |index: usize| {
        let (namespace, method) = kinds[index].name();
        let id = format!("tool-{index}");
        let mut node = node(&id, "tool", "system", &format!("{namespace}.{method}"));
        node["input"] = json!({ "messages": [format!("{workstream}-{id}")] });
        node
    };
    let draft = json!({
        "title": workstream, "objective": "simulate", "maxParallel": max_parallel,
        "failureBudget": 100,
        "nodes": [tool(0), tool(1), node("ask", "human-approval", "user", "person"), tool(2), tool(3)],
        "edges": [
            { "from": "tool-0", "to": "ask" }, { "from": "tool-1", "to": "ask" },
            { "from": "ask", "to": "tool-2" }, { "from": "ask", "to": "tool-3" },
        ],
    });
    let source = draft.to_string();
    let graph = compile(normalise(Draft::read(&source).unwrap())).unwrap();
    StartPlan {
        workspace,
        workstream: workstream.to_owned(),
        grant: graph.tools(),
        text: GraphText { file_name: "plan.json".to_owned(), source, graph },
        replaces: None,
        idempotency_key: None,
        deadline_at: None,
        actor: person(),
    }
}

fn node(id: &str, kind: &str, executor: &str, reference: &str) -> Value {
    json!({
        "id": id, "type": kind, "label": id, "objective": id, "instructions": id,
        "owner": { "executorType": executor, "ref": reference },
        "successCriteria": ["it is done"],
    })
}

/// The newest run of a workstream.
pub(crate) async fn read(store: &dyn Store, workflow: &Workflow) -> Option<GraphView> {
    let includes = GraphIncludes { attempts: true, approvals: true, ..GraphIncludes::default() };
    let newest = GraphSelector::Newest(workflow.id);
    store.graph(workflow.workspace_id, newest, includes).await.unwrap()
}

/// Everything that a person has to do now with the plan.
pub(crate) fn required(view: &WorkflowView, services: &Services) -> Vec<PlanAction> {
    let Some(graph) = &view.plan else { return Vec::new() };
    let pending = graph.approvals.iter().filter(|it| it.status == ApprovalStatus::Pending);
    let mut actions: Vec<PlanAction> =
        pending.map(|asked| PlanAction::Answer(asked.id, agree())).collect();
    for blocked in graph.nodes.iter().filter(|node| node.status == NodeStatus::Blocked) {
        let message = format!("{}-{}", view.workflow.name, blocked.node_id);
        let steer = match (blocked.failure_class, services.actual(&[message])) {
            // Its effect is settled first.
            (Some(NodeFailureClass::InDoubt), _) | (_, ActualOutcome::Coming) => continue,
            (Some(NodeFailureClass::EffectHappened), ActualOutcome::DidNotHappen) => {
                Steer::Restart {
                    node: blocked.node_id.clone(),
                    downstream: false,
                    repeat_effects: true,
                    discard_edits: true,
                }
            }
            // What is done outside is not done again, and nothing says that a node of this run did it.
            (Some(NodeFailureClass::EffectHappened), ActualOutcome::Happened(_)) => {
                Steer::Cancel { reason: "it is done".to_owned(), details: None }
            }
            _ => Steer::Resume { force: true },
        };
        actions.push(PlanAction::Steer(graph.run.id, steer));
    }
    actions
}

fn agree() -> ApprovalAnswer {
    ApprovalAnswer { approved: Some(true), ..ApprovalAnswer::default() }
}

/// What a person may do with the plan without need.
pub(crate) fn optional(view: &WorkflowView, scenario: Scenario, rng: &mut Rng) -> Vec<PlanAction> {
    let Some(graph) = &view.plan else { return Vec::new() };
    let mut actions = Vec::new();
    // Late, or a second time, too.
    if let Some(asked) = rng.pick(&graph.approvals) {
        let refuse = ApprovalAnswer {
            approved: Some(false),
            required_edits: vec!["otherwise".to_owned()],
            ..ApprovalAnswer::default()
        };
        let answer = if rng.chance(50) { agree() } else { refuse };
        actions.push(PlanAction::Answer(asked.id, answer));
    }
    actions.push(PlanAction::Steer(graph.run.id, Steer::Resume { force: true }));
    if !scenario.has_backups() && rng.chance(30) {
        let same =
            graph.graph.nodes.iter().filter(|node| node.owner.executor_type == OwnerType::System);
        let kinds: Vec<ServiceKind> = same
            .map(|node| {
                let of = |kind: &&ServiceKind| {
                    let (namespace, method) = kind.name();
                    format!("{namespace}.{method}") == node.owner.reference
                };
                *ServiceKind::ALL.iter().find(of).unwrap()
            })
            .collect();
        let params = plan_of(graph_workspace(view), &view.workflow.name, &kinds, rng.below(3) + 1);
        let (run, reason) = (None, "otherwise".to_owned());
        let replaces = Some(Replaced { run, reason, is_fresh: rng.chance(20) });
        actions.push(PlanAction::Replace(Box::new(StartPlan { replaces, ..params })));
    }
    if rng.chance(5) {
        let cancel = Steer::Cancel { reason: "enough".to_owned(), details: None };
        actions.push(PlanAction::Steer(graph.run.id, cancel));
    }
    actions
}

const fn graph_workspace(view: &WorkflowView) -> WorkspaceId {
    view.workflow.workspace_id
}

/// Whether a person has to resume the workflow itself.
pub(crate) fn is_stopped(workflow: &Workflow) -> Option<Action> {
    let is_stopped = workflow.error.is_some() || workflow.contradicted_mutation_id.is_some();
    (workflow.status == WorkflowStatus::Paused || is_stopped).then_some(Action::Resume)
}

/// What must hold of the newest run after every step.
pub(crate) fn check(view: &WorkflowView) -> CheckResult {
    let Some(graph) = &view.plan else { return Ok(()) };
    let is_over = graph.run.ended_at.is_some();
    let begun = graph.nodes.iter().filter(|node| node.status.is_begun()).count();
    require!(
        begun <= graph.graph.max_parallel as usize,
        "{begun} nodes are begun, more than {}",
        graph.graph.max_parallel
    );
    for (node, spec) in graph.nodes.iter().zip(&graph.graph.nodes) {
        let id = &node.node_id;
        let open_runs: Vec<_> = view
            .runs
            .iter()
            .filter(|run| run.session_id == graph.run.id && run.handler == *id)
            .filter(|run| run.kind == HandlerKind::Node && run.status.is_open())
            .collect();
        let is_run = spec.is_run_by_workers();
        let is_running = node.status == NodeStatus::Running;
        require!(open_runs.len() <= 1, "`{id}` has several open runs: {open_runs:#?}");
        // The answer to a request that is out is still waited for after the end.
        require!(
            !is_run || is_over || is_running != open_runs.is_empty(),
            "`{id}` is {} with {} open runs",
            node.status,
            open_runs.len()
        );
        require!(
            !is_over || node.status.is_final(),
            "the run is over, and `{id}` is {}",
            node.status
        );
        let n_pending = graph
            .approvals
            .iter()
            .filter(|it| it.status == ApprovalStatus::Pending && it.node_id.as_ref() == Some(id))
            .count();
        let waits = node.status == NodeStatus::AwaitingHuman;
        require!(waits == (n_pending == 1), "`{id}` is {} with {n_pending} questions", node.status);
        let n_attempts =
            graph.attempts.iter().filter(|it| it.node_id == *id && it.ended_at.is_none()).count();
        require!(n_attempts <= 1, "`{id}` has {n_attempts} open attempts");
        require!(!node.status.is_final() || n_attempts == 0, "`{id}` is over with an open attempt");
    }
    check_status(graph)?;
    check_progress(view, graph)
}

/// The status of the run says what its nodes say.
fn check_status(graph: &GraphView) -> CheckResult {
    let has = |status: NodeStatus| graph.nodes.iter().any(|node| node.status == status);
    let is_right = match graph.run.status {
        GraphStatus::Completed => graph.run.ended_at.is_some() && !has(NodeStatus::Failed),
        GraphStatus::Failed => has(NodeStatus::Failed),
        GraphStatus::Aborted => graph.run.ended_at.is_some(),
        GraphStatus::AwaitingHuman => has(NodeStatus::AwaitingHuman),
        GraphStatus::Blocked => has(NodeStatus::Blocked) && !has(NodeStatus::Running),
        GraphStatus::Running => !has(NodeStatus::AwaitingHuman) && graph.run.ended_at.is_none(),
    };
    require!(is_right, "the run is {}: {:#?}", graph.run.status, graph.nodes);
    Ok(())
}

/// What does not go on by itself is asked or told.
fn check_progress(view: &WorkflowView, graph: &GraphView) -> CheckResult {
    let is_told = view.is_notified(&[NotificationKind::Error, NotificationKind::MutationInDoubt]);
    for node in graph.nodes.iter().filter(|node| node.status == NodeStatus::Blocked) {
        let is_in_doubt = node.failure_class == Some(NodeFailureClass::InDoubt);
        let is_looked_up =
            is_in_doubt && view.mutations.iter().any(|it| it.next_reconcile_at.is_some());
        require!(is_told || is_looked_up, "nobody is told that `{}` is blocked", node.node_id);
    }
    let is_ready = graph.nodes.iter().any(|node| node.status == NodeStatus::Ready);
    let is_begun = graph.nodes.iter().any(|node| node.status.is_begun());
    let workflow = &view.workflow;
    let may_go_on = workflow.status == WorkflowStatus::Active
        && workflow.error.is_none()
        && workflow.contradicted_mutation_id.is_none();
    let is_behind =
        view.runs.iter().any(|run| run.session_id != graph.run.id && run.status.is_open())
            || view.in_doubt().next().is_some();
    require!(
        !is_ready || is_begun || !may_go_on || is_behind || workflow.due_at.is_some(),
        "a node is ready, and nothing begins it: {:#?}",
        graph.nodes
    );
    Ok(())
}

/// Why a plan is not finished; none if it is.
pub(crate) fn unfinished_reason(view: &WorkflowView) -> Option<String> {
    let graph = view.plan.as_ref()?;
    if view.runs.iter().any(|run| run.status.is_open()) {
        return Some("a run is open".to_owned());
    }
    let nodes = || graph.nodes.iter().map(|node| format!("{} {}", node.node_id, node.status));
    graph.run.ended_at.is_none().then(|| {
        format!("the run is {}: {}", graph.run.status, nodes().collect::<Vec<_>>().join(", "))
    })
}

/// What must hold of a plan in the end: what it says is done was done, once.
pub(crate) fn check_end(view: &WorkflowView, services: &Services) -> CheckResult {
    let Some(graph) = &view.plan else { return Ok(()) };
    let applied = services.applied();
    for (node, spec) in graph.nodes.iter().zip(&graph.graph.nodes) {
        let message = format!("{}-{}", view.workflow.name, node.node_id);
        let effects = || applied.iter().filter(|it| it.request.messages.contains(&message));
        let is_out_of_reach = effects().any(|it| services.is_out_of_reach(it.request.mutation));
        if !spec.is_run_by_workers() || is_out_of_reach {
            continue;
        }
        let n_effects = effects().count();
        require!(n_effects <= 1, "`{message}` has had its effect {n_effects} times");
        let is_done = node.status == NodeStatus::Completed;
        require!(!is_done || n_effects == 1, "`{message}` is completed without its effect");
    }
    Ok(())
}
