//! Servers behind a URL.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use windlass_core::{FailureClass, Sent};
use windlass_scheduler::Tool;

use super::{Fixture, connectors};
use crate::commit_points::{Trial, check_commit_point};
use crate::world::World;

/// What the server does with requests, and what it was asked.
#[derive(Debug, Default)]
struct Behaviour {
    /// The status of every answer, and of those to calls alone.
    status: Option<StatusCode>,
    status_of_calls: Option<StatusCode>,
    retry_after: &'static str,
    /// Whether a call is obeyed and its connection closed.
    cuts_calls: bool,
    /// The session that it knows.
    session: u32,
    authorization: Option<String>,
    n_calls: u32,
}

#[derive(Debug, Clone)]
struct Remote {
    address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Remote {
    async fn start() -> Self {
        let behaviour = Arc::new(Mutex::new(Behaviour::default()));
        let app =
            axum::Router::new().route("/mcp", post(answer)).with_state(Arc::clone(&behaviour));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { address, behaviour }
    }

    fn config(&self) -> String {
        format!(
            "[remote]\nurl = \"http://{}/mcp\"\nheaders = {{ authorization = \"Bearer t\" }}\ntimeout_ms = 5000\n",
            self.address
        )
    }

    fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }
}

async fn answer(
    State(behaviour): State<Arc<Mutex<Behaviour>>>,
    headers: HeaderMap,
    Json(message): Json<Value>,
) -> Response {
    let mut behaviour = behaviour.lock().unwrap();
    let part = |pointer: &str| message.pointer(pointer).cloned().unwrap_or_default();
    let method = part("/method");
    let header = |name: &str| headers.get(name).map(|it| it.to_str().unwrap().to_owned());
    behaviour.authorization = header("authorization");
    if let Some(status) = behaviour.status {
        return status.into_response();
    }
    let is_known = header("mcp-session-id").is_none_or(|it| it == behaviour.session.to_string());
    if !is_known {
        return StatusCode::NOT_FOUND.into_response();
    }
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
    let result = match method.as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": part("/params/protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "remote", "version": "1"}
        }),
        "tools/list" => json!({"tools": [tool("do_it")]}),
        "tools/call" => {
            behaviour.n_calls += 1;
            if behaviour.cuts_calls {
                drop(behaviour);
                panic!("the connection closes");
            }
            if let Some(status) = behaviour.status_of_calls {
                return (status, [("retry-after", behaviour.retry_after)]).into_response();
            }
            json!({"content": [{"type": "text", "text": "done"}]})
        }
        _ => return StatusCode::ACCEPTED.into_response(),
    };
    let answer = Json(json!({"jsonrpc": "2.0", "id": part("/id"), "result": result}));
    ([("mcp-session-id", behaviour.session.to_string())], answer).into_response()
}

#[tokio::test]
async fn a_call_over_http_is_made_once_with_the_configured_headers() {
    let remote = Remote::start().await;
    let fixture = Fixture::with(&remote.config()).await;

    let answer = fixture.world.ok("Remote.doIt", json!({})).await;

    assert_eq!(answer["text"], "done");
    remote.behave(|it| {
        assert_eq!((it.authorization.as_deref(), it.n_calls), (Some("Bearer t"), 1));
    });
    fixture.stop().await;
}

#[tokio::test]
async fn the_status_of_an_answer_says_who_must_act_and_whether_it_happened() {
    let remote = Remote::start().await;
    let fixture = Fixture::with(&remote.config()).await;
    let mut told = String::new();

    for code in [307, 400, 401, 403, 404, 429, 500, 503] {
        remote.behave(|it| it.status_of_calls = Some(StatusCode::from_u16(code).unwrap()));
        let error = fixture.world.call("Remote.doIt", json!({})).await.unwrap_err();
        told.push_str(&format!("{code}: {}, sent: {}\n", error.failure.class, error.sent));
    }

    expect_test::expect![[r#"
        307: internal, sent: no
        400: internal, sent: no
        401: auth, sent: no
        403: auth, sent: no
        404: network, sent: no
        429: network, sent: no
        500: network, sent: maybe
        503: network, sent: maybe
    "#]]
    .assert_eq(&told);
    fixture.stop().await;
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_heard() {
    let remote = Remote::start().await;
    let fixture = Fixture::with(&remote.config()).await;

    for code in [429, 503] {
        remote.behave(|it| {
            it.status_of_calls = Some(StatusCode::from_u16(code).unwrap());
            it.retry_after = "90";
        });
        let failure = fixture.world.call("Remote.doIt", json!({})).await.unwrap_err().failure;

        assert_eq!(failure.retry_after, Some(Duration::from_secs(90)), "{failure}");
        assert!(failure.message.contains("the server asked to wait until 20"), "{failure}");
    }
    fixture.stop().await;
}

#[tokio::test]
async fn a_server_that_wants_credentials_says_so_at_the_start() {
    let remote = Remote::start().await;
    remote.behave(|it| it.status = Some(StatusCode::UNAUTHORIZED));
    let connectors = connectors(&World::new().path(""), &remote.config());

    let missing = connectors.tools(&[]).await.unwrap().missing;

    let source = &missing["Remote"];
    assert_eq!(source.class, FailureClass::Auth);
    assert!(!source.message.contains("Bearer"), "{source}");
    connectors.stop().await;
}

#[tokio::test]
async fn a_forgotten_session_is_begun_anew_by_the_next_call() {
    let remote = Remote::start().await;
    let fixture = Fixture::with(&remote.config()).await;

    remote.behave(|it| it.session += 1);
    let error = fixture.world.call("Remote.doIt", json!({})).await.unwrap_err();
    let answer = fixture.world.call("Remote.doIt", json!({})).await;

    assert_eq!((error.failure.class, error.sent), (FailureClass::Network, Sent::No));
    assert_eq!(answer.unwrap()["text"], "done");
    remote.behave(|it| assert_eq!(it.n_calls, 1));
    fixture.stop().await;
}

#[tokio::test]
async fn an_answer_that_was_cut_off_leaves_a_doubt() {
    let remote = Remote::start().await;
    let fixture = Fixture::with(&remote.config()).await;

    remote.behave(|it| it.cuts_calls = true);
    let error = fixture.world.call("Remote.doIt", json!({})).await.unwrap_err();

    assert_eq!((error.failure.class, error.sent), (FailureClass::Network, Sent::Maybe));
    remote.behave(|it| assert_eq!(it.n_calls, 1));
    fixture.stop().await;
}

struct OfRemote {
    world: World,
    remote: Remote,
}

impl Trial for OfRemote {
    fn world(&self) -> &World {
        &self.world
    }

    fn tool(&self) -> Arc<dyn Tool> {
        self.world.tool("Remote.doIt")
    }

    fn input(&self, _n: usize) -> Value {
        json!({})
    }

    fn n_effects(&self) -> usize {
        usize::try_from(self.remote.behaviour.lock().unwrap().n_calls).unwrap()
    }

    /// The unit tests of the transport hold requests up.
    fn hold(&self) -> Option<Box<dyn Any>> {
        None
    }
}

#[tokio::test]
async fn a_call_over_http_is_checked_for_before_it_is_sent() {
    let remote = Remote::start().await;
    let Fixture { world, connectors } = Fixture::with(&remote.config()).await;

    let checked = check_commit_point(&OfRemote { world, remote }).await;

    connectors.stop().await;
    assert_eq!(checked, Ok(()));
}
