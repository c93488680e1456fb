//! What must hold after every step and in the end. The oracle reads the store and knows what really happened outside.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::future::join_all;
use serde_json::Value;
use windlass_core::{
    EventId, EventStatus, MutationId, MutationStatus, Phase, ResolvedBy, RunId, Status, WorkflowId,
    WorkflowKind, WorkflowStatus, WorkspaceId,
};
use windlass_store::{
    Event, EventFilter, GraphView, HandlerState, Mutation, Notification, NotificationKind, Page,
    Run, RunFilter, Store, Workflow,
};

use crate::plans;
use crate::services::{Application, ServiceKind, Services};
use crate::shop::Shop;
use crate::tally::Tally;
use crate::tools::messages_of;

/// The broken invariant, if there is one.
pub(crate) type CheckResult = Result<(), String>;

macro_rules! require {
    ($holds:expr, $($said:tt)+) => {
        if !$holds {
            return Err(format!($($said)+));
        }
    };
}

pub(crate) use require;

/// A workflow as it is stored.
#[derive(Debug)]
pub(crate) struct WorkflowView {
    pub(crate) workflow: Workflow,
    pub(crate) runs: Vec<Run>,
    pub(crate) mutations: Vec<Mutation>,
    pub(crate) events: Vec<Event>,
    /// The newest run, if it is a workstream of plans.
    pub(crate) plan: Option<GraphView>,
    /// The open notifications.
    notices: Vec<Notification>,
}

impl WorkflowView {
    /// All workflows of a workspace.
    pub(crate) async fn read_all(store: &dyn Store, workspace: WorkspaceId) -> Vec<Self> {
        let (workflows, notices) =
            tokio::join!(store.all_workflows(workspace), store.all_notifications(workspace));
        let notices = notices.unwrap();
        let views = workflows.unwrap().into_iter();
        join_all(views.map(|workflow| Self::read(store, workflow, &notices))).await
    }

    async fn read(store: &dyn Store, workflow: Workflow, notices: &[Notification]) -> Self {
        let (workspace, id) = (workflow.workspace_id, workflow.id);
        let of_runs =
            RunFilter { workspace, workflow: id, session: None, page: Page::first(10_000) };
        let of_events = EventFilter {
            workspace,
            workflow: id,
            topic: None,
            status: None,
            message_ids: None,
            page: Page::first(10_000),
        };
        let (runs, mutations, events) = tokio::join!(
            store.all_runs(of_runs),
            store.all_mutations(workspace, id),
            store.all_events(of_events)
        );
        let plan = match workflow.kind {
            WorkflowKind::Plan => plans::read(store, &workflow).await,
            WorkflowKind::Script | WorkflowKind::Card | WorkflowKind::Journal => None,
        };
        let is_open =
            |notice: &&Notification| notice.workflow_id == id && notice.resolved_at.is_none();
        Self {
            plan,
            workflow,
            runs: runs.unwrap(),
            mutations: mutations.unwrap(),
            events: events.unwrap(),
            notices: notices.iter().filter(is_open).cloned().collect(),
        }
    }

    /// The effects of stopped runs that are in doubt.
    pub(crate) fn in_doubt(&self) -> impl Iterator<Item = &Mutation> {
        let has_stopped = |mutation: &&Mutation| {
            self.runs.iter().any(|run| {
                run.id == mutation.handler_run_id && run.status == Status::PausedReconciliation
            })
        };
        self.mutations.iter().filter(|row| row.status.is_uncertain()).filter(has_stopped)
    }

    fn has_open_run(&self) -> bool {
        self.runs.iter().any(|run| run.status.is_open())
    }

    fn run(&self, run: RunId) -> Result<&Run, String> {
        self.runs.iter().find(|known| known.id == run).ok_or_else(|| format!("no run {run}"))
    }

    pub(crate) fn is_notified(&self, kinds: &[NotificationKind]) -> bool {
        self.notices.iter().any(|notice| kinds.contains(&notice.kind))
    }
}

/// Checks what must hold, and remembers what it has seen.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    phases: HashMap<RunId, u8>,
    /// The status that the person set last.
    pub(crate) wanted: HashMap<WorkflowId, WorkflowStatus>,
    seen_late: HashSet<MutationId>,
    seen_given_up: HashSet<MutationId>,
    seen_parked: HashSet<(EventId, u32)>,
    seen_contradicted: HashSet<MutationId>,
    pub(crate) tally: Tally,
}

impl Oracle {
    /// What must hold after every step.
    pub(crate) fn check(&mut self, view: &WorkflowView, services: &Services) -> CheckResult {
        if let Some(repeated_effect) = services.repeated_effect() {
            return Err(repeated_effect);
        }
        let wanted = self.wanted.get(&view.workflow.id);
        let status = view.workflow.status;
        require!(wanted == Some(&status), "it is {status}, which no person wanted");
        self.check_runs(view)?;
        check_reservations(view)?;
        self.count(view);
        self.check_ledger(view, services)?;
        plans::check(view)?;
        check_stops(view)
    }

    /// Takes what a restored backup knows for the beginning.
    pub(crate) fn begin_anew(&mut self, views: &[WorkflowView]) {
        self.phases.clear();
        self.wanted = views.iter().map(|view| (view.workflow.id, view.workflow.status)).collect();
    }

    fn check_runs(&mut self, view: &WorkflowView) -> CheckResult {
        let open: Vec<_> = view.runs.iter().filter(|run| run.status.is_open()).collect();
        let is_script = view.plan.is_none();
        require!(open.len() <= 1 || !is_script, "several runs are open: {open:#?}");
        for run in &view.runs {
            let order = run.phase.order();
            let before = self.phases.insert(run.id, order).unwrap_or(0);
            require!(before <= order, "{} went back to {}", run.id, run.phase);
            let is_committed = run.status == Status::Committed;
            require!(
                is_committed == (run.phase == Phase::Committed),
                "{} is {} in phase {}",
                run.id,
                run.status,
                run.phase
            );
        }
        Ok(())
    }

    fn check_ledger(&self, view: &WorkflowView, services: &Services) -> CheckResult {
        let applied = services.applied();
        let mut runs = BTreeSet::new();
        for mutation in &view.mutations {
            require!(runs.insert(mutation.handler_run_id), "a run has two rows in the ledger");
            let messages = messages_of(&mutation.params);
            if mutation.status == MutationStatus::Applied {
                let happened = applied.iter().any(|done| done.request.messages == messages);
                require!(happened, "the ledger says applied, and nothing happened: {mutation:#?}");
            }
            let by_id = |done: &&Application| done.request.mutation == mutation.id;
            let itself = applied.iter().find(by_id);
            // A request that is repeated to look it up is the same effect, whichever row caused it.
            let is_its_own =
                itself.is_some_and(|done| done.request.kind != ServiceKind::Idempotent);
            let is_skipped = mutation.resolved_by == Some(ResolvedBy::UserSkip);
            if mutation.status != MutationStatus::Failed || is_skipped || !is_its_own {
                continue;
            }
            require!(
                services.is_out_of_reach(mutation.id),
                "the ledger says that it did not happen, and it did: {mutation:#?}"
            );
            let is_known = mutation.late_evidence.as_ref().is_some_and(|it| it.contains("number"));
            require!(
                !is_known || self.seen_contradicted.contains(&mutation.id),
                "the evidence contradicts the ledger, and nobody is told: {mutation:#?}"
            );
        }
        Ok(())
    }

    fn count(&mut self, view: &WorkflowView) {
        if let Some(mutation) = view.workflow.contradicted_mutation_id
            && self.seen_contradicted.insert(mutation)
        {
            self.tally.count("late evidence contradicts the ledger");
        }
        for mutation in &view.mutations {
            if mutation.late_evidence.is_some() && self.seen_late.insert(mutation.id) {
                self.tally.count("late evidence");
            }
            let is_given_up =
                mutation.reconcilable && mutation.status == MutationStatus::Indeterminate;
            if is_given_up && self.seen_given_up.insert(mutation.id) {
                self.tally.count("lookup given up");
            }
        }
        for event in view.events.iter().filter(|event| event.status == EventStatus::Parked) {
            if self.seen_parked.insert((event.id, event.attempt_number)) {
                self.tally.count("event parked");
            }
        }
    }
}

/// What must hold when tools have just passed their commit points: nobody else has decided anything about their requests.
pub(crate) fn check_passed(view: &WorkflowView, passed: &BTreeSet<MutationId>) -> CheckResult {
    for mutation in view.mutations.iter().filter(|it| passed.contains(&it.id)) {
        require!(
            mutation.status == MutationStatus::InFlight,
            "a tool passed its commit point for a run that its worker had lost: {mutation:#?}"
        );
    }
    Ok(())
}

fn check_reservations(view: &WorkflowView) -> CheckResult {
    for event in view.events.iter().filter(|event| event.status == EventStatus::Reserved) {
        let owner = event.reserved_by_run_id.ok_or("a reserved event without a run")?;
        let run = view.run(owner)?;
        let answers = run.status.is_open()
            || run.status == Status::PausedReconciliation
            || view.workflow.pending_retry_run_id == Some(owner);
        require!(answers, "`{}` is reserved by {owner}, which is {}", event.message_id, run.status);
    }
    Ok(())
}

/// After every stop the workflow continues by itself or a person is notified.
fn check_stops(view: &WorkflowView) -> CheckResult {
    use NotificationKind::{EffectContradicted, Error, EventParked, MutationInDoubt, ScriptFailed};

    let workflow = &view.workflow;
    let is_looked_up = view.mutations.iter().any(|mutation| {
        mutation.status == MutationStatus::NeedsReconcile && mutation.next_reconcile_at.is_some()
    });
    require!(
        workflow.error.is_none() || is_looked_up || view.is_notified(&[Error, MutationInDoubt]),
        "nobody is told of the error {:?}",
        workflow.error
    );
    require!(
        !workflow.maintenance || view.is_notified(&[ScriptFailed]),
        "nobody is told of the repair"
    );
    require!(
        workflow.contradicted_mutation_id.is_none() || view.is_notified(&[EffectContradicted]),
        "nobody is told that the ledger was wrong"
    );
    let is_parked = view.events.iter().any(|event| event.status == EventStatus::Parked);
    require!(!is_parked || view.is_notified(&[EventParked]), "nobody is told of a parked event");
    for mutation in &view.mutations {
        let is_asked = mutation.status == MutationStatus::Indeterminate;
        require!(
            !is_asked || view.is_notified(&[MutationInDoubt]),
            "nobody is asked: {mutation:#?}"
        );
        let waits = mutation.status == MutationStatus::NeedsReconcile;
        require!(
            !waits || mutation.next_reconcile_at.is_some(),
            "never looked up again: {mutation:#?}"
        );
    }
    let is_runnable = workflow.status == WorkflowStatus::Active
        && workflow.error.is_none()
        && workflow.contradicted_mutation_id.is_none()
        && !workflow.maintenance;
    // The producer is always due at some time.
    require!(
        !is_runnable || view.plan.is_some() || view.has_open_run() || workflow.due_at.is_some(),
        "it runs, and is never due: {workflow:#?}"
    );
    Ok(())
}

/// Why a workflow is not finished; none if it is.
pub(crate) fn unfinished_reason(view: &WorkflowView, shop: &Shop) -> Option<String> {
    if view.plan.is_some() {
        return plans::unfinished_reason(view);
    }
    let workflow = &view.workflow;
    let all = shop.all(&workflow.name);
    let has = |id: &str| view.events.iter().any(|event| event.message_id == id);
    if view.has_open_run() {
        return Some("a run is open".to_owned());
    }
    if let Some(missing) = all.iter().find(|message| !has(&message.id)) {
        return Some(format!("`{}` has not come in", missing.id));
    }
    if workflow.pending_retry_run_id.is_some() {
        return Some("a run waits to be retried".to_owned());
    }
    let is_done = |status| matches!(status, EventStatus::Consumed | EventStatus::Skipped);
    let open = view.events.iter().find(|event| !is_done(event.status));
    open.map(|event| format!("`{}` is {}", event.message_id, event.status))
}

/// What must hold of a workflow in the end.
pub(crate) fn check_end(
    view: &WorkflowView,
    handlers: &[HandlerState],
    services: &Services,
) -> CheckResult {
    if view.plan.is_some() {
        return plans::check_end(view, services);
    }
    let applied = services.applied();
    let orders = view.events.iter().filter(|event| event.topic == "orders");
    for order in orders {
        let id = &order.message_id;
        let n_applied = applied.iter().filter(|done| done.request.messages.contains(id)).count();
        let done = format!("done:{id}");
        let n_published = view.events.iter().filter(|event| event.message_id == done).count();
        let n_in_ledger = view.mutations.iter().filter(|mutation| {
            mutation.status == MutationStatus::Applied && messages_of(&mutation.params).contains(id)
        });
        let found = (order.status, n_applied, n_in_ledger.count(), n_published);
        let is_out_of_reach = applied
            .iter()
            .filter(|done| done.request.messages.contains(id))
            .any(|done| services.is_out_of_reach(done.request.mutation));
        let is_right = match order.status {
            EventStatus::Consumed | EventStatus::Skipped if is_out_of_reach => true,
            EventStatus::Consumed => found == (EventStatus::Consumed, 1, 1, 1),
            EventStatus::Skipped => n_applied <= 1 && n_published == 0,
            EventStatus::Pending | EventStatus::Reserved | EventStatus::Parked => false,
        };
        require!(is_right, "`{id}`: status, effects, ledger, published are {found:?}");
    }
    // A person may have skipped one that was parked.
    let is_counted = |event: &&Event| {
        event.message_id.starts_with("done:") && event.status == EventStatus::Consumed
    };
    let n_done = view.events.iter().filter(is_counted).count();
    let counter = handlers.iter().find(|handler| handler.name == "count");
    let state = counter.and_then(|handler| handler.state.as_ref());
    let counted = state.map_or(&Value::Null, |state| &state["count"]);
    let counted = counted.as_u64().unwrap_or(0);
    require!(counted == n_done as u64, "{n_done} effects came downstream, counted {counted}");
    Ok(())
}
