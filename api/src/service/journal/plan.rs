//! Records a plan.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use windlass_core::Timestamp;
use windlass_core::graph::{
    Cancellability, Draft, DraftEdge, DraftNode, FailureAction, FailureRule, FailureTrigger,
    Finding, FindingCode, Graph, Known, Owner, OwnerType, Recorded, Severity, Word, compile,
    normalise, validate,
};
use windlass_store::{GraphText, GraphVersion, RecordPlan, StoreError};

use super::ExecutionJournal;
use super::error::JournalError;
use super::ids::plan_id;
use super::words::{cancellabilities, irreversible};
use crate::service::Result;

/// What an agent is going to do, step by step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanInput {
    /// What the plan is called.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The steps, in the order in which you will do them. One call of a tool each.
    #[schemars(length(min = 1, max = 300))]
    pub steps: Vec<StepInput>,
    /// Anything else that is to be kept with the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// A step: one call of a tool, which the agent will make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepInput {
    /// The step's id, unique in the plan: letters, digits, `-` and `_`.
    pub id: String,
    /// What the step is called.
    pub name: String,
    /// The tool that you will call.
    pub tool: String,
    /// What you will call it with.
    #[serde(default)]
    pub parameters: Map<String, Value>,
    /// How far the call can be undone. Without it, it counts as irreversible.
    #[serde(default = "irreversible")]
    #[schemars(schema_with = "cancellabilities")]
    pub cancellable: Cancellability,
    /// What you want to do if the step fails. It is kept and shown, and never applied for you.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
}

/// What an agent wants to do if a step fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailurePolicy {
    /// The ids of the steps that the failure affects.
    #[serde(default)]
    pub propagate_to: Vec<String>,
    /// What to do.
    pub action: PolicyAction,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyAction {
    /// Give up every step that is left.
    CancelAll,
    /// Give up the steps of `propagate_to`.
    CancelDependent,
    /// Go on with the others, in a new execution.
    ContinueOthers,
    /// Ask a person.
    ManualDecision,
}

/// A plan was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordedPlanReport {
    /// What happened.
    pub message: String,
    /// The plan's id: begin executions of it with this.
    pub plan_id: String,
    /// What it is called.
    pub name: String,
    /// How many steps it has.
    pub steps_count: usize,
    /// How many of them say what to do if they fail.
    pub failure_policies_defined: usize,
    /// When it was recorded.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

/// A recorded plan.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PlanView {
    /// Its id.
    pub plan_id: String,
    /// The plan, as it was recorded.
    #[serde(flatten)]
    pub plan: PlanInput,
    /// When it was recorded.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
}

impl ExecutionJournal {
    /// Records a plan. Each call makes a plan of its own.
    ///
    /// # Errors
    /// [`JournalError::PlanRefused`] with everything that is wrong with it, or those of the store.
    pub async fn record_plan(&self, input: PlanInput) -> Result<RecordedPlanReport> {
        let graph = self.graph_of(&input)?;
        let text = GraphText {
            file_name: "plan.json".to_owned(),
            source: serde_json::to_string_pretty(&input).map_err(unreadable)?,
            graph,
        };
        let params =
            RecordPlan { workspace: self.service.workspace, text, actor: self.actor.clone() };
        let recorded = self.service.store.record_plan(params).await?;
        let failure_policies_defined =
            input.steps.iter().filter(|step| step.failure_policy.is_some()).count();
        Ok(RecordedPlanReport {
            message: "The plan is recorded. Nothing of it is carried out: begin an execution, and report each step."
                .to_owned(),
            plan_id: plan_id(recorded.plan),
            name: input.name,
            steps_count: input.steps.len(),
            failure_policies_defined,
            created_at: recorded.created_at,
        })
    }

    /// A recorded plan.
    ///
    /// # Errors
    /// [`JournalError::PlanNotFound`], or those of the store.
    pub async fn plan(&self, id: &str) -> Result<PlanView> {
        let plan = self.find_plan(id).await?;
        match self.service.store.graph_version(self.service.workspace, plan).await {
            Ok(version) => view(&version),
            Err(StoreError::NotFound { .. }) => {
                Err(JournalError::PlanNotFound { plan: id.to_owned() }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The plan as a chain of nodes, which nobody but the agent begins.
    fn graph_of(&self, input: &PlanInput) -> Result<Graph, JournalError> {
        let draft = normalise(draft(input, &self.actor.to_string()));
        let mut problems = step_problems(input);
        problems.extend(
            validate(&draft, &Known::default())
                .iter()
                .filter(|finding| finding.severity == Severity::Blocking)
                .map(worded),
        );
        if !problems.is_empty() {
            return Err(JournalError::PlanRefused { problems });
        }
        compile(draft)
            .map_err(|error| JournalError::PlanRefused { problems: vec![error.to_string()] })
    }
}

pub(super) fn view(version: &GraphVersion) -> Result<PlanView> {
    let plan = serde_json::from_str(&version.source).map_err(unreadable)?;
    Ok(PlanView { plan_id: plan_id(version.id), plan, created_at: version.created_at })
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Unreadable { what: "plan", source: Box::new(error) }
}

/// A step needs no contract: what the agent's tool answers says that it is done. One failure ends the execution, and nothing is tried
/// again by itself.
fn draft(input: &PlanInput, owner: &str) -> Draft {
    let objective = input.description.as_deref().filter(|text| !text.trim().is_empty());
    let edges = input.steps.iter().zip(input.steps.iter().skip(1)).map(|(from, to)| DraftEdge {
        from: from.id.clone(),
        to: to.id.clone(),
        ..DraftEdge::default()
    });
    Draft {
        title: input.name.clone(),
        objective: objective.unwrap_or(&input.name).to_owned(),
        nodes: input.steps.iter().map(|step| node(step, owner)).collect(),
        edges: edges.collect(),
        auto_start: Some(false),
        ..Draft::default()
    }
}

fn node(step: &StepInput, owner: &str) -> DraftNode {
    let policy = step.failure_policy.as_ref();
    DraftNode {
        id: step.id.clone(),
        label: step.name.clone(),
        owner: Some(Owner {
            executor_type: Word::Known(OwnerType::Agent),
            reference: owner.to_owned(),
        }),
        failure_policy: vec![FailureRule {
            on: Word::Known(FailureTrigger::Any),
            action: Word::Known(FailureAction::FailRun),
        }],
        recorded: Recorded {
            tool: Some(step.tool.clone()),
            parameters: Some(Value::Object(step.parameters.clone())),
            cancellable: Some(step.cancellable),
            failure_policy_note: policy.and_then(|policy| serde_json::to_value(policy).ok()),
        },
        ..DraftNode::default()
    }
}

/// What is wrong with steps that no graph knows of.
fn step_problems(input: &PlanInput) -> Vec<String> {
    let ids: BTreeSet<&str> = input.steps.iter().map(|step| step.id.trim()).collect();
    let mut problems = Vec::new();
    for step in &input.steps {
        let id = step.id.trim();
        if step.tool.trim().is_empty() {
            problems
                .push(format!("step `{id}` needs `tool`: the name of the tool that you will call"));
        }
        for target in step.failure_policy.iter().flat_map(|policy| &policy.propagate_to) {
            if target.trim() == id {
                problems.push(format!(
                    "`propagate_to` of step `{id}` names the step itself: leave it out"
                ));
            } else if !ids.contains(target.trim()) {
                problems.push(format!(
                    "`propagate_to` of step `{id}` names `{target}`, and there is no such step"
                ));
            }
        }
    }
    problems
}

/// A finding in the words of steps.
fn worded(finding: &Finding) -> String {
    let step = finding.node.as_deref().unwrap_or_default();
    let code = finding.code;
    if code == FindingCode::PlanEmpty {
        "a plan needs at least one step".to_owned()
    } else if code == FindingCode::PlanTitleMissing {
        "the plan needs `name`".to_owned()
    } else if code == FindingCode::NodeIdDuplicate {
        format!("two steps have the id `{step}`")
    } else if code == FindingCode::NodeLabelMissing {
        format!("step `{step}` needs `name`")
    } else {
        finding.message.replace("node", "step")
    }
}
