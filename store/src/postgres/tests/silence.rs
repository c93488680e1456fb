//! Connections that are open and dead: nothing comes back, and nothing says so.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use windlass_store_conformance::PostgresSchema;

use super::super::*;
use super::Make;

/// Stands between a client and the server. `forgotten` counts how often it has lost its connections to the server.
struct Between {
    port: u16,
    forgotten: watch::Sender<u32>,
}

impl Between {
    /// Begins to forward connections to `server`, `host:port`.
    async fn start(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let forgotten = watch::Sender::new(0);
        let losses = forgotten.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(forward(client, server.clone(), losses.subscribe()));
            }
        });
        Self { port, forgotten }
    }
}

/// Forwards both ways until the connections are lost; then it holds the client's open and says nothing.
async fn forward(mut client: TcpStream, server: String, mut losses: watch::Receiver<u32>) {
    let mut server = TcpStream::connect(server).await.unwrap();
    tokio::select! {
        _ended = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _lost = losses.changed() => std::future::pending().await,
    }
}

/// The server's `host:port`, and the same URL with another port.
fn through(url: &str, port: u16) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (place, path) = rest.split_once('/').unwrap();
    let (user, server) = place.rsplit_once('@').unwrap_or(("", place));
    let at = if user.is_empty() { String::new() } else { format!("{user}@") };
    (server.to_owned(), format!("{scheme}://{at}127.0.0.1:{port}/{path}"))
}

#[tokio::test]
async fn a_dead_connection_is_given_up_and_replaced() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let (server, _) = through(&schema.url(), 0);
    let between = Between::start(server).await;
    let (_, url) = through(&schema.url(), between.port);
    let store = PostgresStore::open(&url, Policy::default(), None, 4).await.unwrap();
    store.write(Make("before")).await.unwrap();
    let mut wake_ups = store.subscribe();

    between.forgotten.send_modify(|count| *count += 1);
    // From now on time passes by itself while nothing else happens.
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let given_up = store.write(Make("lost")).await.unwrap_err();
    let waited = began.elapsed();
    tokio::time::resume();

    assert!(given_up.is_transient(), "{given_up}");
    assert!(given_up.to_string().contains("no answer came within 30 s"), "{given_up}");
    assert!(waited <= ANSWER_TIME + Duration::from_secs(1), "{waited:?}");
    store.write(Make("after")).await.unwrap();

    tokio::time::pause();
    // The listening connection is asked, does not answer, and is replaced, which wakes everybody.
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    wake_ups.changed().await.unwrap();
}
