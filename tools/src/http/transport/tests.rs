use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use windlass_core::Sent;

use super::*;

/// A name service that answers the same for every name, and counts.
#[derive(Debug)]
struct Fixed {
    addresses: Vec<SocketAddr>,
    n_asked: Arc<AtomicUsize>,
}

#[async_trait]
impl Resolver for Fixed {
    async fn addresses(&self, _server: &Server) -> io::Result<Vec<SocketAddr>> {
        self.n_asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.addresses.clone())
    }
}

/// A name service that never answers.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl Resolver for Silent {
    async fn addresses(&self, _server: &Server) -> io::Result<Vec<SocketAddr>> {
        std::future::pending().await
    }
}

/// A name service that fails.
#[derive(Debug)]
struct Failing(&'static str);

#[async_trait]
impl Resolver for Failing {
    async fn addresses(&self, _server: &Server) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other(format!("failed to lookup address information: {}", self.0)))
    }
}

fn transport(allow: &[String], resolver: impl Resolver + 'static) -> Transport {
    Transport::new(AllowList::parse(allow).unwrap(), Box::new(resolver))
}

fn fixed(addresses: &[SocketAddr]) -> Fixed {
    Fixed { addresses: addresses.to_vec(), n_asked: Arc::default() }
}

async fn post(transport: &Transport, url: &str) -> Result<Response, ToolError> {
    send(transport, url, None).await
}

async fn send(
    transport: &Transport,
    url: &str,
    point: Option<CommitPoint>,
) -> Result<Response, ToolError> {
    let outgoing = OutgoingRequest {
        method: reqwest::Method::POST,
        url: url.parse().unwrap(),
        headers: reqwest::header::HeaderMap::new(),
        configured: reqwest::header::HeaderMap::new(),
        body: None,
    };
    transport.send(&outgoing, point, Instant::now() + Duration::from_secs(1)).await
}

/// A name service that answers when it is let.
#[derive(Debug)]
struct Held {
    is_let: Arc<tokio::sync::Notify>,
    address: SocketAddr,
}

#[async_trait]
impl Resolver for Held {
    async fn addresses(&self, _server: &Server) -> io::Result<Vec<SocketAddr>> {
        self.is_let.notified().await;
        Ok(vec![self.address])
    }
}

/// A server on this machine that answers every request with an empty 200.
async fn server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(|| async {});
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_connected_to() {
    let server = server().await;
    let url = format!("http://rebound.example:{}/", server.port());
    let mixed = [SocketAddr::from(([1, 1, 1, 1], server.port())), server];

    for addresses in [&[server][..], &mixed] {
        let transport = transport(&["rebound.example".to_owned()], fixed(addresses));

        let error = post(&transport, &url).await.unwrap_err();

        assert_eq!((error.sent, error.failure.class), (Sent::No, FailureClass::Permission));
        assert!(error.failure.message.contains("127.0.0.1"), "{error}");
        assert!(error.failure.message.contains("[tools.http] allow"), "{error}");
    }
}

#[tokio::test]
async fn the_addresses_that_were_checked_are_the_ones_connected_to() {
    let server = server().await;
    let resolver = fixed(&[server]);
    let n_asked = Arc::clone(&resolver.n_asked);
    let transport = transport(&["nas.example".to_owned(), server.to_string()], resolver);

    let response =
        post(&transport, &format!("http://nas.example:{}/", server.port())).await.unwrap();

    assert_eq!(response.status(), 200);
    assert_eq!(n_asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_without_an_address_is_not_asked() {
    let error = post(&transport(&["a.example".to_owned()], fixed(&[])), "http://a.example/")
        .await
        .unwrap_err();

    assert_eq!((error.sent, error.failure.class), (Sent::No, FailureClass::Network));
}

#[tokio::test]
async fn a_name_that_is_not_found_now_may_be_found_later() {
    // EAI_AGAIN and EAI_NONAME: which of the two a resolver says depends on the state of the network.
    for said in ["Temporary failure in name resolution", "Name or service not known"] {
        let transport = transport(&["a.example".to_owned()], Failing(said));

        let error = post(&transport, "http://a.example/").await.unwrap_err();

        assert_eq!((error.sent, error.failure.class), (Sent::No, FailureClass::Network));
        assert!(error.failure.message.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_name_service_that_does_not_answer_sends_nothing() {
    let error =
        post(&transport(&["a.example".to_owned()], Silent), "http://a.example/").await.unwrap_err();

    assert_eq!((error.sent, error.failure.class), (Sent::No, FailureClass::Network));
    assert_eq!(error.failure.service.unwrap().name, "http a.example");
}

#[tokio::test]
async fn a_request_whose_worker_was_frozen_while_it_connected_does_not_leave() {
    let server = server().await;
    let is_let = Arc::new(tokio::sync::Notify::new());
    let resolver = Held { is_let: Arc::clone(&is_let), address: server };
    let transport = transport(&["held.example".to_owned(), server.to_string()], resolver);
    let url = format!("http://held.example:{}/", server.port());
    let is_safe = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let right = Arc::clone(&is_safe);
    let (watch, point) = CommitPoint::new(move || right.load(Ordering::SeqCst));

    let freezing = async {
        tokio::task::yield_now().await;
        is_safe.store(false, Ordering::SeqCst);
        is_let.notify_one();
    };
    let (sent, ()) = tokio::join!(send(&transport, &url, Some(point)), freezing);

    let error = sent.unwrap_err();
    assert_eq!(error.sent, Sent::No);
    assert!(error.failure.message.ends_with("nothing was sent"), "{error}");
    assert!(!watch.close());
}
