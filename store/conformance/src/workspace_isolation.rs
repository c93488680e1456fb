//! Workspaces do not see each other: nothing of one can be read or changed from another, even by someone who knows its ids.

mod credentials;
mod graphs;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Action, Backoff, EventStatus, Failure, FailureClass, LimitKey, LookupResult, ResolutionKind,
    RunLimit,
};
use windlass_store::{
    AnyId, AppendLogs, Bump, CaptureMutation, Claim, ClaimDeliveries, ClaimFilter, ClaimLookups,
    ClaimScope, ClockRun, DoubtMutation, EndedRuns, EventAction, EventSelection, Heartbeat,
    LeaseRenewal, LogFilter, LogSource, NewEvent, Page, ReplaySelection, Result, RouteWorkflow,
    RunFilter, ScriptMessage, SetLimit, SettleEvent, SettleEvents, SettleLookup, StoreError,
    method_names,
};

use crate::isolation::{
    TwoWorkspaces, all_events, as_named_by, claim_as_named_by, everything_visible, logs_of,
};
use crate::world::{LEASE, TestStore, World, event, log, pipeline, seconds, worker_info};

/// The methods that concern all workspaces, and why. `wake_ups` is one too: it tells that something happened, and not what.
const OF_THE_WHOLE_INSTANCE: &[(&str, &str)] = &[
    ("ensure_workspace", "makes a workspace"),
    ("workspaces", "lists the workspaces"),
    ("now", "is the clock"),
    ("latest_change", "is one instant of the whole instance"),
    ("agenda", "is how long a worker of all workspaces may sleep"),
    ("enqueue_due", "is done by any worker for all"),
    ("recover_runs", "is done by any worker for all"),
    ("deregister_worker", "is about a worker, whose runs may be of all"),
    ("claim_deliveries", "is done by any worker for all"),
    ("record_delivery", "tells how what was claimed ended"),
    ("credential", "is shown a secret, which says its workspace"),
    ("note_credential_use", "is about a credential that was shown"),
    ("redeem_sign_in", "is shown a secret, which says its workspace"),
    ("begin_pruning", "is done by one worker for all"),
    ("prune", "is done by one worker for all"),
    ("open_work", "counts for those who watch the whole instance"),
    ("prunable", "tells what `prune` would do"),
];

pub async fn nothing_is_seen_or_changed_from_another_workspace(test_store: TestStore) {
    let both = TwoWorkspaces::of(World::pipeline(test_store).await).await;

    control(&both).await;
    poll(&both, &["m1", "m2", "m3", "m4", "m5"]).await;
    succeed(&both, "m1").await;
    fail(&both, "m2").await;
    capture(&both, "m3").await;
    park(&both, "m4").await;
    doubt(&both, "m5").await;
    query(&both).await;
    settle(&both, "m4").await;
    replay(&both, "m1").await;
    change_same_names(&both).await;
    credentials::are_made_listed_and_ended_in_their_workspace(&both).await;
    graphs::nothing_of_graphs_is_seen_or_changed(&both).await;

    let tried = both.tried();
    let untried: BTreeSet<_> = method_names().filter(|name| !tried.contains(name)).collect();
    assert_eq!(untried, OF_THE_WHOLE_INSTANCE.iter().map(|(name, _)| *name).collect());
}

/// What a person does with a workflow.
async fn control(both: &TwoWorkspaces) {
    let inside = &both.inside;
    let script = inside.save("mail", "// 1.1", pipeline(), Bump::Minor).await.script.id;
    both.refused_outside(async |world| world.activate(script).await).await;
    inside.drain().await;
    both.refused_outside(async |world| world.control(Action::Pause).await).await;
    both.refused_outside(async |world| world.control(Action::Resume).await).await;
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
    both.refused_outside(route).await;
    inside.advance(seconds(1));
    both.refused_outside(async |world| world.start_session().await).await;
}

/// A worker takes a producer's run, keeps it and commits it.
async fn poll(both: &TwoWorkspaces, mails: &[&str]) {
    let of_workspace = async |world: &World| {
        let filter = ClaimFilter { workspace: Some(world.workspace), ..ClaimFilter::default() };
        Ok(world.claims_from(ClaimScope::Matching(filter), 1).await)
    };
    let run = both.empty_outside(of_workspace).await.remove(0);
    let filter = ClaimFilter { workspace: Some(both.inside.workspace), ..ClaimFilter::default() };
    let heartbeat = async |world: &World| {
        let (worker, ended) = (worker_info(world.worker, filter.clone()), EndedRuns::default());
        let claims = vec![claim_as_named_by(world, &run)];
        let heartbeat =
            Heartbeat { worker, claims, lease: LEASE * 2, ended, clock: ClockRun::Even };
        Ok(world.store.heartbeat(heartbeat).await?.leases)
    };
    // The worker itself is known already: only its lease is at stake.
    let claims = vec![Claim { fence: 0, ..run.claim }];
    let worker = worker_info(both.inside.worker, filter.clone());
    let known = Heartbeat {
        worker,
        claims,
        lease: LEASE,
        ended: EndedRuns::default(),
        clock: ClockRun::Even,
    };
    assert_eq!(both.inside.store.heartbeat(known).await.unwrap().leases, LeaseRenewal::default());
    both.empty_outside(heartbeat).await;
    for (world, lost) in [(&both.outside, vec![run.claim.run]), (&both.inside, Vec::new())] {
        let claims = vec![claim_as_named_by(world, &run)];
        assert_eq!(world.store.lost_claims(claims).await.unwrap(), lost);
    }
    let append = async |world: &World| {
        let (claim, lines) = (claim_as_named_by(world, &run), vec![log("polling")]);
        world.store.append_logs(AppendLogs { claim, lines }).await
    };
    both.refused_outside(append).await;
    let of_session = async |world: &World| {
        let (workspace, of) = (world.workspace, LogSource::Session(run.session));
        world.store.all_logs(LogFilter { workspace, of, page: Page::first(10) }).await
    };
    both.empty_outside(of_session).await;
    let inputs: Vec<_> = mails.iter().map(|mail| both.inside.input(mail)).collect();
    let events: Vec<_> = mails
        .iter()
        .zip(&inputs)
        .map(|(mail, input)| NewEvent { caused_by: vec![input.id], ..event("mail", mail) })
        .collect();
    let commit = async |world: &World| {
        world.commit_producer(&as_named_by(world, &run), &inputs, events.clone()).await
    };
    both.refused_outside(commit).await;
}

/// An effect happens, and a message tells a person.
async fn succeed(both: &TwoWorkspaces, mail: &str) {
    let (run, mutation) = both.mutating(mail).await;
    both.refused_outside(async |world| world.apply(claim_as_named_by(world, &run), mutation).await)
        .await;
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
    both.refused_outside(tell).await;
    let is_told = async |world: &World| world.store.has_message(world.workspace, mutation).await;
    both.empty_outside(is_told).await;
    let commit = async |world: &World| world.commit(&as_named_by(world, &run), Vec::new()).await;
    both.refused_outside(commit).await;
}

/// An effect is refused, and another run stops before it has one.
async fn fail(both: &TwoWorkspaces, mail: &str) {
    let (run, mutation) = both.mutating(mail).await;
    let fail = async |world: &World| {
        world.fail(claim_as_named_by(world, &run), mutation, FailureClass::Network).await
    };
    both.refused_outside(fail).await;
    both.inside.control(Action::Pause).await.unwrap();
    both.inside.control(Action::Resume).await.unwrap();
    let run = both.reserve(mail).await;
    let stop = async |world: &World| {
        world.stop(&as_named_by(world, &run), None, FailureClass::Network).await
    };
    both.refused_outside(stop).await;
    both.inside.control(Action::Pause).await.unwrap();
    both.inside.control(Action::Resume).await.unwrap();
}

/// An effect is captured by a dry run.
async fn capture(both: &TwoWorkspaces, mail: &str) {
    let (run, _) = both.mutating(mail).await;
    let capture = async |world: &World| {
        let params = CaptureMutation { claim: claim_as_named_by(world, &run), result: json!({}) };
        world.store.capture_mutation(params).await
    };
    both.refused_outside(capture).await;
    both.inside.commit(&run, Vec::new()).await.unwrap();
}

/// An event is parked.
async fn park(both: &TwoWorkspaces, mail: &str) {
    for _ in 0..5 {
        both.inside.reserve(&[mail]).await;
        both.inside.crash().await;
    }
    assert_eq!(both.inside.event("mail", mail).await.status, EventStatus::Parked);
}

/// An effect is in doubt, looked up in vain, and settled by a person.
async fn doubt(both: &TwoWorkspaces, mail: &str) {
    let (run, mutation) = both.mutating(mail).await;
    let doubt = async |world: &World| {
        let (claim, failure) =
            (claim_as_named_by(world, &run), Failure::network("the answer was lost"));
        let looked_up = Some(Duration::ZERO);
        world.store.doubt_mutation(DoubtMutation { claim, mutation, failure, looked_up }).await
    };
    both.refused_outside(doubt).await;
    let claim = async |world: &World| {
        let of = Some((world.workspace, world.workflow));
        world.store.claim_lookups(ClaimLookups { of, limit: 10, time: seconds(60) }).await
    };
    let attempt = both.empty_outside(claim).await[0].mutation.reconcile_attempts;
    let find = async |world: &World, finding| {
        let workspace = world.workspace;
        world.store.settle_lookup(SettleLookup { workspace, mutation, attempt, finding }).await
    };
    let found = find(&both.outside, LookupResult::Applied(json!({}))).await;
    assert!(matches!(found, Err(StoreError::NotFound { .. })), "{found:?}");
    let in_vain = || LookupResult::Unknown(Failure::network("no answer"));
    both.refused_outside(async |world| find(world, in_vain()).await).await;
    both.refused_outside(async |world| world.resolve(mutation, ResolutionKind::Happened).await)
        .await;
    let run = both.take("record").await;
    both.inside.commit(&run, Vec::new()).await.unwrap();
}

/// A person decides about the parked event.
async fn settle(both: &TwoWorkspaces, mail: &str) {
    let event = both.inside.event("mail", mail).await.id;
    let settle = async |world: &World| {
        let (actor, reason) = ("ada".to_owned(), None);
        let (workspace, action) = (world.workspace, EventAction::Skip);
        world.store.settle_event(SettleEvent { workspace, event, action, actor, reason }).await
    };
    both.refused_outside(settle).await;
    let settle_several = async |world: &World| {
        let (actor, reason) = ("ada".to_owned(), None);
        let (workspace, action) = (world.workspace, EventAction::Skip);
        let selection = EventSelection::Parked(both.inside.workflow);
        let params = SettleEvents { workspace, selection, action, actor, reason };
        world.store.settle_events(params).await
    };
    both.refused_outside(settle_several).await;
}

/// A person has the consumed event processed once more.
async fn replay(both: &TwoWorkspaces, mail: &str) {
    let selection = ReplaySelection::Event(both.inside.event("mail", mail).await.id);
    let look = async |world: &World| world.store.event_rounds(world.workspace, selection).await;
    let of_input = ReplaySelection::Input(both.inside.input_named(mail).await);
    let look_at_input =
        async |world: &World| world.store.event_rounds(world.workspace, of_input).await;
    both.refused_outside(look).await;
    both.refused_outside(look_at_input).await;
    let rounds = both.inside.store.event_rounds(both.inside.workspace, selection).await.unwrap();
    let known: Vec<_> = rounds[0].rounds.iter().filter_map(|round| round.mutation_id).collect();
    both.refused_outside(async |world| world.replay(selection, &known).await).await;
}

/// Scripts and limits of the same name are separate in each workspace.
async fn change_same_names(both: &TwoWorkspaces) {
    let save = async |world: &World| {
        world.save("mail", "// another", pipeline(), Bump::Major).await;
        Ok(())
    };
    both.separate_outside(save).await;
    let limit = async |world: &World| set_limit(world, "b.example").await;
    both.separate_outside(limit).await;
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

/// Everything can be read inside, and nothing outside.
async fn query(both: &TwoWorkspaces) {
    set_limit(&both.inside, "a.example").await.unwrap();
    read_workspace(both).await;
    read_workflow(both).await;
    read_things(both).await;
}

async fn read_workspace(both: &TwoWorkspaces) {
    both.empty_outside(async |world| world.store.all_workflows(world.workspace).await).await;
    both.empty_outside(async |world| world.store.limits(world.workspace).await).await;
    both.empty_outside(async |world| world.store.workers(Some(world.workspace)).await).await;
    both.empty_outside(async |world| world.store.all_notifications(world.workspace).await).await;
    let claim = ClaimDeliveries {
        channel: "mail".to_owned(),
        group: Duration::ZERO,
        retry: Backoff::default(),
        limit: 100,
    };
    both.inside.store.claim_deliveries(claim).await.unwrap();
    both.empty_outside(async |world| world.store.deliveries(world.workspace, 1).await).await;
    both.refused_outside(async |world| world.store.find_workflow(world.workspace, "mail").await)
        .await;
}

async fn read_workflow(both: &TwoWorkspaces) {
    let reads = async |World { store, workspace, workflow, .. }: &World| {
        store.overview(*workspace, *workflow).await
    };
    both.refused_outside(reads).await;
    let reads = async |World { store, workspace, workflow, .. }: &World| {
        Ok((
            store.all_scripts(*workspace, *workflow).await?.len(),
            store.handlers(*workspace, *workflow).await?.len(),
            store.all_inputs(*workspace, *workflow).await?.len(),
            store.all_mutations(*workspace, *workflow).await?.len(),
            store.all_journal(*workspace, *workflow).await?.len(),
            store.all_journal_for(*workspace, *workflow, &workflow.to_string()).await?.len(),
        ))
    };
    let found = both.empty_outside(reads).await;
    assert!(found.0 > 0 && found.1 > 0 && found.2 > 0, "{found:?}");
    assert!(found.3 > 0 && found.4 > 0 && found.5 > 0, "{found:?}");
    both.empty_outside(async |world| world.store.all_events(all_events(world)).await).await;
    let all_runs = async |World { store, workspace, workflow, .. }: &World| {
        let (workspace, workflow) = (*workspace, *workflow);
        store
            .all_runs(RunFilter { workspace, workflow, session: None, page: Page::first(100) })
            .await
    };
    both.empty_outside(all_runs).await;
    let sessions = async |World { store, workspace, workflow, .. }: &World| {
        Ok(store.sessions(*workspace, *workflow, Page::first(100)).await?.items)
    };
    both.empty_outside(sessions).await;
    let key = async |world: &World| {
        world.store.find_input(world.input_key(["Mail", "message", "m1"])).await
    };
    both.empty_outside(key).await;
}

async fn read_things(both: &TwoWorkspaces) {
    let inside = &both.inside;
    let mutation =
        inside.store.all_mutations(inside.workspace, inside.workflow).await.unwrap().remove(0);
    let run = inside.run(mutation.handler_run_id).await;
    let (event, input) = (inside.event("mail", "m1").await.id, mutation.inputs[0]);
    let (workflow, script, session) = (inside.workflow, run.script_id, run.session_id);
    let notice = inside.store.all_notifications(inside.workspace).await.unwrap()[0].id;
    let (run, mutation) = (run.id, mutation.id);

    both.refused_outside(async |world| world.store.script(world.workspace, script).await).await;
    both.refused_outside(async |world| world.store.event(world.workspace, event).await).await;
    both.refused_outside(async |world| world.store.input(world.workspace, input).await).await;
    both.refused_outside(async |world| world.store.mutation(world.workspace, mutation).await).await;
    both.refused_outside(async |world| world.store.run(world.workspace, run).await).await;
    both.refused_outside(async |world| world.store.session(world.workspace, session).await).await;
    both.empty_outside(async |world| world.store.all_logs(logs_of(world, run)).await).await;
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
        assert_eq!(both.refused_outside(resolve).await, expected);
    }
}

pub async fn a_late_answer_from_another_workspace_is_no_evidence(test_store: TestStore) {
    let both = TwoWorkspaces::of(World::with_mails(test_store, &["m1"]).await).await;
    let (run, mutation) = both.inside.mutating(&["m1"]).await;
    both.inside.crash().await;
    let before = everything_visible(&both.inside).await;

    let claim = claim_as_named_by(&both.outside, &run);
    let answers = [
        both.outside.apply(claim, mutation).await,
        both.outside.fail(claim, mutation, FailureClass::Logic).await,
        both.outside.doubt(claim, mutation).await,
    ];

    for answer in answers {
        assert!(matches!(answer, Err(StoreError::ClaimLost { .. })), "{answer:?}");
    }
    assert_eq!(everything_visible(&both.inside).await, before);
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
    assert_eq!(world.open_notifications().await, []);
}
