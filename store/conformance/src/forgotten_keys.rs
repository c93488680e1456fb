//! Requests that are sent again to look them up, which a service takes for new ones once it has forgotten their keys.

use std::time::Duration;

use windlass_core::{
    Clock as _, Failure, FailureClass, LookupResult, MutationStatus, ResolutionKind,
};
use windlass_store::{ClockRun, NotificationKind};

use crate::world::{TestStore, World, seconds};

const ABSENT: LookupResult = LookupResult::Absent { counts_after: Duration::ZERO };

pub async fn a_look_up_that_cannot_be_made_any_more_asks_a_person_at_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    let too_late = LookupResult::Impossible(Failure::network("the service has forgotten it"));

    let status = world.find(mutation, too_late).await.unwrap();

    assert_eq!(status, MutationStatus::Indeterminate);
    let notices = world.open_notifications().await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].kind, NotificationKind::MutationInDoubt);
    assert!(notices[0].body.contains("the service has forgotten it"), "{notices:?}");
}

pub async fn two_attempts_of_one_number_give_up_once(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.looked_up(&["m1"]).await;
    let too_late = LookupResult::Impossible(Failure::network("the service has forgotten it"));
    world.advance(seconds(3_600));
    assert_eq!(world.due_lookups().await.len(), 1);
    world.resolve(mutation, ResolutionKind::TryAgain).await.unwrap();
    assert_eq!(world.due_lookups().await.len(), 1);

    for finding in [too_late.clone(), too_late, LookupResult::Unknown(Failure::network("silent"))] {
        let status = world.find(mutation, finding).await.unwrap();

        assert_eq!(status, MutationStatus::Indeterminate);
    }
    assert_eq!(world.open_notifications().await.len(), 1);
}

pub async fn the_age_of_a_key_counts_from_the_first_request_that_had_it(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, first) = world.looked_up(&["m1"]).await;
    world.advance(seconds(1_000));
    assert_eq!(world.due_lookups().await[0].key_age, Some(seconds(1_000)));
    world.find(first, ABSENT).await.unwrap();

    let run = world.reserve(&["m1"]).await;
    let second = world.begun_as(&run, true).await;
    assert_eq!(second.key_age, Some(seconds(1_000)), "it has the same key");
    world.advance(seconds(500));
    world.crash().await;

    let due = world.due_lookups().await.remove(0);
    assert_eq!((due.mutation.id, due.key_age), (second.id, Some(seconds(1_500))));
    let from = world.clock.now();
    world.clock.set(from.before(seconds(700)));
    world.report_clock(ClockRun::Back { from }).await;
    world.resolve(second.id, ResolutionKind::TryAgain).await.unwrap();
    assert_eq!(world.due_lookups().await[0].key_age, None, "the clock was set back since");
}

pub async fn a_new_key_is_not_old(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, first) = world.mutating(&["m1"]).await;
    world.fail(run.claim, first, FailureClass::Network).await.unwrap();
    world.advance(seconds(10));

    let run = world.reserve(&["m1"]).await;

    assert_eq!(world.begun_as(&run, true).await.key_age, Some(seconds(0)), "it was refused before");
}
