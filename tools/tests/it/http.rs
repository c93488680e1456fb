//! `Http`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use windlass_core::{FailureClass, Sent};
use windlass_scheduler::ToolError;

use crate::server::{self, Server};
use crate::world::{KEY, World};

const CHANGES: [&str; 4] = ["Http.post", "Http.put", "Http.patch", "Http.delete"];

/// A world that may talk to these servers.
fn world(allow: &[String]) -> World {
    World::with(&json!({"http": {"allow": allow, "max_response_mib": 1, "timeout_ms": 10_000}}))
}

/// A server and a world that may talk to it.
async fn start() -> (Server, World) {
    let server = Server::start().await;
    let world = world(&[server.address.to_string()]);
    (server, world)
}

/// What becomes of a change at a server that misbehaves.
async fn change_at(address: SocketAddr) -> Result<Value, ToolError> {
    let input = json!({"url": format!("http://{address}/"), "body": "END"});
    world(&[address.to_string()])
        .with_time_limit(Duration::from_millis(900))
        .call("Http.post", input)
        .await
}

#[tokio::test]
async fn a_look_gives_status_headers_and_the_parsed_body() {
    let (server, world) = start().await;

    let answer = world
        .ok(
            "Http.get",
            json!({"url": server.url("/x?q=1"), "headers": {"Accept": "application/json"}}),
        )
        .await;

    assert_eq!(answer["status"], 200);
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(answer["body"], json!({"id": 7, "tags": ["a"]}));
    assert_eq!(answer.get("note"), None);
    let got = &server.got()[0];
    assert_eq!((got.method.as_str(), got.uri.to_string().as_str()), ("GET", "/x?q=1"));
    assert_eq!(got.header("accept"), Some("application/json"));
    assert_eq!(got.header("idempotency-key"), None);
}

#[tokio::test]
async fn a_head_has_no_body() {
    let (server, world) = start().await;

    let answer = world.ok("Http.head", json!({"url": server.url("/x")})).await;

    assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &Value::Null));
    assert_eq!(server.got()[0].method.as_str(), "HEAD");
}

#[tokio::test]
async fn text_is_decoded_by_its_charset() {
    let (server, world) = start().await;

    assert_eq!(world.ok("Http.get", json!({"url": server.url("/latin1")})).await["body"], "café");
}

/// The answer of a server that sends this body with these header lines.
async fn look_at(lines: &str, body: &[u8]) -> Value {
    let head = format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    let answer = [head.as_bytes(), body].concat();
    let address = server::answering(Box::leak(answer.into_boxed_slice())).await;
    world(&[address.to_string()]).ok("Http.get", json!({"url": format!("http://{address}/")})).await
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::default());
    packing.write_all(body).unwrap();
    packing.finish().unwrap()
}

#[tokio::test]
async fn no_packed_body_is_asked_for_and_one_is_unpacked_all_the_same() {
    let (server, world) = start().await;
    world.ok("Http.get", json!({"url": server.url("/x")})).await;
    assert_eq!(server.got()[0].header("accept-encoding"), Some("identity"));
    let json = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    assert_eq!(look_at(json, &gzip(b"{\"id\":1}")).await["body"], json!({"id": 1}));

    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(b"hello").unwrap();
    raw.write_all(b"hello").unwrap();
    for (encoding, body) in [
        ("x-GZIP, identity", gzip(b"hello")),
        ("gzip, gzip", gzip(&gzip(b"hello"))),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("br", b"\x0b\x02\x80hello\x03".to_vec()),
    ] {
        let lines = format!("Content-Type: text/plain\r\nContent-Encoding: {encoding}\r\n");
        let answer = look_at(&lines, &body).await;
        assert_eq!((&answer["body"], answer.get("note")), (&json!("hello"), None), "{encoding}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_unpacked_is_left_out_with_a_note() {
    for (encoding, body) in [
        ("zstd", b"\x28\xb5\x2f\xfd".to_vec()),
        ("gzip", b"no gzip".to_vec()),
        ("br", gzip(b"hello")),
        ("gzip,gzip,gzip,gzip", gzip(&gzip(&gzip(&gzip(b"hello"))))),
    ] {
        let lines = format!("Content-Type: text/plain\r\nContent-Encoding: {encoding}\r\n");
        let answer = look_at(&lines, &body).await;
        assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &Value::Null), "{encoding}");
        let note = answer["note"].as_str().unwrap();
        assert!(note.contains("could not be unpacked"), "{encoding}: {note}");
    }
}

#[tokio::test]
async fn a_body_may_not_be_too_large_when_it_is_unpacked() {
    let body = gzip(&vec![b'x'; 2 * 1024 * 1024]);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.as_bytes(), &body].concat();
    let address = server::answering(Box::leak(answer.into_boxed_slice())).await;

    let change = change_at(address).await.unwrap();
    let look = world(&[address.to_string()])
        .refusal("Http.get", json!({"url": format!("http://{address}/")}))
        .await;

    assert!(change["note"].as_str().unwrap().contains("larger than the 1 MiB"), "{change}");
    assert!(look.message.contains("larger than the 1 MiB"), "{look}");
}

#[tokio::test]
async fn json_is_read_as_javascript_reads_it() {
    let lines = "Content-Type: application/json\r\n";

    let answer = look_at(lines, br#"{"text":"cut \ud83d","id":9007199254740993}"#).await;
    assert_eq!(answer["body"]["text"], "cut \u{fffd}");
    assert!(answer["note"].as_str().unwrap().contains("9007199254740993"), "{answer}");
    assert_eq!(look_at(lines, b"[\"caf\xe9\"]").await["body"], json!(["caf\u{fffd}"]));
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let answer = look_at(lines, deep.as_bytes()).await;
    assert!(answer["body"].is_array(), "{answer}");
    assert!(answer["note"].as_str().unwrap().contains("deeper than 100 levels"), "{answer}");
}

#[tokio::test]
async fn a_page_says_its_charset_itself() {
    let answer = look_at("Content-Type: text/html\r\n", b"<meta charset=latin1>caf\xe9").await;

    assert_eq!(answer["body"], "<meta charset=latin1>caf\u{e9}");
}

#[tokio::test]
async fn a_redirect_may_have_characters_that_no_url_has() {
    let redirect = "HTTP/1.1 302 Found\r\nLocation: /caf\u{e9} 1\r\nContent-Length: 0\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let answers = vec![redirect.to_owned(), answer.to_owned()];
    let (address, got) = server::answering_in_turn(answers).await;

    let answer = world(&[address.to_string()])
        .ok("Http.get", json!({"url": format!("http://{address}/")}))
        .await;

    assert_eq!(answer["body"], "hi");
    assert!(got.lock().unwrap()[1].starts_with("GET /caf%C3%A9%201 HTTP/1.1"));
}

#[tokio::test]
async fn json_that_is_none_is_given_as_text_with_a_note() {
    let (server, world) = start().await;

    let answer = world.ok("Http.get", json!({"url": server.url("/broken-json")})).await;

    assert_eq!(answer["body"], "{");
    assert!(answer["note"].as_str().unwrap().contains("not the JSON"), "{answer}");
}

#[tokio::test]
async fn header_lines_of_one_name_are_joined() {
    let (server, world) = start().await;

    let answer = world.ok("Http.get", json!({"url": server.url("/twice")})).await;

    assert_eq!(answer["headers"]["x-part"], "one, two");
}

#[tokio::test]
async fn every_change_carries_the_key_of_its_ledger_entry() {
    let (server, world) = start().await;

    for name in CHANGES {
        let answer = world.ok(name, json!({"url": server.url("/x"), "body": {"amount": 5}})).await;
        assert_eq!(answer["body"]["id"], 7, "{name}");
    }

    let methods: Vec<_> = server.got().iter().map(|got| got.method.to_string()).collect();
    assert_eq!(methods, ["POST", "PUT", "PATCH", "DELETE"]);
    for got in server.got() {
        assert_eq!(got.header("idempotency-key"), Some(KEY));
        assert_eq!(got.header("content-type"), Some("application/json"));
        assert_eq!(got.body, r#"{"amount":5}"#);
    }
}

#[tokio::test]
async fn a_body_that_is_text_is_sent_as_it_is() {
    let (server, world) = start().await;

    world.ok("Http.post", json!({"url": server.url("/x"), "body": "a=1"})).await;
    let form = json!({"Content-Type": "application/x-www-form-urlencoded"});
    world.ok("Http.post", json!({"url": server.url("/x"), "headers": form, "body": "a=1"})).await;
    world.ok("Http.post", json!({"url": server.url("/x"), "body": null})).await;

    let got = server.got();
    assert_eq!(
        (got[0].body.as_str(), got[0].header("content-type")),
        ("a=1", Some("text/plain; charset=utf-8"))
    );
    assert_eq!(got[1].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((got[2].body.as_str(), got[2].header("content-type")), ("", None));
}

#[tokio::test]
async fn headers_of_the_connection_and_the_ledger_are_not_the_scripts() {
    let (server, world) = start().await;

    for name in ["Idempotency-Key", "host", "Content-Length", "transfer-encoding", "Connection"] {
        for tool in ["Http.get", "Http.post"] {
            let failure =
                world.refusal(tool, json!({"url": server.url("/"), "headers": {name: "1"}})).await;
            assert_eq!(failure.class, FailureClass::Logic);
            assert!(failure.message.contains(&format!("`{name}`")), "{failure}");
        }
    }
    let failure = world
        .refusal("Http.get", json!({"url": server.url("/"), "headers": {"x": "secret\n"}}))
        .await;
    assert!(failure.message.contains("`x`") && !failure.message.contains("secret"), "{failure}");
    assert!(server.got().is_empty());
}

#[tokio::test]
async fn a_look_takes_a_refusal_as_an_answer() {
    let (server, world) = start().await;

    for code in [400, 404, 409, 410, 422] {
        let answer =
            world.ok("Http.get", json!({"url": server.url(&format!("/status/{code}"))})).await;
        assert_eq!(answer["status"], code);
    }
}

#[tokio::test]
async fn a_look_that_someone_must_mend_fails() {
    let (server, world) = start().await;

    for (code, class) in [
        (401, FailureClass::Auth),
        (402, FailureClass::Balance),
        (403, FailureClass::Auth),
        (408, FailureClass::Network),
        (429, FailureClass::Network),
        (503, FailureClass::Network),
    ] {
        let failure =
            world.refusal("Http.get", json!({"url": server.url(&format!("/status/{code}"))})).await;
        assert_eq!(failure.class, class, "{code}");
        assert_eq!(failure.service.unwrap().name, "http 127.0.0.1");
    }
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_heard_whatever_it_was_asked() {
    let answers: [(&[u8], u64); 4] = [
        (b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", 120),
        (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 7),
        (
            b"HTTP/1.1 503 Service Unavailable\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
              Retry-After: Sun, 06 Nov 1994 09:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
            3_600,
        ),
        (
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 9999999\r\nContent-Length: 0\r\n\r\n",
            86_400,
        ),
    ];
    for (answer, seconds) in answers {
        let address = server::answering(answer).await;
        let read = world(&[address.to_string()])
            .refusal("Http.get", json!({"url": format!("http://{address}/")}))
            .await;
        let change = change_at(address).await.unwrap_err().failure;

        for failure in [read, change] {
            assert_eq!(failure.retry_after, Some(Duration::from_secs(seconds)), "{failure}");
            assert!(failure.message.contains("the server asked to wait until 20"), "{failure}");
        }
    }
}

#[tokio::test]
async fn a_refusal_that_waiting_does_not_mend_is_not_waited_for() {
    let address =
        server::answering(b"HTTP/1.1 403 Forbidden\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n");
    let failure = change_at(address.await).await.unwrap_err().failure;

    assert_eq!((failure.class, failure.retry_after), (FailureClass::Auth, None));
}

#[tokio::test]
async fn a_refused_change_did_not_happen_and_an_error_of_the_server_is_in_doubt() {
    let (server, world) = start().await;

    for (code, class, sent) in [
        (400, FailureClass::Logic, Sent::No),
        (401, FailureClass::Auth, Sent::No),
        (402, FailureClass::Balance, Sent::No),
        (403, FailureClass::Auth, Sent::No),
        (404, FailureClass::Logic, Sent::No),
        (409, FailureClass::Logic, Sent::No),
        (422, FailureClass::Logic, Sent::No),
        (429, FailureClass::Network, Sent::No),
        (408, FailureClass::Network, Sent::Maybe),
        (500, FailureClass::Network, Sent::Maybe),
        (503, FailureClass::Network, Sent::Maybe),
    ] {
        let input = json!({"url": server.url(&format!("/status/{code}"))});
        let error = world.call("Http.post", input).await.unwrap_err();
        assert_eq!((error.failure.class, error.sent), (class, sent), "{code}");
    }
}

#[tokio::test]
async fn a_failure_tells_what_the_server_said_and_no_secret() {
    let (server, world) = start().await;
    let input = json!({
        "url": server.url("/status/422?token=secret-in-query#secret-in-fragment"),
        "headers": {"authorization": "Bearer secret-in-header"},
    });

    let failure = world.refusal("Http.post", input).await;

    assert!(
        failure.message.contains(&format!("`POST {}`", server.url("/status/422"))),
        "{failure}"
    );
    assert!(
        failure.message.contains("422 Unprocessable Entity: the amount is missing"),
        "{failure}"
    );
    assert!(!failure.message.contains("secret"), "{failure}");
}

#[tokio::test]
async fn a_server_that_is_not_there_got_nothing() {
    let error = change_at(server::nobody().await).await.unwrap_err();

    assert_eq!((error.failure.class, error.sent), (FailureClass::Network, Sent::No), "{error}");
    assert!(error.failure.message.contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_got_nothing() {
    let server = Server::start().await;
    let url = format!("https://{}/", server.address);

    let error = world(&[server.address.to_string()])
        .call("Http.post", json!({"url": url}))
        .await
        .unwrap_err();

    assert_eq!((error.failure.class, error.sent), (FailureClass::Network, Sent::No), "{error}");
    assert!(server.got().is_empty());
}

#[tokio::test]
async fn a_server_that_never_finishes_its_greeting_got_nothing() {
    let address = server::deaf().await;
    let world = world(&[address.to_string()]).with_time_limit(Duration::from_millis(900));

    let error =
        world.call("Http.post", json!({"url": format!("https://{address}/")})).await.unwrap_err();

    assert_eq!((error.failure.class, error.sent), (FailureClass::Network, Sent::No), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_the_change_in_doubt() {
    for bytes in [&b""[..], b"HTTP/1.1 200", b"this is not HTTP\r\n\r\n"] {
        let error = change_at(server::answering(bytes).await).await.unwrap_err();

        assert_eq!(
            (error.failure.class, error.sent),
            (FailureClass::Network, Sent::Maybe),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_after_the_request_leaves_the_change_in_doubt() {
    let error = change_at(server::resetting().await).await.unwrap_err();

    assert_eq!((error.failure.class, error.sent), (FailureClass::Network, Sent::Maybe), "{error}");
    assert!(error.failure.message.contains("broke before its answer"), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_leaves_the_change_in_doubt() {
    let error = change_at(server::silent().await).await.unwrap_err();

    assert_eq!((error.failure.class, error.sent), (FailureClass::Network, Sent::Maybe), "{error}");
    assert!(error.failure.message.contains("did not answer in time"), "{error}");
}

#[tokio::test]
async fn a_change_that_was_made_stays_made_when_its_body_is_lost() {
    let answer =
        change_at(server::answering(b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{").await)
            .await
            .unwrap();

    assert_eq!((&answer["status"], &answer["body"]), (&json!(201), &Value::Null));
    assert!(answer["note"].as_str().unwrap().contains("connection broke"), "{answer}");
}

#[tokio::test]
async fn a_change_that_was_made_stays_made_when_its_body_is_too_large() {
    let (server, world) = start().await;

    let answer = world.ok("Http.post", json!({"url": server.url("/large")})).await;

    assert_eq!(answer["body"], Value::Null);
    assert!(answer["note"].as_str().unwrap().contains("max_response_mib"), "{answer}");
}

#[tokio::test]
async fn a_look_fails_when_its_body_is_lost_or_too_large() {
    let (server, world) = start().await;
    let failure = world.refusal("Http.get", json!({"url": server.url("/large")})).await;
    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("max_response_mib"), "{failure}");

    let address = server::answering(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{").await;
    let input = json!({"url": format!("http://{address}/")});
    let failure = self::world(&[address.to_string()]).refusal("Http.get", input).await;
    assert_eq!(failure.class, FailureClass::Network);
    assert!(failure.message.contains("connection broke"), "{failure}");
}

#[tokio::test]
async fn redirects_of_a_look_are_followed() {
    let (server, world) = start().await;
    for code in [301, 302, 303, 307, 308] {
        let answer = world
            .ok("Http.get", json!({"url": server.url(&format!("/redirect/{code}//end"))}))
            .await;
        assert_eq!((&answer["status"], &answer["body"]["id"]), (&json!(200), &json!(7)), "{code}");
    }

    let failure = world.refusal("Http.get", json!({"url": server.url("/loop")})).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("more than 5 redirects"), "{failure}");
}

#[tokio::test]
async fn a_redirect_leads_nowhere_that_is_not_allowed() {
    let (server, world) = start().await;
    let other = Server::start().await;

    for target in [other.url("/"), "http://169.254.169.254/latest/meta-data/".to_owned()] {
        let failure = world
            .refusal("Http.get", json!({"url": server.url(&format!("/redirect/302/{target}"))}))
            .await;
        assert_eq!(failure.class, FailureClass::Permission, "{target}");
    }
    let failure = world
        .refusal("Http.get", json!({"url": server.url("/redirect/302/file:///etc/passwd")}))
        .await;
    assert_eq!(failure.class, FailureClass::Logic);
    assert!(other.got().is_empty());
}

#[tokio::test]
async fn a_redirect_leads_to_no_server_that_the_script_was_not_granted() {
    let (here, there) = (Server::start().await, Server::start().await);
    let far = there.url("/secret").replace("127.0.0.1", "localhost");
    let allowed = [here.address.to_string(), format!("localhost:{}", there.address.port())];
    let granted = world(&allowed).with_grant("Http.get:127.0.0.1");
    let twice = here.url(&format!("/redirect/302/{}", here.url(&format!("/redirect/307/{far}"))));

    for url in [here.url(&format!("/redirect/302/{far}")), twice] {
        let failure = granted.refusal("Http.get", json!({"url": url})).await;
        assert_eq!(failure.class, FailureClass::Permission, "{failure}");
        assert!(failure.message.contains("`Http.get` on `localhost`"), "{failure}");
    }
    assert!(there.got().is_empty());

    granted.ok("Http.get", json!({"url": here.url("/redirect/302//end")})).await;
    let wide = world(&allowed).with_grant("Http.get");
    wide.ok("Http.get", json!({"url": here.url(&format!("/redirect/302/{far}"))})).await;
    assert_eq!(there.got().len(), 1);
}

#[tokio::test]
async fn what_is_said_to_one_server_is_not_told_another() {
    let (here, there) = (Server::start().await, Server::start().await);
    let world = world(&[here.address.to_string(), there.address.to_string()]);
    let headers = json!({"authorization": "Bearer t", "x-api-key": "k", "cookie": "c=1", "accept": "text/plain"});

    let near = here.url("/redirect/302//near");
    world.ok("Http.get", json!({"url": near, "headers": headers})).await;
    let far = here.url(&format!("/redirect/302/{}", there.url("/far")));
    world.ok("Http.get", json!({"url": far, "headers": headers})).await;

    assert_eq!(here.got()[1].header("authorization"), Some("Bearer t"));
    let got = &there.got()[0];
    for name in ["authorization", "x-api-key", "cookie", "referer"] {
        assert_eq!(got.header(name), None, "{name}");
    }
    assert_eq!(got.header("accept"), Some("text/plain"));
}

#[tokio::test]
async fn redirects_of_a_change_are_not_followed() {
    let (server, world) = start().await;

    for (code, sent) in [(301, Sent::No), (307, Sent::No), (308, Sent::No), (302, Sent::Maybe)] {
        let input = json!({"url": server.url(&format!("/redirect/{code}//end"))});
        let error = world.call("Http.post", input).await.unwrap_err();
        assert_eq!(error.sent, sent, "{code}");
        assert!(
            error.failure.message.ends_with(&format!("; it points to `{}`", server.url("/end"))),
            "{error}"
        );
    }
    let answer = world.ok("Http.post", json!({"url": server.url("/redirect/303//end")})).await;

    assert_eq!((&answer["status"], &answer["headers"]["location"]), (&json!(303), &json!("/end")));
    assert!(server.got().iter().all(|got| got.uri.path() != "/end"));
}

#[tokio::test]
async fn a_server_that_is_not_in_the_list_is_refused_with_the_setting() {
    let server = Server::start().await;
    let world = world(&["api.example.com".to_owned()]);

    for name in ["Http.get", "Http.post"] {
        let failure = world.refusal(name, json!({"url": server.url("/?token=secret")})).await;
        assert_eq!(failure.class, FailureClass::Permission);
        assert!(failure.message.contains("[tools.http] allow"), "{failure}");
        assert!(failure.message.contains(&server.address.to_string()), "{failure}");
        assert!(!failure.message.contains("secret"), "{failure}");
    }
    assert!(server.got().is_empty());
}

#[tokio::test]
async fn this_machine_is_reached_by_name_where_the_list_has_localhost() {
    let server = Server::start().await;
    let port = server.address.port();

    let answer = world(&[format!("localhost:{port}")])
        .ok("Http.get", json!({"url": format!("http://localhost:{port}/")}))
        .await;

    assert_eq!(answer["status"], 200);
}

#[tokio::test]
async fn what_is_no_url_is_refused() {
    let world = world(&["a.example".to_owned()]);
    for url in [
        "",
        "/x",
        "a.example/x",
        "http://",
        "ftp://a.example/",
        "file:///etc/passwd",
        "http://user:secret@a.example/",
    ] {
        let failure = world.refusal("Http.get", json!({"url": url})).await;
        assert_eq!(failure.class, FailureClass::Logic, "{url}");
        assert!(!failure.message.contains("secret"), "{failure}");
    }
}
