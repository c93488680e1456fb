//! An outside world that counts what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The idempotency keys that came to each path.
type Keys = Mutex<BTreeMap<String, BTreeSet<String>>>;

/// A server on loopback that obeys every request and counts it.
pub(crate) struct Counter {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// The idempotency keys that came to each path.
    keys: Arc<Keys>,
}

impl Counter {
    /// Starts it; it ends with the test's process.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let keys = Arc::new(Mutex::new(BTreeMap::new()));
        let kept = Arc::clone(&keys);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that died before its request was whole has asked for nothing.
                if answer(stream, &counted, &kept).is_err() {
                    continue;
                }
            }
        });
        Self { address, requests, keys }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests were obeyed.
    pub(crate) fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many different keys came to each path since this was asked last: a service that knows keys does each once.
    pub(crate) fn take_keys(&self) -> BTreeMap<String, usize> {
        let keys = std::mem::take(&mut *self.keys.lock().unwrap());
        keys.into_iter().map(|(path, keys)| (path, keys.len())).collect()
    }

    /// The same, and begins again at none.
    pub(crate) fn take(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

fn answer(stream: TcpStream, counted: &AtomicUsize, keys: &Keys) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut key = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("idempotency-key:") {
            value.trim().clone_into(&mut key);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    counted.fetch_add(1, Ordering::SeqCst);
    keys.lock().unwrap().entry(path).or_default().insert(key);
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
    reader.into_inner().write_all(answer)
}
