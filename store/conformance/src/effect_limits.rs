//! What one workflow may do: poisoned events, effects in an hour, doubts in an hour.

use serde_json::json;
use windlass_core::{Action, Capability, EventStatus, FailureClass, Grant, LookupResult, Phase};
use windlass_store::{
    Bump, EventAction, NotificationKind, Result, SaveScript, SettleEvent, StoreError,
};

use crate::builders::MUTATIONS_PER_HOUR;
use crate::world::{TestStore, World, pipeline, seconds};

/// Loses the worker of a run that has reserved `mails`, so many times.
async fn lose(world: &World, mails: &[&str], times: u32) {
    for _ in 0..times {
        world.reserve(mails).await;
        world.crash().await;
    }
}

async fn settle(world: &World, action: EventAction) -> Result<windlass_store::Event> {
    let event = world.event("mail", "m1").await.id;
    let params = SettleEvent {
        workspace: world.workspace,
        event,
        action,
        actor: "ada".to_owned(),
        reason: None,
    };
    world.store.settle_event(params).await
}

pub async fn an_event_that_goes_wrong_again_and_again_is_parked(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    lose(&world, &["m1"], 4).await;
    assert_eq!(world.event("mail", "m1").await.status, EventStatus::Pending);
    lose(&world, &["m1"], 1).await;

    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.blamed), (EventStatus::Parked, 5));
    assert!(event.blamed_for.is_some());
    let notices = world.open_notifications().await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].kind, NotificationKind::EventParked);
    assert!(notices[0].body.contains(&event.id.to_string()), "{}", notices[0].body);
    let run = world.reserve(&["m2"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    assert_eq!(world.event("mail", "m2").await.status, EventStatus::Consumed, "others go on");
}

pub async fn an_outage_parks_nothing(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;

    for _ in 0..6 {
        let run = world.reserve(&["m1"]).await;
        world.stop(&run, Some(Phase::Mutating), FailureClass::Network).await.unwrap();
        world.control(Action::Pause).await.unwrap();
        world.control(Action::Resume).await.unwrap();
    }

    let event = world.event("mail", "m1").await;
    assert_eq!((event.status, event.attempt_number, event.blamed), (EventStatus::Pending, 7, 0));
}

pub async fn a_parked_event_is_put_back_by_a_person(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    lose(&world, &["m1"], 5).await;
    world.drain().await;

    let event = settle(&world, EventAction::PutBack).await.unwrap();

    assert_eq!((event.status, event.blamed), (EventStatus::Pending, 0));
    assert_eq!(world.open_notifications().await, []);
    let run = world.reserve(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    let refused = settle(&world, EventAction::PutBack).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotNow { .. }), "{refused}");
}

pub async fn a_workflow_that_loses_every_worker_waits_for_a_person(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    for _ in 0..9 {
        world.claim().await.unwrap();
        world.crash().await;
    }
    assert_eq!(world.current().await.error, None);
    world.claim().await.unwrap();
    world.crash().await;

    let seen = world.current().await;
    assert_eq!(seen.error_class, Some(FailureClass::Internal));
    assert!(seen.error.unwrap().starts_with("10 workers in a row"));
    assert_eq!(world.claim().await, None);
    assert_eq!(world.open_notifications().await.len(), 1);
    world.control(Action::Resume).await.unwrap();
    world.claim().await.unwrap();
    world.crash().await;
    assert_eq!(world.current().await.error, None, "a person begins a new row");
}

pub async fn a_run_that_ends_resets_the_count_of_lost_runs(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;

    for _ in 0..4 {
        world.claim().await.unwrap();
        world.crash().await;
    }
    let run = world.reserve(&["m1"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
    world.start_session().await.unwrap();
    for _ in 0..9 {
        world.claim().await.unwrap();
        world.crash().await;
    }

    assert_eq!(world.current().await.error, None);
}

pub async fn a_parked_event_is_skipped_by_a_person(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    lose(&world, &["m1"], 5).await;
    world.drain().await;

    let event = settle(&world, EventAction::Skip).await.unwrap();

    assert_eq!(event.status, EventStatus::Skipped);
    assert_eq!(world.claim().await, None);
    let entry =
        world.store.all_journal(world.workspace, world.workflow).await.unwrap().pop().unwrap();
    assert_eq!((entry.actor.as_str(), entry.action.as_str()), ("ada", "event.skipped"));
}

pub async fn an_hour_has_so_many_mutations(test_store: TestStore) {
    let mails: Vec<String> = (0..=MUTATIONS_PER_HOUR).map(|nth| format!("m{nth}")).collect();
    let mails: Vec<&str> = mails.iter().map(String::as_str).collect();
    let world = World::with_mails(test_store, &mails).await;

    for mail in &mails[1..] {
        let (run, _) = world.mutated(&[mail]).await;
        world.commit(&run, Vec::new()).await.unwrap();
    }

    assert_eq!(world.claim().await, None, "its consumers wait");
    world.advance(seconds(300));
    let poll = world.take("poll").await;
    world.commit_producer(&poll, &[], Vec::new()).await.unwrap();
    world.advance(seconds(3_301));
    let (run, _) = world.mutated(&["m0"]).await;
    world.commit(&run, Vec::new()).await.unwrap();
}

pub async fn too_many_doubts_open_the_circuit_until_a_person_looks(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1", "m2"]).await;

    for nth in 1..=5 {
        let (_, mutation) = world.looked_up(&["m1"]).await;
        assert_eq!(world.open_notifications().await, [], "doubt {nth}");
        let absent = LookupResult::Absent { counts_after: seconds(0) };
        world.find(mutation, absent).await.unwrap();
    }

    let workflow = world.current().await;
    assert_eq!(workflow.error_class, Some(FailureClass::Permission));
    assert_eq!(world.open_notifications().await[0].kind, NotificationKind::Error);
    assert_eq!(world.claim().await, None);
    world.control(Action::Resume).await.unwrap();
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.find(mutation, LookupResult::Applied(json!({}))).await.unwrap();
    assert_eq!(world.current().await.error, None, "the count began anew");
}

pub async fn a_repair_is_granted_no_more_than_what_it_repairs(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let grant = |tools: &[&str]| -> Grant {
        tools.iter().map(|tool| tool.parse::<Capability>().unwrap()).collect()
    };
    let save = |source: &str, tools: &[&str], bump| {
        world.store.save_script(SaveScript {
            workspace: world.workspace,
            name: "granted".to_owned(),
            file_name: "granted.js".to_owned(),
            source: source.to_owned(),
            manifest: pipeline(),
            grant: grant(tools),
            comment: String::new(),
            bump,
            actor: "ada".to_owned(),
        })
    };
    let first =
        save("// 1", &["Files.append", "Http.post:a.example.com"], Bump::Major).await.unwrap();
    assert_eq!(first.script.grant, grant(&["Files.append", "Http.post:a.example.com"]));

    let wider = save("// 2", &["Files.append", "Http.post"], Bump::Minor).await.unwrap_err();
    let narrower = save("// 2", &["Http.post:a.example.com"], Bump::Minor).await.unwrap();
    let planned = save("// 3", &["Http.post"], Bump::Major).await.unwrap();
    let same_text = save("// 3", &["Http.get"], Bump::Major).await.unwrap();

    assert!(
        matches!(&wider, StoreError::NotNow { what, .. } if what.contains("`Http.post`")),
        "{wider}"
    );
    assert_eq!(narrower.script.version(), "1.1");
    assert_eq!(planned.script.version(), "2.0");
    assert_eq!((same_text.script.version().as_str(), same_text.is_new), ("3.0", true));
}
