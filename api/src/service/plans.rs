//! Plans of agents and people: begin, replace, submit, steer.

mod answer;
mod draft;
mod lists;
mod node;
mod parts;
mod schema;
mod view;

use windlass_core::graph::{AttemptStatus, GraphStatus, NodeResult, NodeStatus, blocking_message};
use windlass_core::{Actor, Grant, MutationStatus, SessionId, WorkflowId, WorkflowKind};
use windlass_store::{
    AnyId, GraphIncludes, GraphSelector, GraphText, GraphView, Replaced, StartPlan, Steer,
    SteerGraph, StoreError, Submission, SubmitNode,
};

pub use self::answer::{PlanAction, PlanAnswer, SubmittedAttempt};
pub use self::draft::{PlanCheck, PlanChecker, read_draft, read_result};
pub use self::lists::{InboxRow, PlanRow};
pub use self::node::{NodeContract, PlanNode};
pub use self::parts::{PlanArtifact, PlanCheckpoint, PlanEvent, PlanIssue};
pub use self::schema::draft_schema;
pub(crate) use self::schema::{draft_properties, result_schema};
pub use self::view::{CarriedNode, PlanIncludes, PlanProgress, PlanRun, PlanSpec, PlanView};

use super::deploy::check_workflow_name;
use super::error::{Result, ServiceError};
use super::handle::Service;

/// A plan to begin, or to go on with instead of the active one.
#[derive(Debug)]
pub struct PlanStart {
    /// The name of the workstream; its first plan makes it.
    pub workstream: String,
    /// The plan, as [`PlanChecker`] made it.
    pub text: GraphText,
    /// What people have granted. If the plan calls another tool, a person has to let it start.
    pub grant: Grant,
    /// A repeated call with the same key returns the run of the first one.
    pub idempotency_key: Option<String>,
}

impl Service {
    /// Begins a plan in a workstream where none is active.
    ///
    /// # Errors
    /// [`ServiceError::BadName`], and those of the store: a run is active already.
    pub async fn create_plan(&self, start: PlanStart) -> Result<PlanAnswer> {
        self.start_plan(start, None).await
    }

    /// Replaces the active plan of a workstream. What was done under the same contract is taken over, unless a fresh start is wanted.
    ///
    /// # Errors
    /// Those of the store: no run is active, or another one than the caller knows.
    pub async fn replace_plan(&self, start: PlanStart, replaced: Replaced) -> Result<PlanAnswer> {
        self.start_plan(start, Some(replaced)).await
    }

    async fn start_plan(&self, start: PlanStart, replaces: Option<Replaced>) -> Result<PlanAnswer> {
        let PlanStart { workstream, text, grant, idempotency_key } = start;
        check_workflow_name(&workstream)?;
        let warnings = text.graph.warnings.clone();
        let action = if replaces.is_some() { PlanAction::Replaced } else { PlanAction::Created };
        let params = StartPlan {
            workspace: self.workspace,
            workstream,
            text,
            grant,
            replaces,
            idempotency_key,
            deadline_at: None,
            actor: self.acting(),
        };
        let started = self.store.start_plan(params).await?;
        let plan = self.plan_of_run(started.session, PlanIncludes::ALL).await?;
        let done = match (action, started.is_new) {
            (_, false) => "was begun before with the same key",
            (PlanAction::Replaced, true) => "replaces the plan before it",
            (_, true) => "is created",
        };
        let (spec, total) = (&plan.spec, plan.progress.total);
        let said = format!("plan `{}` v{} {done}: {total} node(s)", spec.workstream, spec.version);
        Ok(PlanAnswer { warnings, ..PlanAnswer::about(action, &said, plan) })
    }

    /// The active plan of a workstream. Where none is active there is none, which is no error.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn active_plan(
        &self,
        workstream: &str,
        includes: PlanIncludes,
    ) -> Result<PlanAnswer> {
        let Some(workflow) = self.workstream(workstream).await? else {
            return Ok(PlanAnswer::none(workstream));
        };
        match self.graph_of(GraphSelector::Active(workflow), includes.into()).await? {
            None => Ok(PlanAnswer::none(workstream)),
            Some(view) => {
                let plan = self.plan_view(view, includes).await?;
                let said = format!("plan `{workstream}` v{} is active", plan.spec.version);
                Ok(PlanAnswer::about(PlanAction::Loaded, &said, plan))
            }
        }
    }

    /// The active plan of a workstream, and where none is active its last one, or the run with that id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plan(&self, name_or_run: &str, includes: PlanIncludes) -> Result<PlanAnswer> {
        if name_or_run.starts_with("ses_") {
            let plan = self.plan_of_run(self.find_plan_run(name_or_run).await?, includes).await?;
            let said = format!("this is plan `{}` v{}", plan.spec.workstream, plan.spec.version);
            return Ok(PlanAnswer::about(PlanAction::Loaded, &said, plan));
        }
        let answer = self.active_plan(name_or_run, includes).await?;
        if answer.has_plan {
            return Ok(answer);
        }
        let Some(workflow) = self.workstream(name_or_run).await? else { return Ok(answer) };
        let newest = self.graph_of(GraphSelector::Newest(workflow), includes.into()).await?;
        let Some(view) = newest else { return Ok(answer) };
        let plan = self.plan_view(view, includes).await?;
        let message = format!("{} Its last run is {}.", answer.message, plan.run.status);
        Ok(PlanAnswer { message, plan: Some(plan), ..answer })
    }

    /// Submits the result of a node of a run. The same result once more is answered as the first time.
    ///
    /// # Errors
    /// Those of the store: the run is over, the node takes no result, or belongs to somebody else.
    pub async fn submit_node(
        &self,
        run: SessionId,
        node: &str,
        result: NodeResult,
    ) -> Result<PlanAnswer> {
        self.require_plan(run).await?;
        let submitted = self
            .store
            .submit_node(SubmitNode {
                workspace: self.workspace,
                session: run,
                node: node.to_owned(),
                submission: Submission::Result(result),
                actor: self.acting(),
            })
            .await?;
        let plan = self.plan_of_run(run, PlanIncludes::AFTER_A_CHANGE).await?;
        let attempt = SubmittedAttempt {
            number: submitted.number,
            status: submitted.attempt,
            is_repeated: submitted.is_repeated,
            findings: submitted.findings,
        };
        let said = told_of(node, submitted.node, &attempt);
        Ok(PlanAnswer {
            changed_node_id: Some(node.to_owned()),
            attempt: Some(attempt),
            ..PlanAnswer::about(PlanAction::NodeResultSubmitted, &said, plan)
        })
    }

    /// Lets a run go on whose stops were repaired; with `force` back-offs end too. What is finished stays.
    ///
    /// # Errors
    /// Those of the store: the run is over.
    pub async fn resume_plan(&self, run: SessionId, force: bool) -> Result<PlanAnswer> {
        let (has_changed, plan) = self.steer_plan(run, Steer::Resume { force }).await?;
        let said = match (has_changed, plan.run.status) {
            (true, _) => "the run goes on",
            (false, GraphStatus::AwaitingHuman) => "nothing changes: the run waits for a person",
            (false, _) => "nothing changes: there is nothing to resume",
        };
        Ok(PlanAnswer::about(PlanAction::RunResumed, said, plan))
    }

    /// Lets a node be done anew.
    ///
    /// # Errors
    /// Those of the store: the run is over, the node is at work or in doubt, or its effect has happened.
    pub async fn restart_plan(&self, run: SessionId, restart: PlanRestart) -> Result<PlanAnswer> {
        let PlanRestart { node, downstream, repeat_effects, discard_edits } = restart;
        let steer =
            Steer::Restart { node: node.clone(), downstream, repeat_effects, discard_edits };
        let (_has_changed, plan) = self.steer_plan(run, steer).await?;
        let after = if downstream { " and everything after it" } else { "" };
        let said = format!("node `{node}`{after} is done anew");
        let answer = PlanAnswer::about(PlanAction::NodeRestarted, &said, plan);
        Ok(PlanAnswer { changed_node_id: Some(node), ..answer })
    }

    /// Ends a run now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn cancel_plan(&self, run: SessionId, reason: &str) -> Result<PlanAnswer> {
        let steer = Steer::Cancel { reason: reason.to_owned(), details: None };
        let (has_changed, plan) = self.steer_plan(run, steer).await?;
        let said = if has_changed { "the run is cancelled" } else { "the run was over already" };
        Ok(PlanAnswer::about(PlanAction::RunCancelled, said, plan))
    }

    async fn steer_plan(&self, run: SessionId, action: Steer) -> Result<(bool, PlanView)> {
        self.require_plan(run).await?;
        let actor = self.acting();
        let params = SteerGraph { workspace: self.workspace, session: run, action, actor };
        let steered = self.store.steer_graph(params).await?;
        Ok((steered.has_changed, self.plan_of_run(run, PlanIncludes::AFTER_A_CHANGE).await?))
    }

    /// The active run of a workstream.
    ///
    /// # Errors
    /// [`ServiceError::NoActivePlan`], and those of the store.
    pub async fn active_run(&self, workstream: &str) -> Result<SessionId> {
        Ok(self.active_view(workstream, GraphIncludes::default()).await?.run.id)
    }

    /// The active run of a workstream with its nodes.
    pub(super) async fn active_view(
        &self,
        workstream: &str,
        includes: GraphIncludes,
    ) -> Result<GraphView> {
        let none = || ServiceError::NoActivePlan { workstream: workstream.to_owned() };
        let workflow = self.workstream(workstream).await?.ok_or_else(none)?;
        self.graph_of(GraphSelector::Active(workflow), includes).await?.ok_or_else(none)
    }

    /// The run of a plan with this id or beginning of an id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_plan_run(&self, id: &str) -> Result<SessionId> {
        if let AnyId::Session(run) = self.store.resolve_id(self.workspace, id).await? {
            Ok(run)
        } else {
            Err(StoreError::not_found("plan run", id).into())
        }
    }

    /// A run of a plan, as it stands.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn plan_of_run(&self, run: SessionId, includes: PlanIncludes) -> Result<PlanView> {
        let view = self.graph_of(GraphSelector::Session(run), includes.into()).await?;
        let view = view.filter(|view| view.run.kind == WorkflowKind::Plan);
        let view = view.ok_or_else(|| StoreError::not_found("plan run", &run))?;
        self.plan_view(view, includes).await
    }

    /// Whether workers are to look up an effect of the plan that this is a run of, so that it may go on without anybody.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn has_lookup(&self, run: SessionId) -> Result<bool> {
        let workflow = self.store.session(self.workspace, run).await?.workflow_id;
        let overview = self.store.overview(self.workspace, workflow).await?;
        Ok(overview.in_doubt.iter().any(|it| it.status == MutationStatus::NeedsReconcile))
    }

    /// Refuses the run of a recorded plan: that has commands of its own.
    async fn require_plan(&self, run: SessionId) -> Result<()> {
        let view = self.graph_of(GraphSelector::Session(run), GraphIncludes::default()).await?;
        match view {
            Some(view) if view.run.kind == WorkflowKind::Plan => Ok(()),
            Some(_) | None => Err(StoreError::not_found("plan run", &run).into()),
        }
    }

    /// The workflow of that name, where there is one.
    async fn workstream(&self, name: &str) -> Result<Option<WorkflowId>> {
        match self.store.find_workflow(self.workspace, name).await {
            Ok(workflow) => Ok(Some(workflow.id)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn graph_of(
        &self,
        which: GraphSelector,
        includes: GraphIncludes,
    ) -> Result<Option<GraphView>> {
        Ok(self.store.graph(self.workspace, which, includes).await?)
    }

    /// Who acts: a person, unless the name says that it is an agent.
    pub(super) fn acting(&self) -> Actor {
        self.actor.parse().unwrap_or_else(|_plain| Actor::User(self.actor.clone()))
    }
}

/// What of a run is done anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRestart {
    /// The node.
    pub node: String,
    /// Whether every node after it is reset too.
    pub downstream: bool,
    /// Whether effects that have happened may happen again.
    pub repeat_effects: bool,
    /// Whether what people edited is given up.
    pub discard_edits: bool,
}

/// What became of a submission.
fn told_of(node: &str, status: NodeStatus, attempt: &SubmittedAttempt) -> String {
    let number = attempt.number;
    let repeated = if attempt.is_repeated { " (it was submitted before)" } else { "" };
    let judged = match attempt.status {
        AttemptStatus::Accepted => "was accepted".to_owned(),
        AttemptStatus::Partial => "was accepted as a part".to_owned(),
        AttemptStatus::Rejected => {
            format!("was rejected: {}", blocking_message(&attempt.findings))
        }
        other @ (AttemptStatus::Running
        | AttemptStatus::Failed
        | AttemptStatus::TimedOut
        | AttemptStatus::Cancelled) => format!("is {other}"),
    };
    format!("attempt {number} at node `{node}` {judged}{repeated}; the node is {status}")
}
