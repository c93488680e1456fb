//! The server on a socket: what slow and idle clients do to it, and how it ends.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use windlass_api::http::Server;

use crate::instance::Instance;

/// A server that listens, and its end.
async fn serving(instance: &Instance) -> (SocketAddr, JoinHandle<()>) {
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let address = server.address();
    (address, tokio::spawn(server.serve(instance.parts())))
}

/// Sends a text and reads all that is answered until the server closes the connection.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn idle_connections_hold_nobody_up() {
    let instance = Instance::on_sqlite().await;
    let (address, _serving) = serving(&instance).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(address).await.unwrap());
    }

    let answer = exchange(address, HEALTH).await;

    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_no_whole_request_is_not_waited_for() {
    let instance = Instance::on_sqlite().await;
    let (address, _serving) = serving(&instance).await;
    // From here on nothing but the clock is waited for.
    tokio::time::pause();

    for begun in ["", "GET /healthz HTTP/1.1\r\nhost: local"] {
        let answer = exchange(address, begun).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn a_request_with_huge_headers_is_refused() {
    let instance = Instance::on_sqlite().await;
    let (address, _serving) = serving(&instance).await;
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();

    let answer = exchange(address, &format!("GET /healthz HTTP/1.1\r\n{many}\r\n")).await;

    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert!(exchange(address, HEALTH).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn the_server_ends_though_a_connection_is_open() {
    let instance = Instance::on_sqlite().await;
    let (address, serving) = serving(&instance).await;
    let _idle = TcpStream::connect(address).await.unwrap();
    assert!(exchange(address, HEALTH).await.starts_with("HTTP/1.1 200 OK"));

    instance.stop.cancel();

    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "it listens no longer");
}
