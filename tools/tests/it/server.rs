//! Servers on this machine: one that answers and remembers, and ones that misbehave.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use axum::routing::{any, get};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request as the server got it.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|it| it.to_str().unwrap())
    }
}

/// A server that remembers what it got.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let app = axum::Router::new()
            .route("/status/{code}", any(with_status))
            .route("/redirect/{code}/{*target}", any(redirect))
            .route("/echo", any(echo))
            .route("/loop", any(|| async { (StatusCode::FOUND, [("location", "/loop")]) }))
            .route(
                "/latin1",
                get(|| async {
                    ([("content-type", "text/plain; charset=ISO-8859-1")], b"caf\xe9".to_vec())
                }),
            )
            .route("/broken-json", get(|| async { ([("content-type", "application/json")], "{") }))
            .route("/large", any(|| async { "x".repeat(1024 * 1024 + 1) }))
            .route(
                "/twice",
                get(|| async { AppendHeaders([("x-part", "one"), ("x-part", "two")]) }),
            )
            .fallback(json_answer)
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&got), remember));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { address, got }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

async fn remember(
    State(all): State<Arc<Mutex<Vec<Got>>>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    all.lock().unwrap().push(Got {
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        headers: parts.headers.clone(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    next.run(axum::extract::Request::from_parts(parts, body.into())).await
}

async fn json_answer() -> Response {
    (StatusCode::OK, axum::Json(json!({"id": 7, "tags": ["a"]}))).into_response()
}

/// Says why, and repeats what it was given, as some servers do.
async fn with_status(Path(code): Path<u16>, headers: HeaderMap, uri: Uri) -> Response {
    let token =
        headers.get("authorization").map(|it| it.to_str().unwrap().to_owned()).unwrap_or_default();
    let said = format!("the amount is missing ({token} {})", uri.query().unwrap_or_default());
    (StatusCode::from_u16(code).unwrap(), said).into_response()
}

/// Repeats its caller's `authorization` in every form that servers do: plain, encoded, quoted, in headers and as a key.
async fn echo(headers: HeaderMap, uri: Uri) -> Response {
    let told = headers.get("authorization").map(|it| it.to_str().unwrap()).unwrap_or_default();
    let token = told.trim_start_matches("Bearer ").to_owned();
    let encoded = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
    let base64 = |text: &str| STANDARD.encode(text);
    let body = json!({
        "said": told,
        token.as_str(): [encoded(&token), base64(&token), base64(&format!("me:{token}")), URL_SAFE.encode(told)],
        "nested": json!({"token": token}).to_string(),
        "harmless": uri.path(),
    });
    let lines = AppendHeaders([("x-said", told.to_owned()), ("x-encoded", encoded(told))]);
    let status = if uri.query() == Some("refuse") {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    (status, lines, axum::Json(body)).into_response()
}

async fn redirect(Path((code, target)): Path<(u16, String)>) -> Response {
    (StatusCode::from_u16(code).unwrap(), [("location", target)]).into_response()
}

/// A server that reads a request to its end, answers these bytes and closes the connection.
pub(crate) async fn answering(bytes: &'static [u8]) -> SocketAddr {
    misbehaving(move |mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(bytes).await.unwrap();
    })
    .await
}

/// A server that reads a request to its end and then keeps silent.
pub(crate) async fn silent() -> SocketAddr {
    misbehaving(|mut stream| async move {
        read_request(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await
}

/// A server that accepts connections and keeps silent from the start.
pub(crate) async fn deaf() -> SocketAddr {
    misbehaving(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A server that gives these answers, one for each connection, and after the last one closes every connection. Remembers what it
/// was asked.
pub(crate) async fn answering_in_turn(
    answers: Vec<String>,
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let (seen, answers) = (Arc::clone(&got), Arc::new(Mutex::new(answers.into_iter())));
    let address = misbehaving(move |mut stream| {
        let (seen, answers) = (Arc::clone(&seen), Arc::clone(&answers));
        async move {
            let request = read_request(&mut stream).await;
            seen.lock().unwrap().push(String::from_utf8(request).unwrap());
            let answer = answers.lock().unwrap().next().unwrap_or_default();
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address.await, got)
}

/// A server that resets every connection once it has read a request.
pub(crate) async fn resetting() -> SocketAddr {
    misbehaving(|mut stream| async move {
        read_request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await
}

async fn misbehaving<F: Future<Output = ()> + Send + 'static>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads a request whose body is `END`, or that has no body.
async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let is_whole =
        |it: &[u8]| it.ends_with(b"END") || (it.starts_with(b"GET") && it.ends_with(b"\r\n\r\n"));
    while !is_whole(&request) {
        assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0, "the request has no end");
    }
    request
}
