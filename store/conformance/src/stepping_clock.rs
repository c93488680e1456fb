//! A clock that somebody sets: nothing ends early, and nothing waits until the clock has caught up.

use std::time::Duration;

use windlass_core::{
    Clock, Failure, LimitKey, LookupResult, MutationStatus, ResolutionKind, RunLimit, Status,
    Timestamp,
};
use windlass_store::{ClockRun, EndedLeases, SetLimit};

use crate::world::{LEASE, TestStore, World, pipeline, seconds, start};

/// So far the clock is set.
const STEP: Duration = Duration::from_secs(3_600);

fn set_back(world: &World, by: Duration) {
    world.clock.set(world.clock.now().before(by));
}

/// The latest time that it can be by the clock of a worker that saw no step.
fn latest_of(at: Timestamp) -> EndedLeases {
    EndedLeases::By { latest: at, except: Vec::new() }
}

pub async fn a_worker_does_not_recover_a_run_that_it_executes(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    world.advance(STEP);
    let latest = world.clock.now();

    let except = vec![run.claim.run];
    assert_eq!(world.recover_ended(EndedLeases::By { latest, except }).await, []);

    assert_eq!(world.run(run.claim.run).await.status, Status::Active);
    assert_eq!(world.recover_ended(latest_of(latest)).await.len(), 1);
}

pub async fn a_lease_has_not_ended_before_the_caller_says_so_too(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    let before = world.clock.now();
    world.advance(STEP);

    assert_eq!(world.recover_ended(latest_of(before.after(seconds(1)))).await, []);
    assert_eq!(world.recover_ended(EndedLeases::None).await, []);

    assert_eq!(world.heartbeat(&[run.claim]).await, [run.claim.run]);
    world.advance(LEASE);
    assert_eq!(world.recover_ended(latest_of(world.clock.now())).await.len(), 1);
}

pub async fn a_dead_workers_runs_are_recovered_whatever_the_clock_says(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.reserve(&["m1"]).await;

    assert_eq!(world.crash().await.len(), 1);
}

pub async fn every_worker_hears_of_a_step(test_store: TestStore) {
    let world = World::pipeline(test_store).await;
    let even = world.report_clock(ClockRun::Unknown).await;
    assert_eq!((even.at, even.clock_stepped_at), (world.clock.now(), None));

    world.report_clock(ClockRun::Forward).await;
    let stepped_at = world.clock.now();
    world.advance(seconds(7));

    let heard = world.report_clock(ClockRun::Even).await;
    assert_eq!(
        (heard.at, heard.clock_stepped_at),
        (stepped_at.after(seconds(7)), Some(stepped_at))
    );
    set_back(&world, STEP);
    let heard = world.report_clock(ClockRun::Even).await;
    assert_eq!(heard.clock_stepped_at, None, "that moment has not come yet");
}

pub async fn a_missing_effect_proves_nothing_until_its_time_has_passed_since_a_step(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    let absent = LookupResult::Absent { counts_after: seconds(60) };
    world.advance(STEP);
    world.report_clock(ClockRun::Forward).await;

    world.advance(seconds(10));
    assert_eq!(world.due_lookups().await.len(), 1);
    let too_early = world.find(mutation, absent.clone()).await.unwrap();
    world.advance(seconds(50));
    assert_eq!(world.due_lookups().await.len(), 1);
    let in_time = world.find(mutation, absent).await.unwrap();

    assert_eq!((too_early, in_time), (MutationStatus::NeedsReconcile, MutationStatus::Failed));
}

pub async fn a_missing_effect_proves_nothing_while_nobody_has_reported_that_the_clock_went_back(
    test_store: TestStore,
) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    let absent = LookupResult::Absent { counts_after: seconds(60) };
    world.advance(STEP);
    world.report_clock(ClockRun::Forward).await;
    assert_eq!(world.due_lookups().await.len(), 1);
    let ahead = world.clock.now();

    // The request still seems older than a minute.
    set_back(&world, STEP / 2);
    let hidden = world.find(mutation, absent.clone()).await.unwrap();
    world.report_clock(ClockRun::Back { from: ahead }).await;
    world.advance(seconds(60));
    assert_eq!(world.due_lookups().await.len(), 1);
    let in_time = world.find(mutation, absent).await.unwrap();

    assert_eq!((hidden, in_time), (MutationStatus::NeedsReconcile, MutationStatus::Failed));
}

pub async fn what_waits_for_a_moment_ahead_is_due_when_the_clock_is_set_back(
    test_store: TestStore,
) {
    let world = World::pipeline(test_store).await;
    world.drain().await;
    assert_eq!(world.next_due().await, Some(seconds(300)));
    set_back(&world, STEP);
    assert_eq!(world.next_due().await, Some(STEP + seconds(300)), "nobody has noticed it yet");
    let known = world.store.latest_change().await.unwrap().unwrap();
    assert_eq!(known, world.clock.now().after(STEP));

    world.report_clock(ClockRun::Unknown).await;

    assert_eq!(world.next_due().await, Some(seconds(0)));
    world.drain().await;
    assert_eq!(world.next_due().await, Some(seconds(300)), "and from then on as before");
    world.report_clock(ClockRun::Unknown).await;
    assert_eq!(world.next_due().await, Some(seconds(300)));
}

pub async fn a_queued_run_does_not_wait_for_the_moment_at_which_it_was_queued(
    test_store: TestStore,
) {
    let world = World::pipeline(test_store).await;
    set_back(&world, STEP);

    assert_eq!(world.next_due().await, Some(seconds(0)));
    assert!(world.claim().await.is_some());
}

pub async fn a_back_off_does_not_outlast_a_clock_that_is_set_back(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.reserve(&["m1"]).await;
    world.stop(&run, None, windlass_core::FailureClass::Network).await.unwrap();
    assert!(world.current().await.backoff_until.is_some());
    let from = world.clock.now();
    set_back(&world, STEP);

    world.report_clock(ClockRun::Back { from }).await;

    world.take("record").await;
}

pub async fn a_lease_from_a_clock_ahead_lasts_for_its_own_length(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    world.heartbeat(&[]).await;
    let run = world.reserve(&["m1"]).await;
    let from = world.clock.now();
    set_back(&world, STEP);

    world.report_clock(ClockRun::Back { from }).await;

    assert_eq!(world.recover().await, [], "its worker may live");
    world.advance(LEASE);
    let recovered = world.recover().await;
    assert_eq!(recovered.iter().map(|it| it.run).collect::<Vec<_>>(), [run.claim.run]);
}

pub async fn an_effect_is_looked_up_though_its_time_is_ahead(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    world.advance(seconds(10));
    assert_eq!(world.due_lookups().await.len(), 1, "its worker dies in the middle of it");
    set_back(&world, STEP);

    world.report_clock(ClockRun::Unknown).await;

    assert_eq!(world.due_lookups().await.len(), 1);
    let in_vain = LookupResult::Unknown(Failure::network("away"));
    world.find(mutation, in_vain).await.unwrap();
    world.resolve(mutation, ResolutionKind::DidNotHappen).await.unwrap();
}

pub async fn a_rate_does_not_outlast_a_clock_that_is_set_back(test_store: TestStore) {
    let world = World::empty(test_store).await.deploy("mail", pipeline()).await;
    let limit = Some(RunLimit { at_once: None, rate: Some("1/1m".parse().unwrap()) });
    let (workspace, actor) = (world.workspace, "ada".to_owned());
    let key = LimitKey::Workflow("mail".to_owned());
    world.store.set_limit(SetLimit { workspace, key, limit, actor }).await.unwrap();
    let first = world.claims(None, 1).await.remove(0);
    world.find_nothing(&first).await;
    assert_eq!(world.claims(None, 1).await, []);

    set_back(&world, STEP);

    assert_eq!(world.claims(None, 1).await.len(), 1);
    assert!(world.clock.now() < start());
}
