//! What scripts tell a person, and how notifications are sent: through channels, by one worker each, and tried again.

use std::time::Duration;

use windlass_core::{Backoff, FailureClass, Id, MutationId, Phase};
use windlass_store::{
    ClaimDeliveries, DueDelivery, NotificationKind, RecordDelivery, ScriptMessage, StoreError,
};

use crate::world::{TestStore, World, start};

const GROUP: Duration = Duration::from_secs(30);

fn message(world: &World, mutation: MutationId) -> ScriptMessage {
    ScriptMessage {
        workspace: world.workspace,
        workflow: world.workflow,
        mutation,
        title: "a large amount".to_owned(),
        body: "1,200 EUR".to_owned(),
    }
}

pub async fn a_message_is_entered_once_per_mutation(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (run, mutation) = world.mutating(&["m1"]).await;

    world.store.add_message(message(&world, mutation)).await.unwrap();
    world.store.add_message(message(&world, mutation)).await.unwrap();

    let told = world.store.all_notifications(world.workspace).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].kind, told[0].run_id),
        (NotificationKind::ScriptMessage, Some(run.claim.run))
    );
    assert_eq!((told[0].workflow.as_str(), told[0].title.as_str()), ("mail", "a large amount"));
    assert_eq!((told[0].mutation_id, told[0].body.as_str()), (Some(mutation), "1,200 EUR"));
}

pub async fn a_message_needs_a_mutation_that_sends_it(test_store: TestStore) {
    let world = World::pipeline(test_store).await;

    let refused = world.store.add_message(message(&world, MutationId::mint(start()))).await;

    assert!(matches!(refused, Err(StoreError::NotFound { what: "mutation", .. })), "{refused:?}");
    assert_eq!(world.open_notifications().await, []);
}

pub async fn resuming_leaves_messages_unread(test_store: TestStore) {
    let world = World::with_mails(test_store, &["m1"]).await;
    let (_, mutation) = world.mutating(&["m1"]).await;
    world.store.add_message(message(&world, mutation)).await.unwrap();

    world.control(windlass_core::Action::Resume).await.unwrap();

    assert_eq!(world.open_notifications().await.len(), 1);
}

/// A workflow that has stopped, so that a person is to be told.
async fn stopped(test_store: TestStore) -> World {
    let world = World::with_mails(test_store, &["m1"]).await;
    let run = world.claim().await.unwrap();
    world.stop(&run, Some(Phase::Preparing), FailureClass::Auth).await.unwrap();
    world
}

async fn claim(world: &World, channel: &str) -> Vec<DueDelivery> {
    let retry = Backoff { base_ms: 60_000, cap_ms: 3_600_000, tries: 2, jitter_percent: 0 };
    let params = ClaimDeliveries { channel: channel.to_owned(), group: GROUP, retry, limit: 10 };
    world.store.claim_deliveries(params).await.unwrap()
}

async fn record(world: &World, due: &DueDelivery, error: Option<&str>) {
    let params = RecordDelivery {
        notification: due.notification.id,
        channel: "mail".to_owned(),
        error: error.map(str::to_owned),
    };
    world.store.record_delivery(params).await.unwrap();
}

pub async fn a_notification_waits_for_others_and_is_sent_once_per_channel(test_store: TestStore) {
    let world = stopped(test_store).await;

    assert_eq!(claim(&world, "mail").await, [], "it waits for others");
    world.advance(GROUP);
    let due = claim(&world, "mail").await;
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].attempt, due[0].notification.workflow.as_str()), (1, "mail"));
    assert_eq!(claim(&world, "mail").await, [], "one worker has it");
    record(&world, &due[0], None).await;
    world.advance(Duration::from_secs(86_400));

    assert_eq!(claim(&world, "mail").await, []);
    assert_eq!(claim(&world, "http").await, [], "another channel begins anew");
    world.advance(GROUP);
    assert_eq!(claim(&world, "http").await.len(), 1);
    let deliveries = world.store.deliveries(world.workspace, 10).await.unwrap();
    let sent: Vec<_> = deliveries.iter().filter(|it| it.sent_at.is_some()).collect();
    assert_eq!((sent.len(), sent[0].channel.as_str(), sent[0].attempts), (1, "mail", 1));
}

pub async fn a_failed_delivery_is_tried_again_and_given_up_in_the_end(test_store: TestStore) {
    let world = stopped(test_store).await;
    claim(&world, "mail").await;
    world.advance(GROUP);

    for attempt in 1..=3 {
        let due = claim(&world, "mail").await;
        assert_eq!(due.iter().map(|it| it.attempt).collect::<Vec<_>>(), [attempt]);
        record(&world, &due[0], Some("no route")).await;
        world.advance(Duration::from_secs(119 * u64::from(attempt)));
    }

    world.advance(Duration::from_secs(86_400));
    assert_eq!(claim(&world, "mail").await, []);
    let deliveries = world.store.deliveries(world.workspace, 10).await.unwrap();
    assert_eq!(deliveries[0].attempts, 3);
    assert_eq!((deliveries[0].next_attempt_at, deliveries[0].sent_at), (None, None));
    assert_eq!(deliveries[0].error.as_deref(), Some("no route"));
}
