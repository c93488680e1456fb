//! Records what the agent decides and what it does by hand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use windlass_core::graph::{Cancellability, NodeStatus};
use windlass_store::{AddNote, GraphIncludes, GraphView, NoteKind, Steer, SteerGraph};

use super::ExecutionJournal;
use super::ids::execution_id;
use super::run::require_step;
use super::words::ExecutionStatus;
use crate::service::Result;

/// A decision.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionInput {
    /// The execution: `exec_…`.
    pub execution_id: String,
    /// What you decided.
    pub action: DecisionAction,
    /// Why.
    pub reason: String,
    /// Further data.
    #[serde(default)]
    pub details: Option<Details>,
}

/// What an agent decides about an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionAction {
    /// Give up every step that is not done. That is final.
    Stop,
    /// Go on. Nothing changes, and what is over stays over.
    Continue,
}

/// Further data: a text or an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Details {
    /// A text.
    Text(String),
    /// An object.
    Fields(Map<String, Value>),
}

impl Details {
    fn into_value(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text),
            Self::Fields(fields) => Value::Object(fields),
        }
    }
}

/// A decision was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RecordedDecision {
    /// What happened, and what to do next.
    pub message: String,
    /// The execution.
    pub execution_id: String,
    /// What was decided.
    pub action: DecisionAction,
    /// Why.
    pub reason: String,
    /// How far the execution has come.
    pub status: ExecutionStatus,
    /// Whether this stopped the execution; not where it was over before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<bool>,
    /// The steps that are done, if you stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo_candidates: Option<UndoCandidates>,
}

/// The steps that are done, the last one first, by how far they can be undone. Nothing of them was undone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct UndoCandidates {
    /// Wholly.
    pub reversible: Vec<UndoCandidate>,
    /// In part.
    pub partially_reversible: Vec<UndoCandidate>,
    /// Not at all.
    pub irreversible: Vec<UndoCandidate>,
}

/// A step that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UndoCandidate {
    /// Its id.
    pub step_id: String,
    /// What it is called.
    pub name: String,
    /// The tool that was called.
    pub tool_name: String,
    /// What the tool answered.
    pub result: Option<Value>,
}

/// Something that the agent did.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionInput {
    /// The execution: `exec_…`.
    pub execution_id: String,
    /// The step that it is about.
    #[serde(default)]
    pub step_id: Option<String>,
    /// What you did.
    pub action_type: ActionType,
    /// The same in words.
    pub description: String,
    /// Further data.
    #[serde(default)]
    pub details: Option<Details>,
}

/// What an agent did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionType {
    /// Something was stopped.
    Stopped,
    /// Something was tidied up.
    CleanedUp,
    /// Somebody was told.
    Notified,
    /// A step was undone.
    RolledBack,
    /// Something else.
    Other,
}

/// An action was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordedAction {
    /// What happened.
    pub message: String,
    /// The entry's id.
    pub event_id: String,
    /// The execution.
    pub execution_id: String,
    /// The step.
    pub step_id: Option<String>,
    /// What was done.
    pub action_type: ActionType,
    /// The same in words.
    pub description: String,
}

impl ExecutionJournal {
    /// Records a decision: first the decision, then what follows from it. What is over stays as it is.
    ///
    /// # Errors
    /// [`JournalError::ExecutionNotFound`](super::JournalError::ExecutionNotFound), or those of the store.
    pub async fn decide(&self, input: DecisionInput) -> Result<RecordedDecision> {
        let view = self.view(&input.execution_id, GraphIncludes::default()).await?;
        let details = input.details.map(Details::into_value);
        let mut decision = RecordedDecision {
            message: String::new(),
            execution_id: execution_id(view.run.id),
            action: input.action,
            reason: input.reason.clone(),
            status: ExecutionStatus::of(view.run.status),
            cancelled: None,
            undo_candidates: None,
        };
        match input.action {
            DecisionAction::Continue => {
                self.note_continue(&view, input.reason, details).await?;
                decision.message = continued(decision.status).to_owned();
            }
            DecisionAction::Stop => {
                let action = Steer::Cancel { reason: input.reason, details };
                let steer = SteerGraph {
                    workspace: self.service.workspace,
                    session: view.run.id,
                    action,
                    actor: self.actor.clone(),
                };
                let steered = self.service.store.steer_graph(steer).await?;
                // A step may have ended since it was first read.
                let view = self.view(&input.execution_id, GraphIncludes::default()).await?;
                let candidates = undo_candidates(&view);
                decision.status = ExecutionStatus::of(steered.status);
                decision.message = stopped(steered.has_changed, decision.status, &candidates);
                decision.cancelled = Some(steered.has_changed);
                decision.undo_candidates = Some(candidates);
            }
        }
        Ok(decision)
    }

    async fn note_continue(
        &self,
        view: &GraphView,
        reason: String,
        details: Option<Value>,
    ) -> Result<()> {
        let note = AddNote {
            workspace: self.service.workspace,
            session: view.run.id,
            node: None,
            kind: NoteKind::Decision,
            reason,
            details: json!({ "details": details }),
            actor: self.actor.clone(),
        };
        self.service.store.add_note(note).await?;
        Ok(())
    }

    /// Records something that the agent did. The execution may be over: that is when things are undone.
    ///
    /// # Errors
    /// [`JournalError`](super::JournalError) where there is no such execution or step, or those of the store.
    pub async fn act(&self, input: ActionInput) -> Result<RecordedAction> {
        let view = self.view(&input.execution_id, GraphIncludes::default()).await?;
        if let Some(step) = &input.step_id {
            require_step(&view, step)?;
        }
        let note = AddNote {
            workspace: self.service.workspace,
            session: view.run.id,
            node: input.step_id.clone(),
            kind: NoteKind::Action,
            reason: input.description.clone(),
            details: json!({
                "action_type": input.action_type,
                "details": input.details.map(Details::into_value),
            }),
            actor: self.actor.clone(),
        };
        let entry = self.service.store.add_note(note).await?;
        Ok(RecordedAction {
            message: "The action is recorded. Nothing else changed.".to_owned(),
            event_id: entry.id.to_string(),
            execution_id: execution_id(view.run.id),
            step_id: input.step_id,
            action_type: input.action_type,
            description: input.description,
        })
    }
}

const fn continued(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Running => "The decision is recorded. Go on with the next step.",
        ExecutionStatus::Completed | ExecutionStatus::Failed | ExecutionStatus::Cancelled => {
            "The decision is recorded. This execution is over and stays so: begin a new one for what is left."
        }
    }
}

fn stopped(is_now: bool, status: ExecutionStatus, candidates: &UndoCandidates) -> String {
    let outcome = if is_now {
        "The decision is recorded and the execution is cancelled.".to_owned()
    } else {
        format!(
            "The decision is recorded. The execution was {} before and stays so.",
            status.as_str()
        )
    };
    if *candidates == UndoCandidates::default() {
        return format!("{outcome} No step was done, so there is nothing to undo.");
    }
    format!(
        "{outcome} Nothing was undone: undo what you want to undo of `undo_candidates`, in their order, and record each undo with an action of type `rolled_back` or `cleaned_up`."
    )
}

/// The steps that are done, the last one first.
fn undo_candidates(view: &GraphView) -> UndoCandidates {
    let mut candidates = UndoCandidates::default();
    for (node, run) in view.graph.nodes.iter().zip(&view.nodes).rev() {
        if run.status != NodeStatus::Completed {
            continue;
        }
        let group = match node.recorded.cancellable.unwrap_or(Cancellability::Irreversible) {
            Cancellability::Reversible => &mut candidates.reversible,
            Cancellability::PartiallyReversible => &mut candidates.partially_reversible,
            Cancellability::Irreversible => &mut candidates.irreversible,
        };
        group.push(UndoCandidate {
            step_id: node.id.clone(),
            name: node.label.clone(),
            tool_name: node.recorded.tool.clone().unwrap_or_default(),
            result: run.output.clone(),
        });
    }
    candidates
}
