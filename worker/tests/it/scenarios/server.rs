//! A server on loopback that scripts talk to: it counts, refuses or waits as the test says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use futures::future::BoxFuture;

/// What happens while a request waits for its answer.
type Hook = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A server outside.
#[derive(Clone, Default)]
pub(crate) struct FakeServer(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answers: HashMap<String, (u16, String)>,
    hooks: HashMap<String, Hook>,
    requests: Vec<String>,
}

impl FakeServer {
    /// Starts the server; it ends with the test's runtime.
    pub(crate) async fn start(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app =
            Router::new().route("/{*path}", axum::routing::any(answer)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    /// What `path` answers from now on; without this it answers 200 and `ok`.
    pub(crate) fn answer(&self, path: &str, status: u16, body: &str) {
        self.0.lock().unwrap().answers.insert(path.to_owned(), (status, body.to_owned()));
    }

    /// What happens before `path` answers.
    pub(crate) fn before_answering(
        &self,
        path: &str,
        hook: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) {
        self.0.lock().unwrap().hooks.insert(path.to_owned(), Arc::new(hook));
    }

    /// How many requests `path` has had.
    pub(crate) fn requests(&self, path: &str) -> usize {
        self.0.lock().unwrap().requests.iter().filter(|requested| *requested == path).count()
    }
}

async fn answer(
    State(server): State<FakeServer>,
    Path(path): Path<String>,
) -> (StatusCode, String) {
    let (hook, answer) = {
        let mut inner = server.0.lock().unwrap();
        inner.requests.push(path.clone());
        (inner.hooks.get(&path).cloned(), inner.answers.get(&path).cloned())
    };
    if let Some(hook) = hook {
        hook().await;
    }
    let (status, body) = answer.unwrap_or((200, "ok".to_owned()));
    (StatusCode::from_u16(status).unwrap(), body)
}
