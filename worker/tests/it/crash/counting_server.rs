//! An outside world that counts what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::crash::request::Request;

/// The idempotency keys that came to each path.
type Keys = Mutex<BTreeMap<String, BTreeSet<String>>>;

/// A server on loopback that obeys every request and counts it.
pub(crate) struct CountingServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    /// The idempotency keys that came to each path.
    keys: Arc<Keys>,
}

impl CountingServer {
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
                answer(stream, &counted, &kept);
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

fn answer(mut stream: TcpStream, counted: &AtomicUsize, keys: &Keys) {
    // A client that died before its request was complete has asked for nothing.
    let Some(request) = Request::read(&stream) else { return };
    counted.fetch_add(1, Ordering::SeqCst);
    keys.lock().unwrap().entry(request.path).or_default().insert(request.key);
    // The client may have died meanwhile. Then nobody reads the response.
    let _unheard =
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
}
