//! A person who answers, truthfully, what only a person can, and sometimes meddles.

use serde_json::Value;
use windlass_core::{
    Action, EventId, EventStatus, MutationId, MutationStatus, WorkflowId, WorkflowStatus,
    WorkspaceId,
};
use windlass_store::{
    ControlWorkflow, ParkedEventAction, Resolution, ResolveMutation, SettleEvent, StartSession,
    Store, StoreError,
};

use crate::oracle::View;
use crate::outside::{Outside, Truth};
use crate::rng::Rng;
use crate::tools::messages_of;

const NAME: &str = "person";

/// Something that a person does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Resolve(MutationId, Resolution),
    Control(WorkflowId, Action),
    /// Events that belong together.
    Settle(Vec<EventId>, ParkedEventAction),
    StartSession(WorkflowId),
}

impl Act {
    /// The kind, for the tally.
    pub(crate) fn kind(&self) -> String {
        let what = match self {
            Self::Resolve(_, answer) => answer.kind().to_string(),
            Self::Control(_, action) => action.to_string(),
            Self::Settle(_, ParkedEventAction::PutBack) => "put_back".to_owned(),
            Self::Settle(_, ParkedEventAction::Skip) => "skip a parked event".to_owned(),
            Self::StartSession(_) => "start a session".to_owned(),
        };
        format!("person: {what}")
    }

    pub(crate) async fn perform(
        self,
        store: &dyn Store,
        workspace: WorkspaceId,
    ) -> Result<(), StoreError> {
        let actor = NAME.to_owned();
        match self {
            Self::Resolve(mutation, answer) => {
                let params = ResolveMutation {
                    workspace,
                    mutation,
                    resolution: answer.clone(),
                    actor,
                    reason: None,
                };
                store.resolve_mutation(params).await.map(drop)
            }
            Self::Control(workflow, action) => store
                .control_workflow(ControlWorkflow { workspace, workflow, action, actor })
                .await
                .map(drop),
            Self::Settle(events, fate) => {
                for event in events {
                    let actor = actor.clone();
                    store
                        .settle_event(SettleEvent { workspace, event, fate, actor, reason: None })
                        .await?;
                }
                Ok(())
            }
            Self::StartSession(workflow) => {
                store.start_session(StartSession { workspace, workflow, actor }).await.map(drop)
            }
        }
    }
}

/// Everything that somebody has to do now, said truthfully. Nobody answers before it is known what happens outside.
pub(crate) fn duties(view: &View, outside: &Outside) -> Vec<Act> {
    let mut acts: Vec<Act> = doubts(view, outside)
        .filter(|doubt| doubt.is_asked)
        .filter_map(|doubt| Some(Act::Resolve(doubt.mutation, doubt.truth?)))
        .collect();
    let workflow = &view.workflow;
    let is_stopped = workflow.error.is_some() || workflow.maintenance;
    if workflow.status == WorkflowStatus::Paused || (is_stopped && view.in_doubt().next().is_none())
    {
        acts.push(Act::Control(workflow.id, Action::Resume));
    }
    acts.extend(
        parked(view).into_iter().map(|events| Act::Settle(events, ParkedEventAction::PutBack)),
    );
    acts
}

/// What somebody may do as well.
pub(crate) fn whims(view: &View, outside: &Outside, rng: &mut Rng) -> Vec<Act> {
    let mut acts = Vec::new();
    for doubt in doubts(view, outside) {
        if let Some(truth) = doubt.truth {
            let answer = if rng.chance(50) { truth } else { Resolution::Skip };
            acts.push(Act::Resolve(doubt.mutation, answer));
        }
        if doubt.is_reconcilable {
            acts.push(Act::Resolve(doubt.mutation, Resolution::TryAgain));
        }
    }
    acts.extend(
        parked(view).into_iter().map(|events| Act::Settle(events, ParkedEventAction::Skip)),
    );
    let workflow = view.workflow.id;
    if rng.chance(30) {
        acts.push(Act::StartSession(workflow));
    }
    if rng.chance(10) {
        acts.push(Act::Control(workflow, Action::Pause));
    }
    acts
}

/// An effect in doubt.
struct Doubt {
    mutation: MutationId,
    /// Whether a person is asked, and nobody looks it up.
    is_asked: bool,
    is_reconcilable: bool,
    /// The true answer, once there is one.
    truth: Option<Resolution>,
}

fn doubts<'a>(view: &'a View, outside: &'a Outside) -> impl Iterator<Item = Doubt> + 'a {
    view.in_doubt().map(|mutation| Doubt {
        mutation: mutation.id,
        is_asked: mutation.status == MutationStatus::Indeterminate,
        is_reconcilable: mutation.reconcilable,
        truth: match outside.truth(&messages_of(&mutation.params)) {
            Truth::Happened(result) => Some(Resolution::Happened(result)),
            Truth::DidNotHappen => Some(Resolution::DidNotHappen),
            Truth::Coming => None,
        },
    })
}

/// The parked events; those that are handled together are decided about together.
fn parked(view: &View) -> Vec<Vec<EventId>> {
    let parked: Vec<_> =
        view.events.iter().filter(|event| event.status == EventStatus::Parked).collect();
    let mut groups = Vec::new();
    for event in &parked {
        let partner = event.payload.get("partner").and_then(Value::as_str);
        let partner = parked.iter().find(|other| Some(other.message_id.as_str()) == partner);
        match partner {
            Some(other) if other.message_id < event.message_id => {}
            other => {
                groups.push(std::iter::once(event.id).chain(other.map(|one| one.id)).collect());
            }
        }
    }
    groups
}
