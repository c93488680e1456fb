//! A pooler in transaction mode is refused, one that keeps sessions is not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests: what cannot be unwrapped fails the test"
)]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use windlass_core::Policy;
use windlass_store::{PostgresStore, StoreError};
use windlass_store_conformance::PostgresSchema;

/// When a client gives its session back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum PoolMode {
    /// When it goes.
    Session,
    /// After each transaction, to whoever comes next.
    Transaction,
}

/// Sessions of the server that nobody uses at the moment; the last one used is the first to be used again.
#[derive(Clone)]
struct Pooler {
    server: String,
    mode: PoolMode,
    idle: Arc<Mutex<Vec<Session>>>,
}

struct Session {
    stream: TcpStream,
    /// What the server said when it began.
    greeting: Vec<u8>,
}

impl Pooler {
    /// A port that leads to `server` by way of a pooler.
    async fn start(server: String, mode: PoolMode) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pooler = Self { server, mode, idle: Arc::default() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let pooler = pooler.clone();
                // A client that goes away ends its task.
                tokio::spawn(async move { drop(pooler.serve(client).await) });
            }
        });
        port
    }

    async fn serve(&self, mut client: TcpStream) -> std::io::Result<()> {
        let hello = loop {
            let hello = packet(&mut client).await?;
            // A question for encryption.
            if hello[4..8] != 80_877_103_u32.to_be_bytes() {
                break hello;
            }
            client.write_all(b"N").await?;
        };
        if self.mode == PoolMode::Session {
            let mut server = TcpStream::connect(&self.server).await?;
            server.write_all(&hello).await?;
            return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop);
        }
        let session = self.session(&hello).await?;
        client.write_all(&session.greeting).await?;
        let mut held = self.give_back(session, b'I');
        loop {
            let request = message(&mut client).await?;
            let mut session = match held.take() {
                Some(session) => session,
                None => self.session(&hello).await?,
            };
            session.stream.write_all(&request).await?;
            held = match request[0] {
                // A query, and the end of others.
                b'Q' | b'S' => {
                    let status = self.pass_back(&mut session, &mut client).await?;
                    self.give_back(session, status)
                }
                _ => Some(session),
            };
        }
    }

    async fn session(&self, hello: &[u8]) -> std::io::Result<Session> {
        if let Some(session) = self.idle.lock().unwrap().pop() {
            return Ok(session);
        }
        let mut stream = TcpStream::connect(&self.server).await?;
        stream.write_all(hello).await?;
        let mut greeting = Vec::new();
        loop {
            let said = message(&mut stream).await?;
            greeting.extend(&said);
            if said[0] == b'Z' {
                return Ok(Session { stream, greeting });
            }
        }
    }

    /// Passes on the answer up to the status that ends it.
    async fn pass_back(
        &self,
        session: &mut Session,
        client: &mut TcpStream,
    ) -> std::io::Result<u8> {
        loop {
            let said = message(&mut session.stream).await?;
            client.write_all(&said).await?;
            if said[0] == b'Z' {
                return Ok(said[5]);
            }
        }
    }

    /// Keeps the session only within a transaction.
    fn give_back(&self, session: Session, status: u8) -> Option<Session> {
        if status != b'I' {
            return Some(session);
        }
        self.idle.lock().unwrap().push(session);
        None
    }
}

/// What begins with its length.
async fn packet(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut packet = stream.read_u32().await?.to_be_bytes().to_vec();
    let length = u32::from_be_bytes(packet[..4].try_into().unwrap());
    packet.resize(length as usize, 0);
    stream.read_exact(&mut packet[4..]).await?;
    Ok(packet)
}

/// What begins with its kind.
async fn message(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![stream.read_u8().await?];
    message.extend(packet(stream).await?);
    Ok(message)
}

/// The schema's URL by way of a pooler.
async fn by_way_of_pooler(schema: &PostgresSchema, mode: PoolMode) -> String {
    let url = schema.url();
    let server = url.split(['@', '/']).nth(3).unwrap().to_owned();
    let port = Pooler::start(server.clone(), mode).await;
    url.replacen(&server, &format!("127.0.0.1:{port}"), 1)
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_refused_with_what_to_do() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let url = by_way_of_pooler(&schema, PoolMode::Transaction).await;

    let opened = PostgresStore::open(&url, Policy::default(), None, 2).await;
    let migrated = PostgresStore::migrate(&url).await;

    for error in [opened.map(drop).unwrap_err(), migrated.map(drop).unwrap_err()] {
        assert!(matches!(error, StoreError::BadUrl { .. }), "{error}");
        assert!(error.to_string().contains("pool_mode = session"), "{error}");
    }
}

#[tokio::test]
async fn a_pooler_that_keeps_sessions_will_do() {
    let Some(schema) = PostgresSchema::create().await else { return };
    let url = by_way_of_pooler(&schema, PoolMode::Session).await;

    let migrated = PostgresStore::migrate(&url).await.unwrap();
    let opened = PostgresStore::open(&url, Policy::default(), None, 2).await;

    assert!(!migrated.is_empty());
    opened.map(drop).unwrap();
}
