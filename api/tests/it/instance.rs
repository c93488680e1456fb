//! A server over a lively instance, called without a network.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use chrono_tz::Tz;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use windlass_api::http::{ServerParts, router};
use windlass_api::metrics::Metrics;
use windlass_api::service::{CredentialRequest, Service};
use windlass_core::{Actor, Clock, CredentialKind, ManualClock};
use windlass_scheduler::Registry;
use windlass_store::{Location, Options, open};
use windlass_store_conformance::fixtures::{Size, fill, policy};
use windlass_store_conformance::{PostgresSchema, TestStore, connect_sqlite, copy_sqlite, start};

use crate::document;

/// Where the API's paths of the workspace `default` begin.
pub(crate) const DEFAULT: &str = "/api/v1/workspaces/default";

/// A server, and a token that may do everything.
pub(crate) struct Instance {
    router: Router,
    pub(crate) test_store: TestStore,
    pub(crate) token: String,
    pub(crate) metrics: Arc<Metrics>,
    /// Ends the server.
    pub(crate) stop: CancellationToken,
    /// Keeps the database until the instance is dropped.
    _database: Box<dyn Any>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Instance {
    /// Each database that is there, one after the other.
    pub(crate) async fn on_each_database() -> Vec<Self> {
        let mut all = vec![Self::on_sqlite().await];
        if let Some(schema) = PostgresSchema::migrated().await.unwrap() {
            let test_store = fill(&*schema.url(), Size::Small, start()).await.unwrap();
            all.push(Self::over(test_store, Box::new(schema)).await);
        }
        all
    }

    pub(crate) async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windlass.db");
        std::fs::copy(filled_file().await, &file).unwrap();
        let clock = Arc::new(ManualClock::new(start()));
        let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let options = Options { policy: policy(), clock: Some(for_store), ..Options::default() };
        let store = open(&*sqlite_url(&file), options).await.unwrap();
        Self::over(TestStore { store, clock }, Box::new(folder)).await
    }

    async fn over(test_store: TestStore, database: Box<dyn Any>) -> Self {
        let (stop, metrics) = (CancellationToken::new(), Arc::new(Metrics::new()));
        let router = router(parts(&test_store, &metrics, &stop));
        let token = String::new();
        let mut instance = Self { router, test_store, token, metrics, stop, _database: database };
        instance.token = instance.credential(CredentialKind::Token, "admin", None).await;
        instance
    }

    /// What another server over the same instance is made of.
    pub(crate) fn parts(&self) -> ServerParts {
        parts(&self.test_store, &self.metrics, &self.stop)
    }

    /// The operations in a workspace.
    pub(crate) async fn service(&self, workspace: &str) -> Service {
        let store = Arc::clone(&self.test_store.store);
        let workspace = store.ensure_workspace(workspace).await.unwrap();
        Service { store, workspace, actor: "ada".to_owned() }
    }

    /// The secret of a new credential of a person.
    pub(crate) async fn credential(
        &self,
        kind: CredentialKind,
        scopes: &str,
        workspace: Option<&str>,
    ) -> String {
        let service = self.service(workspace.unwrap_or("default")).await;
        let request = CredentialRequest {
            kind,
            name: "a test".to_owned(),
            actor: Actor::User("ada".to_owned()),
            workspace: workspace.map(|_| service.workspace),
            scopes: scopes.parse().unwrap(),
            lifetime: Some(Duration::from_secs(3_600)),
        };
        service.create_credential(request).await.unwrap().token
    }

    /// Sends a request as it is, under a name of this machine. What the API answers has to be as its document says.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let host = "127.0.0.1:8420".parse().unwrap();
        request.headers_mut().entry(header::HOST).or_insert(host);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let answer = Answer { status, headers, text };
        document::check(&method, &path, &answer);
        answer
    }

    /// Reads a path with a token.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send(request(Method::GET, path, Some(token), None)).await
    }

    /// Reads a path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_as(&self.token, path).await
    }

    /// Reads a path that has to be there.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer.json()
    }

    /// Posts a document.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(request(Method::POST, path, Some(&self.token), Some(body))).await
    }

    /// Posts nothing.
    pub(crate) async fn act(&self, path: &str) -> Answer {
        self.send(request(Method::POST, path, Some(&self.token), None)).await
    }

    /// The id of the only effect in doubt of a workflow.
    pub(crate) async fn doubt_of(&self, workflow: &str) -> String {
        let workflow = self.read(&format!("{DEFAULT}/workflows/{workflow}")).await;
        workflow["in_doubt"][0]["id"].as_str().unwrap().to_owned()
    }
}

fn parts(test_store: &TestStore, metrics: &Arc<Metrics>, stop: &CancellationToken) -> ServerParts {
    ServerParts {
        store: Arc::clone(&test_store.store),
        registry: Arc::new(Registry::new(Vec::new()).unwrap()),
        zone: Tz::UTC,
        hosts: Vec::new(),
        is_encrypted: false,
        metrics: Arc::clone(metrics),
        stop: stop.clone(),
    }
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// A filled database that the tests copy: each is a process of its own, and to fill one takes seconds. The first test of a build makes
/// it.
async fn filled_file() -> PathBuf {
    let program = std::env::current_exe().unwrap().metadata().unwrap();
    let built_at = program.modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let filled = folder.join(format!("api-instance-{built_at}.db"));
    if !filled.exists() {
        let making = tempfile::tempdir_in(folder).unwrap();
        let file = making.path().join("windlass.db");
        windlass_store::migrate(Location::from(&*sqlite_url(&file))).await.unwrap();
        drop(fill(&*sqlite_url(&file), Size::Small, start()).await.unwrap());
        let whole = making.path().join("whole.db");
        let mut conn = connect_sqlite(&file).unwrap();
        copy_sqlite(&mut conn, whole.to_str().unwrap()).unwrap();
        std::fs::rename(whole, &filled).unwrap();
    }
    filled
}

/// A request with a token and a document, where they are given.
pub(crate) fn request(
    method: Method,
    path: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    match body {
        Some(body) => {
            let request = request.header(header::CONTENT_TYPE, "application/json");
            request.body(Body::from(body.to_string())).unwrap()
        }
        None => request.body(Body::empty()).unwrap(),
    }
}

/// The body of a resolution.
pub(crate) fn resolution(answer: &str) -> Value {
    json!({ "answer": answer, "reason": "I looked" })
}
