//! A person who truthfully settles what only a person can, and sometimes intervenes without need.

use serde_json::Value;
use windlass_core::{
    Action, EventId, EventStatus, MutationId, MutationStatus, WorkflowId, WorkflowStatus,
    WorkspaceId,
};
use windlass_store::{
    ControlWorkflow, Event, EventAction, Resolution, ResolveMutation, SettleEvent, StartSession,
    Store, StoreError,
};

use crate::environment::Scenario;
use crate::oracle::WorkflowView;
use crate::plans::{self, PlanAction};
use crate::rng::Rng;
use crate::services::{ActualOutcome, Services};
use crate::tools::messages_of;

const NAME: &str = "person";

/// Something that a person does.
#[derive(Debug, Clone)]
pub(crate) enum PersonAction {
    Resolve(MutationId, Resolution),
    Control(WorkflowId, Action),
    /// Events that belong together.
    Settle(Vec<EventId>, EventAction),
    StartSession(WorkflowId),
    Plan(PlanAction),
}

impl PersonAction {
    /// The kind, for the tally.
    pub(crate) fn kind(&self) -> String {
        let what = match self {
            Self::Resolve(_, answer) => answer.kind().to_string(),
            Self::Control(_, action) => action.to_string(),
            Self::Settle(_, EventAction::PutBack) => "put_back".to_owned(),
            Self::Settle(_, EventAction::Skip) => "skip a parked event".to_owned(),
            Self::StartSession(_) => "start a session".to_owned(),
            Self::Plan(action) => action.kind().to_owned(),
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
            Self::Settle(events, action) => {
                for event in events {
                    let actor = actor.clone();
                    store
                        .settle_event(SettleEvent { workspace, event, action, actor, reason: None })
                        .await?;
                }
                Ok(())
            }
            Self::Plan(action) => action.perform(store, workspace).await,
            Self::StartSession(workflow) => {
                store.start_session(StartSession { workspace, workflow, actor }).await.map(drop)
            }
        }
    }
}

/// Everything that a person has to do now, with true answers. A person answers only when it is known what happened outside.
pub(crate) fn required_actions(view: &WorkflowView, services: &Services) -> Vec<PersonAction> {
    let mut acts: Vec<PersonAction> = doubts(view, services)
        .filter(|doubt| doubt.is_asked)
        .filter_map(|doubt| Some(PersonAction::Resolve(doubt.mutation, doubt.actual?)))
        .collect();
    let workflow = &view.workflow;
    if view.plan.is_some() {
        let resume = plans::is_stopped(workflow);
        acts.extend(resume.map(|action| PersonAction::Control(workflow.id, action)));
        acts.extend(plans::required(view, services).into_iter().map(PersonAction::Plan));
        return acts;
    }
    let is_stopped = workflow.error.is_some()
        || workflow.maintenance
        || workflow.contradicted_mutation_id.is_some();
    if workflow.status == WorkflowStatus::Paused || (is_stopped && view.in_doubt().next().is_none())
    {
        acts.push(PersonAction::Control(workflow.id, Action::Resume));
    }
    acts.extend(parked(view).into_iter().filter_map(|events| settled(view, events, services)));
    acts
}

/// What a person does with parked events that belong together, once it is known what happened outside.
fn settled(view: &WorkflowView, events: Vec<EventId>, services: &Services) -> Option<PersonAction> {
    let is_one = |event: &&Event| events.contains(&event.id);
    let mut messages: Vec<String> =
        view.events.iter().filter(is_one).map(|event| event.message_id.clone()).collect();
    messages.sort();
    let action = match services.actual(&messages) {
        ActualOutcome::Happened(_) => EventAction::Skip,
        ActualOutcome::DidNotHappen => EventAction::PutBack,
        ActualOutcome::Coming => return None,
    };
    Some(PersonAction::Settle(events, action))
}

/// What a person may do without need.
pub(crate) fn optional_actions(
    view: &WorkflowView,
    scenario: Scenario,
    services: &Services,
    rng: &mut Rng,
) -> Vec<PersonAction> {
    let mut acts = Vec::new();
    for doubt in doubts(view, services) {
        if let Some(actual) = doubt.actual {
            let answer = if rng.chance(50) { actual } else { Resolution::Skip };
            acts.push(PersonAction::Resolve(doubt.mutation, answer));
        }
        if doubt.is_reconcilable {
            acts.push(PersonAction::Resolve(doubt.mutation, Resolution::TryAgain));
        }
    }
    acts.extend(
        parked(view).into_iter().map(|events| PersonAction::Settle(events, EventAction::Skip)),
    );
    acts.extend(plans::optional(view, scenario, rng).into_iter().map(PersonAction::Plan));
    let workflow = view.workflow.id;
    if view.plan.is_none() && rng.chance(30) {
        acts.push(PersonAction::StartSession(workflow));
    }
    if rng.chance(10) {
        acts.push(PersonAction::Control(workflow, Action::Pause));
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
    actual: Option<Resolution>,
}

fn doubts<'a>(view: &'a WorkflowView, services: &'a Services) -> impl Iterator<Item = Doubt> + 'a {
    view.in_doubt().map(|mutation| Doubt {
        mutation: mutation.id,
        is_asked: mutation.status == MutationStatus::Indeterminate,
        is_reconcilable: mutation.reconcilable,
        actual: match services.actual(&messages_of(&mutation.params)) {
            ActualOutcome::Happened(result) => Some(Resolution::Happened(result)),
            ActualOutcome::DidNotHappen => Some(Resolution::DidNotHappen),
            ActualOutcome::Coming => None,
        },
    })
}

/// The parked events; those that are handled together are decided about together.
fn parked(view: &WorkflowView) -> Vec<Vec<EventId>> {
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
