//! What becomes of a request whose answer is lost, where the configuration says how to find it out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use windlass_core::{LookupResult, Sent};

use crate::server::{answering_in_turn, nobody};
use crate::world::{ABSENT, KEY, World};

const CREATED: &str = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 8\r\nconnection: close\r\n\r\n{\"id\":7}";

/// An answer without a body.
fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// An answer of JSON.
fn json_answer(body: &Value) -> String {
    let body = body.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len())
}

struct Scene {
    world: World,
    input: Value,
    got: Arc<Mutex<Vec<String>>>,
}

/// A server that answers so in turn, and a world where its endpoint `/orders` is declared so; `$URL` is the server.
async fn scene(endpoint: &Value, answers: &[String]) -> Scene {
    let (address, got) = answering_in_turn(answers.to_vec()).await;
    let url = format!("http://{address}");
    let mut endpoint: serde_json::Map<_, _> =
        serde_json::from_str(&endpoint.to_string().replace("$URL", &url)).unwrap();
    endpoint.insert("url".to_owned(), json!(format!("{url}/orders")));
    let config = json!({"http": {"allow": [address.to_string()], "endpoints": [endpoint]}});
    let input = json!({"url": format!("{url}/orders"), "body": "END"});
    Scene { world: World::with(&config), input, got }
}

impl Scene {
    /// A change whose answer is lost, and what is found out then.
    async fn lose_and_find_out(&self, name: &str) -> LookupResult {
        let error = self.world.call(name, self.input.clone()).await.unwrap_err();
        assert_eq!(error.sent, Sent::Maybe, "{error}");
        assert!(self.world.can_reconcile(name, &self.input));
        self.world.reconcile(name, self.input.clone()).await
    }

    fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_worker_that_may_not_any_more_does_not_send_a_request_again() {
    let scene = scene(&idempotent(), &[CREATED.to_owned()]).await;

    let found = scene.world.reconcile_if("Http.post", scene.input.clone(), || false).await;

    let LookupResult::Unknown(failure) = found else { panic!("{found:?}") };
    assert!(failure.message.ends_with("nothing was sent"), "{failure}");
    assert_eq!(scene.got(), Vec::<String>::new());
}

fn idempotent() -> Value {
    json!({"idempotent": true})
}

fn by_status() -> Value {
    json!({"look_up": {"url": "$URL/find?key={key}"}})
}

#[tokio::test]
async fn a_lost_answer_is_had_by_sending_the_same_again() {
    for name in ["Http.post", "Http.put", "Http.patch", "Http.delete"] {
        let scene = scene(&idempotent(), &[String::new(), CREATED.to_owned()]).await;

        let found = scene.lose_and_find_out(name).await;

        let LookupResult::Applied(result) = found else { panic!("{name}: {found:?}") };
        assert_eq!((&result["status"], &result["body"]["id"]), (&json!(201), &json!(7)));
        let got = scene.got();
        assert_eq!(got.len(), 2);
        assert_eq!(got[0], got[1], "{name}");
        assert!(got[0].contains(&format!("idempotency-key: {KEY}\r\n")), "{}", got[0]);
    }
}

#[tokio::test]
async fn a_repetition_that_is_refused_for_what_it_says_did_not_happen() {
    for line in ["400 Bad Request", "413 Content Too Large", "415 X", "422 Unprocessable Content"] {
        let scene = scene(&idempotent(), &[String::new(), status(line)]).await;

        assert_eq!(scene.lose_and_find_out("Http.post").await, ABSENT);
    }
}

#[tokio::test]
async fn a_repetition_that_is_refused_for_other_reasons_says_nothing_of_the_first() {
    for line in [
        "", "301 X", "302 X", "401 X", "402 X", "403 X", "404 X", "408 X", "409 X", "410 X",
        "429 X", "500 X", "503 X",
    ] {
        let answer = if line.is_empty() { String::new() } else { status(line) };
        let scene = scene(&idempotent(), &[String::new(), answer]).await;

        let found = scene.lose_and_find_out("Http.delete").await;

        assert!(matches!(found, LookupResult::Unknown(_)), "{line}: {found:?}");
    }
}

#[tokio::test]
async fn a_repetition_that_does_not_get_through_says_nothing_of_the_first() {
    let address = nobody().await;
    let url = format!("http://{address}/orders");
    let endpoints = [json!({"url": url, "idempotent": true})];
    let config = json!({"http": {"allow": [address.to_string()], "endpoints": endpoints}});

    let found = World::with(&config).reconcile("Http.post", json!({"url": url})).await;

    assert!(matches!(found, LookupResult::Unknown(_)), "{found:?}");
}

#[tokio::test]
async fn an_effect_is_asked_for_by_its_key() {
    let scene = scene(&by_status(), &[String::new(), status("200 OK")]).await;

    let found = scene.lose_and_find_out("Http.post").await;

    let LookupResult::Applied(result) = found else { panic!("{found:?}") };
    assert!(result["note"].as_str().unwrap().contains("found instead"), "{result}");
    let got = scene.got();
    assert!(got[1].starts_with(&format!("GET /find?key={KEY} HTTP/1.1\r\n")), "{}", got[1]);
    assert!(!got[1].contains("idempotency-key"), "{}", got[1]);
}

#[tokio::test]
async fn what_is_not_found_is_not_there() {
    let by_body = json!({"look_up": {
        "url": "$URL/find?key={key}",
        "found": {"pointer": "/orders/0/key", "equals": "{key}"},
    }});
    for (endpoint, answer) in [
        (by_status(), status("404 Not Found")),
        (by_status(), status("410 Gone")),
        (by_body.clone(), status("404 Not Found")),
        (by_body.clone(), json_answer(&json!({"orders": []}))),
        (by_body.clone(), json_answer(&json!({"orders": [{"key": "another"}]}))),
    ] {
        let scene = scene(&endpoint, &[String::new(), answer]).await;
        let absent = LookupResult::Absent { counts_after: Duration::from_secs(60) };
        assert_eq!(scene.lose_and_find_out("Http.post").await, absent);
    }
    let there = json_answer(&json!({"orders": [{"key": KEY}]}));
    let scene = scene(&by_body, &[String::new(), there]).await;

    assert!(matches!(scene.lose_and_find_out("Http.post").await, LookupResult::Applied(_)));
}

#[tokio::test]
async fn an_answer_that_is_none_proves_nothing() {
    let by_body = json!({"look_up": {
        "url": "$URL/find?key={key}", "found": {"pointer": "/n", "equals": 1},
    }});
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>";
    for (endpoint, answer) in [
        (by_status(), String::new()),
        (by_status(), status("302 Found\r\nlocation: /login")),
        (by_status(), status("400 Bad Request")),
        (by_status(), status("401 Unauthorized")),
        (by_status(), status("500 X")),
        (by_body.clone(), page.to_owned()),
        (by_body, "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned()),
    ] {
        let scene = scene(&endpoint, &[String::new(), answer.clone()]).await;

        let found = scene.lose_and_find_out("Http.post").await;

        assert!(matches!(found, LookupResult::Unknown(_)), "{answer}: {found:?}");
        assert_eq!(scene.got().len(), 2);
    }
}

#[tokio::test]
async fn what_is_not_declared_cannot_be_found_out() {
    let scene = scene(&idempotent(), &[]).await;
    let url = scene.input["url"].as_str().unwrap();

    for other in [format!("{url}2"), url.replace("/orders", "/"), "no url".to_owned()] {
        for name in ["Http.post", "Http.put", "Http.delete"] {
            assert!(!scene.world.can_reconcile(name, &json!({"url": other})), "{name} {other}");
        }
    }
    assert!(!scene.world.can_reconcile("Http.get", &scene.input));
}

#[tokio::test]
async fn an_endpoint_says_how_long_its_server_recognises_a_key() {
    let kept = async |endpoint: Value| {
        let Scene { world, input, .. } = scene(&endpoint, &[]).await;
        world.tool("Http.post").keys_kept(&input).map(|kept| kept.to_string())
    };

    assert_eq!(kept(idempotent()).await.as_deref(), Some("82800s"));
    assert_eq!(kept(json!({"idempotent": true, "keys_kept": "7d"})).await.as_deref(), Some("7d"));
    assert_eq!(kept(by_status()).await, None, "nothing is sent again");
}
