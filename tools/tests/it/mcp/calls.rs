//! Calls, their answers, and what is known where there is none.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{FailureClass, LookupResult, Sent};
use windlass_scheduler::{Tool, ToolError};

use super::{FIND, Fixture, THINGS};
use crate::commit_points::{Trial, check_commit_point};
use crate::world::{KEY, World};

fn known(error: &ToolError) -> (FailureClass, Sent) {
    assert_eq!(error.failure.service.as_ref().unwrap().name, "mcp things");
    (error.failure.class, error.sent)
}

#[tokio::test]
async fn an_answer_is_its_structure_or_its_text() {
    let fixture = Fixture::things().await;

    let added = fixture.add("lamp", "").await.unwrap();
    let found = fixture.world.ok("Things.findThings", json!({"name": "lamp"})).await;

    let text = format!("added lamp as {KEY}");
    assert_eq!(added, json!({"content": [{"type": "text", "text": text}], "text": text}));
    assert_eq!(found, json!({"things": [{"name": "lamp"}]}));
    fixture.stop().await;
}

#[tokio::test]
async fn a_lost_answer_is_found_by_looking() {
    let fixture = Fixture::things().await;

    let lost = fixture.add("lamp", "die").await.unwrap_err();

    assert_eq!(known(&lost), (FailureClass::Network, Sent::Maybe));
    let input = json!({"name": "lamp"});
    let found = fixture.world.reconcile_as_read("Things.addThing", input).await;
    assert_eq!(found, LookupResult::Applied(json!({"things": [{"name": "lamp"}]})));
    fixture.stop().await;
}

#[tokio::test]
async fn a_request_that_did_nothing_is_proved_to_have_done_nothing() {
    let fixture = Fixture::things().await;

    let lost = fixture.add("lamp", "die first").await.unwrap_err();

    assert_eq!(known(&lost), (FailureClass::Network, Sent::Maybe));
    let found = fixture.world.reconcile("Things.addThing", json!({"name": "lamp"})).await;
    assert_eq!(found, LookupResult::Absent { counts_after: Duration::from_secs(1) });
    fixture.stop().await;
}

#[tokio::test]
async fn only_the_error_that_says_so_is_absence() {
    let fixture = Fixture::things().await;

    let missing = fixture.world.reconcile("Things.addThing", json!({"name": "missing"})).await;
    let unreadable =
        fixture.world.reconcile("Things.addThing", json!({"name": "unreadable"})).await;

    assert_eq!(missing, LookupResult::Absent { counts_after: Duration::from_secs(1) });
    let LookupResult::Unknown(failure) = unreadable else { panic!("{unreadable:?}") };
    assert_eq!(failure.message, "`find_things`: EACCES: cannot look");
    fixture.stop().await;
}

#[tokio::test]
async fn absence_proves_nothing_where_nobody_says_when() {
    let config = format!("{THINGS}{}", FIND.replace("absence_after_s = 1\n", ""));
    let fixture = Fixture::with(&config).await;

    let found = fixture.world.reconcile("Things.addThing", json!({"name": "lamp"})).await;

    assert!(matches!(found, LookupResult::Unknown(_)), "{found:?}");
    fixture.stop().await;
}

#[tokio::test]
async fn what_is_not_configured_cannot_be_looked_up() {
    let fixture = Fixture::with(THINGS).await;

    let input = json!({"name": "lamp", "request_id": "1"});
    assert!(!fixture.world.can_reconcile("Things.addThing", &input));
    let found = fixture.world.reconcile("Things.addThing", input).await;

    assert!(matches!(found, LookupResult::Unknown(_)), "{found:?}");
    fixture.stop().await;
}

#[tokio::test]
async fn an_error_in_an_answer_leaves_a_change_in_doubt() {
    let fixture = Fixture::things().await;

    let error = fixture.add("lamp", "refuse").await.unwrap_err();

    assert_eq!(known(&error), (FailureClass::Logic, Sent::Maybe));
    assert_eq!(error.failure.message, "`add_thing`: no room for lamp");
    fixture.stop().await;
}

#[tokio::test]
async fn an_error_of_a_tool_that_refuses_first_is_definite() {
    let config = format!("{THINGS}{FIND}").replace("key_arg", "errors = \"refused\"\nkey_arg");
    let fixture = Fixture::with(&config).await;

    let error = fixture.add("lamp", "refuse").await.unwrap_err();

    assert_eq!(known(&error), (FailureClass::Logic, Sent::No));
    fixture.stop().await;
}

#[tokio::test]
async fn an_error_of_a_look_is_a_failure_and_no_doubt() {
    let fixture = Fixture::things().await;

    let input = json!({"name": "unreadable"});
    let error = fixture.world.call("Things.findThings", input).await.unwrap_err();

    assert_eq!(known(&error), (FailureClass::Logic, Sent::No));
    fixture.stop().await;
}

#[tokio::test]
async fn a_refused_request_did_nothing_but_a_broken_server_may_have() {
    let fixture = Fixture::things().await;

    let invalid = fixture.add("lamp", "invalid").await.unwrap_err();
    let broken = fixture.add("lamp", "broken").await.unwrap_err();

    assert_eq!(known(&invalid), (FailureClass::Logic, Sent::No));
    assert_eq!(known(&broken), (FailureClass::Internal, Sent::Maybe));
    fixture.stop().await;
}

#[tokio::test]
async fn a_server_that_checks_what_it_answers_may_have_acted_before_it_refuses() {
    let fixture = Fixture::things().await;

    let invalid =
        fixture.world.call("Things.promised", json!({"how": "invalid"})).await.unwrap_err();
    let unstructured = fixture.world.call("Things.promised", json!({})).await.unwrap_err();

    assert_eq!(known(&invalid), (FailureClass::Logic, Sent::Maybe));
    assert_eq!(known(&unstructured), (FailureClass::Internal, Sent::Yes));
    fixture.stop().await;
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for_beyond_its_time() {
    let config = THINGS.to_owned() + "timeout_ms = 1500\n" + FIND;
    let fixture = Fixture::with(&config).await;

    let lost = fixture.add("lamp", "lose").await.unwrap_err();
    let never = fixture.world.call("Things.never", json!({})).await.unwrap_err();

    assert_eq!(known(&lost), (FailureClass::Network, Sent::Maybe));
    assert_eq!(known(&never), (FailureClass::Network, Sent::No));
    assert_eq!(fixture.world.text("things"), "lamp\n");
    fixture.stop().await;
}

#[tokio::test]
async fn an_answer_is_read_as_javascript_reads_it() {
    let fixture = Fixture::things().await;
    let deep =
        format!(r#"{{"content":[],"structuredContent":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let mut told = Vec::new();

    for result in [
        r#"{"content":[{"type":"text","text":"cut \ud83d"}]}"#,
        "{\"content\":[{\"type\":\"text\",\"text\":\"caf\u{e9}\"}]}",
        r#"{"content":[{"type":"new_kind"},{"type":"text","text":"saved"}]}"#,
        &deep,
    ] {
        let answer = fixture.world.ok("Things.answer", json!({ "result": result })).await;
        told.push(answer["text"].as_str().unwrap().to_owned());
    }

    let new_kind = "(a part of the kind `new_kind`, which cannot be read)\nsaved";
    assert_eq!(told, ["cut \u{fffd}", "caf\u{fffd}", new_kind, ""]);
    fixture.stop().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_says_that_it_happened() {
    let fixture = Fixture::things().await;

    for result in ["NaN", r#"{"content":[{"type":"text","text":"a"#, r#""done""#] {
        let error = fixture.world.call("Things.answer", json!({ "result": result })).await;

        let error = error.unwrap_err();
        assert_eq!(known(&error), (FailureClass::Internal, Sent::Yes), "{result}: {error}");
        assert!(error.failure.message.contains("the answer cannot be read"), "{error}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_too_large_harms_no_other() {
    let fixture = Fixture::things().await;

    let large = fixture.world.call("Things.large", json!({})).await.unwrap_err();

    assert_eq!(known(&large), (FailureClass::Internal, Sent::No));
    assert!(large.failure.message.contains("larger than 10 MiB"), "{large}");
    fixture.add("lamp", "").await.unwrap();
    assert_eq!(Fixture::pids(&fixture.stop().await).len(), 1);
}

#[tokio::test]
async fn calls_share_a_connection_and_wait_for_none_but_their_own_answer() {
    let fixture = Fixture::things().await;

    let meet = |name: &str| fixture.world.ok("Things.meet", json!({"name": name}));
    let (one, other) = tokio::join!(meet("one"), meet("other"));

    assert_eq!((&one["text"], &other["text"]), (&json!("one"), &json!("other")));
    assert_eq!(Fixture::pids(&fixture.stop().await).len(), 1);
}

struct OfThings(World);

impl Trial for OfThings {
    fn world(&self) -> &World {
        &self.0
    }

    fn tool(&self) -> Arc<dyn Tool> {
        self.0.tool("Things.addThing")
    }

    fn input(&self, n: usize) -> Value {
        json!({"name": format!("thing {n}")})
    }

    fn n_effects(&self) -> usize {
        std::fs::read_to_string(self.0.path("things")).unwrap_or_default().lines().count()
    }

    /// The server is not ready as long as this file is there.
    fn hold(&self) -> Option<Box<dyn Any>> {
        struct Held(PathBuf);
        impl Drop for Held {
            fn drop(&mut self) {
                std::fs::remove_file(&self.0).unwrap();
            }
        }
        Some(Box::new(Held(self.0.put("hold", ""))))
    }
}

#[tokio::test]
async fn a_call_is_checked_for_before_its_line_goes_into_the_pipe() {
    // The tools are known, and the server is started by the first call.
    let world = Fixture::things().await.stop().await;
    let Fixture { world, connectors } =
        Fixture::again(world, &format!("{THINGS}{FIND}")).await.unwrap();

    let checked = check_commit_point(&OfThings(world)).await;

    connectors.stop().await;
    assert_eq!(checked, Ok(()));
}
