//! Secrets in headers that the configuration adds.

use serde_json::{Value, json};
use windlass_core::{FailureClass, Sent};
use windlass_tools::secrets::Secrets;
use windlass_tools::{ToolsConfig, builtin};

use crate::server::{Server, nobody};
use crate::world::{Notifications, World};

/// What must not be seen.
const TOKEN: &str = "sk_live_0123456789";

/// The configuration of a world that adds these headers for a server.
fn config(server: &Server, headers: &Value) -> Value {
    let allow = [server.address.to_string()];
    json!({"http": {"allow": allow, "headers": {allow[0].as_str(): headers}}})
}

async fn start(token: Option<&str>) -> (Server, World) {
    let server = Server::start().await;
    let config = config(&server, &json!({"Authorization": "Bearer ${secret:KEY}", "x-api": "2"}));
    let world = World::with_secrets(&config, &[("KEY", token)]);
    (server, world)
}

#[tokio::test]
async fn every_request_for_the_server_carries_the_configured_headers() {
    let (server, world) = start(Some(TOKEN)).await;

    for name in ["Http.get", "Http.head", "Http.post", "Http.delete"] {
        world.ok(name, json!({"url": server.url("/x")})).await;
    }

    for got in server.got() {
        assert_eq!(got.header("authorization"), Some("Bearer sk_live_0123456789"));
        assert_eq!(got.header("x-api"), Some("2"));
    }
    assert_eq!(server.got().len(), 4);
}

#[tokio::test]
async fn an_answer_that_repeats_a_secret_comes_without_it() {
    let (server, world) = start(Some(TOKEN)).await;

    for name in ["Http.get", "Http.post"] {
        let answer = world.ok(name, json!({"url": server.url("/echo")})).await;

        assert_eq!(answer["body"]["said"], "Bearer ***");
        assert_eq!(answer["body"]["harmless"], "/echo");
        assert_eq!(answer["headers"]["x-said"], "Bearer ***");
        assert_eq!(answer["body"]["***"][0], "***");
        assert_eq!(answer["body"]["nested"], r#"{"token":"***"}"#);
        assert_no_trace_of(TOKEN, &answer.to_string());
    }
}

#[tokio::test]
async fn a_refusal_that_repeats_a_secret_is_told_without_it() {
    let (server, world) = start(Some(TOKEN)).await;

    let failure = world.refusal("Http.post", json!({"url": server.url("/echo?refuse")})).await;

    assert!(failure.message.contains("***"), "{failure}");
    assert_no_trace_of(TOKEN, &failure.message);
}

/// Neither the secret nor half of it, plain, percent-encoded or in base64.
fn assert_no_trace_of(secret: &str, text: &str) {
    use base64::Engine as _;
    let decoded: Vec<u8> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && !"+/-_".contains(c))
        .flat_map(|word| {
            let word = word.replace('-', "+").replace('_', "/");
            (0..4)
                .flat_map(move |n| {
                    let cut = word.get(n..).unwrap_or_default();
                    let whole = &cut[..cut.len() / 4 * 4];
                    base64::engine::general_purpose::STANDARD.decode(whole).unwrap_or_default()
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let percent: String = secret.bytes().map(|b| format!("%{b:02x}")).collect();
    let half = &secret[..secret.len() / 2];
    assert!(!text.contains(half), "{text}");
    assert!(!text.contains(&percent[..percent.len() / 2]), "{text}");
    assert!(!String::from_utf8_lossy(&decoded).contains(half), "{text}");
}

#[tokio::test]
async fn a_script_cannot_replace_a_configured_header() {
    let (server, world) = start(Some(TOKEN)).await;

    for name in ["authorization", "AUTHORIZATION"] {
        let input = json!({"url": server.url("/x"), "headers": {name: "mine"}});
        let failure = world.refusal("Http.get", input).await;
        assert_eq!(failure.class, FailureClass::Logic);
        assert!(failure.message.contains("set by the configuration"), "{failure}");
    }
    assert!(server.got().is_empty());
}

#[tokio::test]
async fn a_script_cannot_name_a_secret() {
    let (server, world) = start(Some(TOKEN)).await;
    let named = "${secret:KEY}";

    let input =
        json!({"url": server.url(&format!("/x?{named}")), "headers": {"x": named}, "body": named});
    world.ok("Http.post", input).await;

    let got = &server.got()[0];
    assert_eq!((got.header("x"), got.body.as_str()), (Some(named), named));
    assert!(!got.uri.to_string().contains(TOKEN));
}

#[tokio::test]
async fn a_missing_secret_sends_nothing_and_says_where_it_should_come_from() {
    let (server, world) = start(None).await;

    for name in ["Http.get", "Http.post"] {
        let error = world.call(name, json!({"url": server.url("/x")})).await.unwrap_err();
        assert_eq!((error.failure.class, error.sent), (FailureClass::ApiKey, Sent::No));
        assert!(error.failure.message.contains("cannot use the secret `KEY`"), "{error}");
        assert!(error.failure.message.contains("/KEY`"), "{error}");
    }
    assert!(server.got().is_empty());
}

#[tokio::test]
async fn a_redirect_to_another_server_carries_no_configured_header() {
    let (here, there) = (Server::start().await, Server::start().await);
    let addresses = [&here, &there].map(|it| it.address.to_string());
    let [one, other] = addresses.each_ref().map(String::as_str);
    let lines = json!({"Authorization": "Bearer ${secret:KEY}", "Accept": "${secret:KEY}"});
    let config = json!({"http": {"allow": addresses, "headers": {one: lines, other: lines}}});
    let world = World::with_secrets(&config, &[("KEY", Some(TOKEN))]);

    world.ok("Http.get", json!({"url": here.url("/redirect/302//near")})).await;
    let far = here.url(&format!("/redirect/302/{}", there.url("/far")));
    world.ok("Http.get", json!({"url": far})).await;

    assert_eq!(here.got()[1].header("authorization"), Some("Bearer sk_live_0123456789"));
    let got = &there.got()[0];
    assert_eq!(got.uri.path(), "/far");
    assert!(!format!("{:?}", got.headers).contains("sk_live"), "{:?}", got.headers);
}

#[tokio::test]
async fn headers_go_over_https_or_to_this_machine_only() {
    let port = nobody().await.port();
    let config = json!({"http": {
        "allow": ["a.example", "localhost"],
        "headers": {"*.example": {"x": "1"}, "a.example": {"x": "1"}, "localhost": {"x": "1"}},
    }});
    let world = World::with(&config);

    let failure = world.refusal("Http.get", json!({"url": "http://a.example/"})).await;
    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("use https"), "{failure}");
    let failure =
        world.refusal("Http.get", json!({"url": format!("http://localhost:{port}/")})).await;
    assert_eq!(failure.class, FailureClass::Network, "{failure}");
}

#[tokio::test]
async fn the_rule_that_names_the_server_more_exactly_counts() {
    let server = Server::start().await;
    let (host, address) = ("127.0.0.1", server.address.to_string());
    let config = json!({"http": {
        "allow": [host],
        "headers": {address.as_str(): {"x-which": "port"}, host: {"x-which": "host", "x-more": "1"}},
    }});

    World::with(&config).ok("Http.get", json!({"url": server.url("/x")})).await;

    let got = &server.got()[0];
    assert_eq!((got.header("x-which"), got.header("x-more")), (Some("port"), Some("1")));
}

#[test]
fn headers_that_cannot_be_sent_are_mistakes_in_the_configuration() {
    let wrong = [
        ("https://a.example", "x", "1"),
        ("a.example", "host", "1"),
        ("a.example", "Idempotency-Key", "1"),
        ("a.example", "no name", "1"),
        ("a.example", "x", "line\nline"),
        ("a.example", "x", "${secret:OTHER}"),
        ("a.example", "x", "${secret:OTHER"),
    ];
    let messages = wrong.map(|(server, name, value)| {
        let config = json!({"http": {"headers": {server: {name: value}}}});
        let config: ToolsConfig = serde_json::from_value(config).unwrap();
        let notifier = std::sync::Arc::<Notifications>::default();
        let secrets = std::sync::Arc::<Secrets>::default();
        builtin(&config, &secrets, ".".as_ref(), notifier).unwrap_err().to_string()
    });

    expect_test::expect![[r#"
        `[tools.http.headers."https://a.example"]` names no server: write `host` or `host:port`, without `https://` and without a path
        cannot add the header `host` of `[tools.http.headers."a.example"]`: Windlass sets it itself: leave it out
        cannot add the header `Idempotency-Key` of `[tools.http.headers."a.example"]`: Windlass sets it itself: leave it out
        cannot add the header `no name` of `[tools.http.headers."a.example"]`: it is no name of a header
        cannot add the header `x` of `[tools.http.headers."a.example"]`: the value of the header `x` has a character that no header may have
        cannot add the header `x` of `[tools.http.headers."a.example"]`: there is no secret `OTHER`: add it to `[secrets]` of the configuration
        cannot add the header `x` of `[tools.http.headers."a.example"]`: `${secret:` is not closed: write `${secret:NAME}`"#]].assert_eq(&messages.join("\n"));
}
