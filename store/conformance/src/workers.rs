//! What workers say of themselves, which runs they take, and how they stop.

use std::time::Duration;

use windlass_core::{Action, EventStatus, Id, MutationStatus, Status, WorkerId, WorkflowStatus};
use windlass_store::{
    ClaimFilter, ClaimScope, ClockRun, EndedRuns, Heartbeat, RouteWorkflow, Worker, WorkflowMarks,
};

use crate::start;
use crate::world::{LEASE, TestStore, World, event, pipeline, seconds, worker_info};

/// A worker with those labels.
fn with_labels(labels: &[&str]) -> ClaimFilter {
    ClaimFilter {
        labels: labels.iter().map(ToString::to_string).collect(),
        ..ClaimFilter::default()
    }
}

async fn route(world: &World, label: Option<&str>, priority: i32) {
    let params = RouteWorkflow {
        workspace: world.workspace,
        workflow: world.workflow,
        label: label.map(ToOwned::to_owned),
        priority,
        actor: "ada".to_owned(),
    };
    world.store.route_workflow(params).await.unwrap();
}

/// Takes one run, and says which workflow it is of.
async fn next_of(world: &World, filter: &ClaimFilter) -> Option<String> {
    let taken = world.claims_from(ClaimScope::Matching(filter.clone()), 1).await;
    taken.first().map(|run| run.workflow_name.clone())
}

async fn heard_of(world: &World) -> Vec<Worker> {
    world.store.workers(None).await.unwrap()
}

pub async fn a_worker_is_listed_as_of_its_last_heartbeat(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let started_at = world.store.now().await.unwrap();
    world.heartbeat(&[]).await;
    world.advance(seconds(15));
    let run = world.take("record").await;

    world.heartbeat(&[run.claim]).await;

    let [worker] = heard_of(&world).await.try_into().unwrap();
    assert_eq!((worker.host.as_str(), worker.pid, worker.slots), ("laptop", 4711, 8));
    assert_eq!((worker.running, worker.done, worker.failed), (1, 3, 1));
    assert_eq!(worker.started_at, started_at);
    assert_eq!(worker.last_heartbeat_at, started_at.after(seconds(15)));
}

pub async fn a_worker_that_is_not_heard_of_is_forgotten_by_the_next(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    world.heartbeat(&[]).await;
    world.advance(seconds(121));

    let worker =
        worker_info(WorkerId::mint(world.store.now().await.unwrap()), ClaimFilter::default());
    let heartbeat = Heartbeat {
        worker,
        claims: Vec::new(),
        lease: LEASE,
        ended: EndedRuns::default(),
        clock: ClockRun::Even,
    };
    world.store.heartbeat(heartbeat.clone()).await.unwrap();

    let listed: Vec<_> = heard_of(&world).await.into_iter().map(|it| it.id).collect();
    assert_eq!(listed, [heartbeat.worker.id]);
}

pub async fn what_is_open_is_counted_in_all_workspaces(test_store: TestStore) {
    let here = World::with_mails(test_store, &["m1", "m2"]).await;
    let workspace = here.store.ensure_workspace("elsewhere").await.unwrap();
    let elsewhere = World { workspace, ..here.clone() }.polled("post", &["m1"]).await;
    elsewhere.reserve(&["m1"]).await;
    let asked_at = here.store.now().await.unwrap();
    here.doubtful(&["m1"]).await;
    here.advance(seconds(1));

    let open = here.store.open_work().await.unwrap();

    assert_eq!((open.queued, open.active, open.in_doubt), (0, 1, 1), "{open:?}");
    assert_eq!((open.parked, open.approvals), (0, 0));
    assert_eq!((open.oldest_queued_at, open.oldest_question_at), (None, Some(asked_at)));
    let marks = |is_mark: fn(&WorkflowMarks) -> bool| {
        open.workflows.iter().filter(|it| is_mark(it)).count()
    };
    assert_eq!((marks(|it| it.is_asked_about), marks(|it| it.is_looked_up)), (1, 0));
    assert_eq!(
        (marks(|it| it.is_running), marks(|it| it.has_error), open.workflows.len()),
        (1, 1, 2),
        "a doubt stops its workflow"
    );
}

pub async fn what_waits_for_no_worker_is_not_counted_as_queued(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.store.enqueue_due(100).await.unwrap();
    let queued_at = world.store.now().await.unwrap();
    world.advance(seconds(7));
    let waiting = world.store.open_work().await.unwrap();
    assert_eq!((waiting.queued, waiting.oldest_queued_at), (1, Some(queued_at)));

    world.control(Action::Pause).await.unwrap();
    let paused = world.store.open_work().await.unwrap();
    world.control(Action::Archive).await.unwrap();
    let archived = world.store.open_work().await.unwrap();

    assert_eq!((paused.queued, paused.oldest_queued_at), (0, None));
    assert_eq!(paused.workflows.first().unwrap().status, WorkflowStatus::Paused);
    assert_eq!(archived.workflows, []);
}

pub async fn a_worker_of_one_workspace_is_listed_there_and_takes_nothing_elsewhere(
    test_store: TestStore,
) {
    let world = World::pipeline(test_store).await;
    let elsewhere = world.store.ensure_workspace("elsewhere").await.unwrap();
    let filter = ClaimFilter { workspace: Some(elsewhere), ..ClaimFilter::default() };
    let worker = worker_info(world.worker, filter.clone());
    let heartbeat = Heartbeat {
        worker,
        claims: Vec::new(),
        lease: LEASE,
        ended: EndedRuns::default(),
        clock: ClockRun::Even,
    };
    world.store.heartbeat(heartbeat).await.unwrap();

    assert_eq!(world.store.workers(Some(elsewhere)).await.unwrap().len(), 1);
    assert_eq!(world.store.workers(Some(world.workspace)).await.unwrap(), []);
    assert_eq!(next_of(&world, &filter).await, None);
    assert_eq!(world.store.agenda(&filter).await.unwrap().run, None);
    let here = ClaimFilter { workspace: Some(world.workspace), ..ClaimFilter::default() };
    assert_eq!(world.store.agenda(&here).await.unwrap().run, Some(seconds(0)));
    assert!(next_of(&world, &here).await.is_some());
}

pub async fn a_run_with_a_label_is_taken_by_a_worker_with_that_label(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    route(&world, Some("gpu"), 0).await;

    for filter in [ClaimFilter::default(), with_labels(&["mail"])] {
        assert_eq!(next_of(&world, &filter).await, None);
        assert_eq!(world.store.agenda(&filter).await.unwrap().run, None, "it is not for them");
    }
    assert!(next_of(&world, &with_labels(&["mail", "gpu"])).await.is_some());
}

pub async fn a_worker_with_labels_takes_runs_without_one(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    assert!(next_of(&world, &with_labels(&["gpu"])).await.is_some());
}

pub async fn a_worker_that_names_a_workflow_takes_its_run_whatever_its_label(
    test_store: TestStore,
) {
    let world = World::pipeline(test_store).await;
    route(&world, Some("gpu"), 0).await;

    assert_eq!(
        world.claims_from(ClaimScope::Workflow(world.workspace, world.workflow), 1).await.len(),
        1
    );
}

pub async fn a_priority_is_worth_minutes_of_waiting_and_no_more(test_store: TestStore) {
    let first = World::empty(test_store).await.deploy("first", pipeline()).await;
    first.advance(seconds(61));
    let urgent = first.deploy("urgent", pipeline()).await;
    route(&urgent, None, 1).await;
    let other = first.deploy("other", pipeline()).await;
    route(&other, None, 2).await;

    let mut order = Vec::new();
    while let Some(name) = next_of(&first, &ClaimFilter::default()).await {
        order.push(name);
    }

    assert_eq!(order, ["other", "first", "urgent"]);
}

pub async fn a_workspace_that_has_much_to_do_leaves_the_others_their_turn(test_store: TestStore) {
    let world = World::empty(test_store).await;
    for number in 0..20 {
        world.deploy(&format!("busy-{number}"), pipeline()).await;
    }
    let workspace = world.store.ensure_workspace("small").await.unwrap();
    let small = World { workspace, ..world.clone() }.deploy("small", pipeline()).await;

    let taken = small.claims_from(ClaimScope::Matching(ClaimFilter::default()), 4).await;
    let of_small = taken.iter().filter(|run| run.claim.workspace == workspace).count();

    assert_eq!((taken.len(), of_small), (4, 1), "all it has, though it was last");
    assert_eq!(small.claims_from(ClaimScope::Matching(ClaimFilter::default()), 30).await.len(), 17);
}

pub async fn a_slot_goes_to_the_workspace_that_has_the_fewest(test_store: TestStore) {
    let world = World::empty(test_store).await;
    for number in 0..8 {
        world.deploy(&format!("busy-{number}"), pipeline()).await;
    }
    let any = || ClaimScope::Matching(ClaimFilter::default());
    assert_eq!(world.claims_from(any(), 3).await.len(), 3, "alone, it may have all slots");
    let workspace = world.store.ensure_workspace("small").await.unwrap();
    let small = World { workspace, ..world.clone() };
    let other_worker = WorkerId::mint(start());
    for number in 0..5 {
        let deployed = small.deploy(&format!("small-{number}"), pipeline()).await;
        if number < 2 {
            let of_other = World { worker: other_worker, ..deployed };
            // Its slots are its own.
            of_other.claim().await.unwrap();
        }
    }

    // Whichever workspace is first at an instant.
    let mut taken_of = Vec::new();
    for _ in 0..3 {
        let taken = world.claims_from(any(), 1).await;
        taken_of.extend(taken.iter().map(|run| run.claim.workspace));
        world.advance(Duration::from_micros(1));
    }

    assert_eq!(taken_of, [workspace; 3], "until both have three");
}

pub async fn a_worker_that_stops_hands_back_what_it_holds_and_blames_nothing(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.heartbeat(&[]).await;
    let run = world.reserve(&["m1"]).await;

    let handed_back = world.store.deregister_worker(world.worker).await.unwrap();

    assert_eq!(handed_back.iter().map(|it| it.run).collect::<Vec<_>>(), [run.claim.run]);
    assert_eq!(world.run(run.claim.run).await.status, Status::Crashed);
    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.blamed), (EventStatus::Pending, 0));
    assert_eq!(heard_of(&world).await, []);
    world.take("record").await;
}

pub async fn a_request_that_may_be_leaving_is_not_handed_back(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    assert_eq!(world.store.deregister_worker(world.worker).await.unwrap(), []);

    assert_eq!(world.run(run.claim.run).await.status, Status::Active);
    assert_eq!(world.mutation(mutation).await.status, MutationStatus::InFlight);
    world.crash().await;
    assert_eq!(world.mutation(mutation).await.status, MutationStatus::Indeterminate);
}

pub async fn another_workers_runs_are_not_handed_back(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let other = WorkerId::mint(world.store.now().await.unwrap());

    assert_eq!(world.store.deregister_worker(other).await.unwrap(), []);

    world.commit(&run, vec![event("row", "r1")]).await.unwrap();
}
