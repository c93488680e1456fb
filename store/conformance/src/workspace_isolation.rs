//! The boundary between workspaces: nothing of one is visible or changeable from another, whatever is known there of its ids.

use std::collections::BTreeSet;

use serde_json::json;
use windlass_core::{
    Action, EventStatus, Failure, FailureClass, LimitKey, LookupResult, ResolutionKind, RunLimit,
};

use crate::isolation::{Boundary, all_events, claim_by, everything, logs_of, seen_by};
use crate::world::{LEASE, TestStore, World, event, pipeline, seconds, worker_info};
use windlass_store::{
    AnyId, Bump, CaptureMutation, Claim, ClaimFilter, ClaimLookups, ClaimScope, DoubtMutation,
    EndedRuns, Heartbeat, LeaseRenewal, METHODS, NewEvent, ParkedEventAction, Result,
    RouteWorkflow, RunFilter, ScriptMessage, SetLimit, SettleEvent, SettleLookup, StoreError,
};

/// What concerns all workspaces, and why. `wake_ups` does too: it says that something happened, and not what.
const OF_THE_WHOLE_INSTANCE: &[(&str, &str)] = &[
    ("ensure_workspace", "makes a workspace"),
    ("workspaces", "lists the workspaces"),
    ("now", "is the clock"),
    ("agenda", "is how long a worker of all workspaces may sleep"),
    ("enqueue_due", "is done by any worker for all"),
    ("recover_runs", "is done by any worker for all"),
    ("deregister_worker", "is about a worker, whose runs may be of all"),
    ("begin_pruning", "is done by one worker for all"),
    ("prune", "is done by one worker for all"),
    ("prunable", "tells what `prune` would do"),
];

pub async fn nothing_is_seen_or_changed_from_another_workspace(test_store: TestStore) {
    let boundary = Boundary::of(World::pipeline(test_store).await).await;

    control(&boundary).await;
    poll(&boundary, &["m1", "m2", "m3", "m4", "m5"]).await;
    succeed(&boundary, "m1").await;
    fail(&boundary, "m2").await;
    capture(&boundary, "m3").await;
    park(&boundary, "m4").await;
    doubt(&boundary, "m5").await;
    look(&boundary).await;
    settle(&boundary, "m4").await;
    set(&boundary).await;

    let tried = boundary.tried();
    let untried: BTreeSet<_> = METHODS.iter().filter(|name| !tried.contains(**name)).collect();
    assert_eq!(untried, OF_THE_WHOLE_INSTANCE.iter().map(|(name, _)| name).collect());
}

/// What a person does with a workflow.
async fn control(boundary: &Boundary) {
    let inside = &boundary.inside;
    let script = inside.save("mail", "// 1.1", pipeline(), Bump::Minor).await.script.id;
    boundary.refused(async |world| world.activate(script).await).await;
    inside.drain().await;
    boundary.refused(async |world| world.control(Action::Pause).await).await;
    boundary.refused(async |world| world.control(Action::Resume).await).await;
    let route = async |world: &World| {
        let params = RouteWorkflow {
            workspace: world.workspace,
            workflow: world.workflow,
            label: None,
            priority: 5,
            actor: "ada".to_owned(),
        };
        world.store.route_workflow(params).await
    };
    boundary.refused(route).await;
    inside.advance(seconds(1));
    boundary.refused(async |world| world.start_session().await).await;
}

/// A worker takes a producer's run, keeps it and commits it.
async fn poll(boundary: &Boundary, mails: &[&str]) {
    let of_workspace = async |world: &World| {
        let filter = ClaimFilter { workspace: Some(world.workspace), ..ClaimFilter::default() };
        Ok(world.claims_from(ClaimScope::Matching(filter), 1).await)
    };
    let run = boundary.unseen(of_workspace).await.remove(0);
    let filter =
        ClaimFilter { workspace: Some(boundary.inside.workspace), ..ClaimFilter::default() };
    let heartbeat = async |world: &World| {
        let (worker, ended) = (worker_info(world.worker, filter.clone()), EndedRuns::default());
        let claims = vec![claim_by(world, &run)];
        world.store.heartbeat(Heartbeat { worker, claims, lease: LEASE * 2, ended }).await
    };
    // The worker itself is known already: only its lease is at stake.
    let claims = vec![Claim { fence: 0, ..run.claim }];
    let worker = worker_info(boundary.inside.worker, filter.clone());
    let known = Heartbeat { worker, claims, lease: LEASE, ended: EndedRuns::default() };
    assert_eq!(boundary.inside.store.heartbeat(known).await.unwrap(), LeaseRenewal::default());
    boundary.unseen(heartbeat).await;
    let inputs: Vec<_> = mails.iter().map(|mail| boundary.inside.input(mail)).collect();
    let events: Vec<_> = mails
        .iter()
        .zip(&inputs)
        .map(|(mail, input)| NewEvent { caused_by: vec![input.id], ..event("mail", mail) })
        .collect();
    let commit = async |world: &World| {
        world.commit_producer(&seen_by(world, &run), &inputs, events.clone()).await
    };
    boundary.refused(commit).await;
}

/// An effect happens, and says so to a person.
async fn succeed(boundary: &Boundary, mail: &str) {
    let (run, mutation) = boundary.mutating(mail).await;
    boundary.refused(async |world| world.apply(claim_by(world, &run), mutation).await).await;
    let tell = async |world: &World| {
        let params = ScriptMessage {
            workspace: world.workspace,
            workflow: world.workflow,
            mutation,
            title: "a large amount".to_owned(),
            body: "1,200 EUR".to_owned(),
        };
        world.store.add_message(params).await
    };
    boundary.refused(tell).await;
    let is_told = async |world: &World| world.store.has_message(world.workspace, mutation).await;
    boundary.unseen(is_told).await;
    let commit = async |world: &World| world.commit(&seen_by(world, &run), Vec::new()).await;
    boundary.refused(commit).await;
}

/// An effect is refused, and another run stops before it has one.
async fn fail(boundary: &Boundary, mail: &str) {
    let (run, mutation) = boundary.mutating(mail).await;
    let fail = async |world: &World| {
        world.fail(claim_by(world, &run), mutation, FailureClass::Network).await
    };
    boundary.refused(fail).await;
    boundary.inside.control(Action::Pause).await.unwrap();
    boundary.inside.control(Action::Resume).await.unwrap();
    let run = boundary.reserve(mail).await;
    let stop =
        async |world: &World| world.stop(&seen_by(world, &run), None, FailureClass::Network).await;
    boundary.refused(stop).await;
    boundary.inside.control(Action::Pause).await.unwrap();
    boundary.inside.control(Action::Resume).await.unwrap();
}

/// An effect is only rehearsed.
async fn capture(boundary: &Boundary, mail: &str) {
    let (run, _) = boundary.mutating(mail).await;
    let capture = async |world: &World| {
        let params = CaptureMutation { claim: claim_by(world, &run), result: json!({}) };
        world.store.capture_mutation(params).await
    };
    boundary.refused(capture).await;
    boundary.inside.commit(&run, Vec::new()).await.unwrap();
}

/// An event is taken out of the way.
async fn park(boundary: &Boundary, mail: &str) {
    for _ in 0..5 {
        boundary.inside.reserve(&[mail]).await;
        boundary.inside.crash().await;
    }
    assert_eq!(boundary.inside.event("mail", mail).await.status, EventStatus::Parked);
}

/// An effect is in doubt, looked up in vain, and settled by a person.
async fn doubt(boundary: &Boundary, mail: &str) {
    let (run, mutation) = boundary.mutating(mail).await;
    let doubt = async |world: &World| {
        let (claim, failure) = (claim_by(world, &run), Failure::network("the answer was lost"));
        let looked_up = Some(std::time::Duration::ZERO);
        world.store.doubt_mutation(DoubtMutation { claim, mutation, failure, looked_up }).await
    };
    boundary.refused(doubt).await;
    let claim = async |world: &World| {
        let of = Some((world.workspace, world.workflow));
        world.store.claim_lookups(ClaimLookups { of, limit: 10, time: seconds(60) }).await
    };
    let attempt = boundary.unseen(claim).await[0].mutation.reconcile_attempts;
    let find = async |world: &World, finding| {
        let workspace = world.workspace;
        world.store.settle_lookup(SettleLookup { workspace, mutation, attempt, finding }).await
    };
    let found = find(&boundary.outside, LookupResult::Applied(json!({}))).await;
    assert!(matches!(found, Err(StoreError::NotFound { .. })), "{found:?}");
    let in_vain = || LookupResult::Unknown(Failure::network("no answer"));
    boundary.refused(async |world| find(world, in_vain()).await).await;
    boundary.refused(async |world| world.resolve(mutation, ResolutionKind::Happened).await).await;
    let run = boundary.take("record").await;
    boundary.inside.commit(&run, Vec::new()).await.unwrap();
}

/// A person decides about the event that was taken out of the way.
async fn settle(boundary: &Boundary, mail: &str) {
    let event = boundary.inside.event("mail", mail).await.id;
    let settle = async |world: &World| {
        let (actor, reason) = ("ada".to_owned(), None);
        let (workspace, fate) = (world.workspace, ParkedEventAction::Skip);
        world.store.settle_event(SettleEvent { workspace, event, fate, actor, reason }).await
    };
    boundary.refused(settle).await;
}

/// What bears the name of the workspace itself is that of each workspace.
async fn set(boundary: &Boundary) {
    let save = async |world: &World| {
        world.save("mail", "// another", pipeline(), Bump::Major).await;
        Ok(())
    };
    boundary.apart(save).await;
    let limit = async |world: &World| set_limit(world, "b.example").await;
    boundary.apart(limit).await;
}

async fn set_limit(world: &World, host: &str) -> Result<()> {
    let params = SetLimit {
        workspace: world.workspace,
        key: LimitKey::Host(host.to_owned()),
        limit: Some(RunLimit { at_once: Some(1), rate: None }),
        actor: "ada".to_owned(),
    };
    world.store.set_limit(params).await
}

/// Everything can be looked at inside, and nothing outside.
async fn look(boundary: &Boundary) {
    set_limit(&boundary.inside, "a.example").await.unwrap();
    look_at_workspace(boundary).await;
    look_at_workflow(boundary).await;
    look_at_things(boundary).await;
}

async fn look_at_workspace(boundary: &Boundary) {
    boundary.unseen(async |world| world.store.workflows(world.workspace).await).await;
    boundary.unseen(async |world| world.store.limits(world.workspace).await).await;
    boundary.unseen(async |world| world.store.workers(Some(world.workspace)).await).await;
    boundary.unseen(async |world| world.store.notifications(world.workspace).await).await;
    boundary.refused(async |world| world.store.find_workflow(world.workspace, "mail").await).await;
}

async fn look_at_workflow(boundary: &Boundary) {
    let looks = async |World { store, workspace, workflow, .. }: &World| {
        store.overview(*workspace, *workflow).await
    };
    boundary.refused(looks).await;
    let looks = async |World { store, workspace, workflow, .. }: &World| {
        Ok((
            store.scripts(*workspace, *workflow).await?.len(),
            store.handlers(*workspace, *workflow).await?.len(),
            store.inputs(*workspace, *workflow).await?.len(),
            store.mutations(*workspace, *workflow).await?.len(),
            store.journal(*workspace, *workflow).await?.len(),
            store.journal_for(*workspace, *workflow, &workflow.to_string()).await?.len(),
        ))
    };
    let found = boundary.unseen(looks).await;
    assert!(found.0 > 0 && found.1 > 0 && found.2 > 0, "{found:?}");
    assert!(found.3 > 0 && found.4 > 0 && found.5 > 0, "{found:?}");
    boundary.unseen(async |world| world.store.events(all_events(world)).await).await;
    let all_runs = async |World { store, workspace, workflow, .. }: &World| {
        let (workspace, workflow) = (*workspace, *workflow);
        store.runs(RunFilter { workspace, workflow, session: None, limit: 100 }).await
    };
    boundary.unseen(all_runs).await;
    let key = async |world: &World| {
        world.store.find_input(world.input_key(["Mail", "message", "m1"])).await
    };
    boundary.unseen(key).await;
}

async fn look_at_things(boundary: &Boundary) {
    let inside = &boundary.inside;
    let mutation =
        inside.store.mutations(inside.workspace, inside.workflow).await.unwrap().remove(0);
    let run = inside.run(mutation.handler_run_id).await;
    let (event, input) = (inside.event("mail", "m1").await.id, mutation.inputs[0]);
    let (workflow, script, session) = (inside.workflow, run.script_id, run.session_id);
    let notice = inside.store.notifications(inside.workspace).await.unwrap()[0].id;
    let (run, mutation) = (run.id, mutation.id);

    boundary.refused(async |world| world.store.script(world.workspace, script).await).await;
    boundary.refused(async |world| world.store.event(world.workspace, event).await).await;
    boundary.refused(async |world| world.store.input(world.workspace, input).await).await;
    boundary.refused(async |world| world.store.mutation(world.workspace, mutation).await).await;
    boundary.refused(async |world| world.store.run(world.workspace, run).await).await;
    boundary.refused(async |world| world.store.session(world.workspace, session).await).await;
    boundary.unseen(async |world| world.store.logs(logs_of(world, run)).await).await;
    for (id, expected) in [
        (workflow.to_string(), AnyId::Workflow(workflow)),
        (script.to_string(), AnyId::Script(script)),
        (event.to_string(), AnyId::Event(event)),
        (input.to_string(), AnyId::Input(input)),
        (run.to_string(), AnyId::Run(run)),
        (mutation.to_string(), AnyId::Mutation(mutation)),
        (session.to_string(), AnyId::Session(session)),
        (notice.to_string(), AnyId::Notification(notice)),
    ] {
        let resolve = async |world: &World| world.store.resolve_id(world.workspace, &id).await;
        assert_eq!(boundary.refused(resolve).await, expected);
    }
}

pub async fn what_a_foreign_worker_knows_too_late_is_no_evidence(test_store: TestStore) {
    let boundary = Boundary::of(World::with_mails(test_store, &["m1"]).await).await;
    let (run, mutation) = boundary.inside.mutating(&["m1"]).await;
    boundary.inside.crash().await;
    let before = everything(&boundary.inside).await;

    let claim = claim_by(&boundary.outside, &run);
    let answers = [
        boundary.outside.apply(claim, mutation).await,
        boundary.outside.fail(claim, mutation, FailureClass::Logic).await,
        boundary.outside.doubt(claim, mutation).await,
    ];

    for answer in answers {
        assert!(matches!(answer, Err(StoreError::ClaimLost { .. })), "{answer:?}");
    }
    assert_eq!(everything(&boundary.inside).await, before);
}

pub async fn a_message_is_of_the_workflow_whose_mutation_sends_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.mutating(&["m1"]).await;
    let other = world.deploy("other", pipeline()).await;

    let params = ScriptMessage {
        workspace: other.workspace,
        workflow: other.workflow,
        mutation,
        title: "from elsewhere".to_owned(),
        body: String::new(),
    };
    let refused = other.store.add_message(params).await;

    assert!(matches!(refused, Err(StoreError::NotFound { what: "mutation", .. })), "{refused:?}");
    assert_eq!(world.notices().await, []);
}
