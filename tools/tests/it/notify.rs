//! `User.notify`.

use std::sync::atomic::Ordering;

use serde_json::json;
use windlass_core::{FailureClass, LookupResult, Sent};

use crate::world::{ABSENT, World};

#[tokio::test]
async fn a_notification_is_kept_under_its_mutation() {
    let world = World::new();

    let answer = world.ok("User.notify", json!({"title": "A big one", "text": "1200 EUR"})).await;

    assert_eq!(answer, json!({"notified": true}));
    let kept = world.notifications.kept.lock().unwrap();
    assert_eq!((kept[0].title.as_str(), kept[0].text.as_str()), ("A big one", "1200 EUR"));
    assert_eq!(kept[0].mutation, world.mutation);
}

#[tokio::test]
async fn a_notification_whose_keeping_is_unknown_is_in_doubt_and_can_be_looked_up() {
    let world = World::new();
    let input = json!({"title": "A big one", "text": "1200 EUR"});
    assert!(world.can_reconcile("User.notify", &input));
    assert_eq!(world.reconcile("User.notify", input.clone()).await, ABSENT);
    world.notifications.loses_answers.store(true, Ordering::SeqCst);

    let error = world.call("User.notify", input.clone()).await.unwrap_err();

    assert_eq!((error.sent, error.failure.class), (Sent::Maybe, FailureClass::Network));
    let found = world.reconcile("User.notify", input).await;
    assert_eq!(found, LookupResult::Applied(json!({"notified": true})));
}

#[tokio::test]
async fn a_notification_has_a_title() {
    let failure =
        World::new().refusal("User.notify", json!({"title": "", "text": "1200 EUR"})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("`title`"), "{failure}");
}
