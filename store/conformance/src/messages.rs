//! What scripts tell a person.

use windlass_core::{Id, MutationId};
use windlass_store::{NotificationKind, ScriptMessage, StoreError};

use crate::world::{TestStore, World, start};

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
