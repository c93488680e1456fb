//! An outside world that obeys, and often does not say so.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::crash::request::Request;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It is obeyed and answered.
    Answered,
    /// It is obeyed, and the connection closed without an answer.
    LostAfterwards,
    /// It is not obeyed, and the connection closed without an answer.
    LostBefore,
    /// It is obeyed, and the answer breaks off in its first line.
    Cut,
    /// It is obeyed, and answered with 500.
    ObeyedWithError,
    /// It is not obeyed, and answered with 503.
    Unavailable,
}

/// All of them, the usual one as often as makes for one request in two.
const FATES: [Fate; 10] = [
    Fate::Answered,
    Fate::Answered,
    Fate::Answered,
    Fate::Answered,
    Fate::Answered,
    Fate::LostAfterwards,
    Fate::LostBefore,
    Fate::Cut,
    Fate::ObeyedWithError,
    Fate::Unavailable,
];

/// A server on loopback. `POST /keyed…/X` is obeyed once per idempotency key, `POST` of anything else whenever it comes; `GET
/// /asked…?key=K` tells whether a request with that key was obeyed.
#[derive(Debug)]
pub(crate) struct UnreliableServer {
    address: SocketAddr,
    inside: Arc<Inside>,
}

#[derive(Debug)]
struct Inside {
    state: Mutex<State>,
    a_connection_ended: Condvar,
}

#[derive(Debug)]
struct State {
    random: Random,
    n_connections: usize,
    fates: BTreeMap<Fate, usize>,
    /// How often what a path stands for was done.
    effects: BTreeMap<String, usize>,
    /// The keys of the requests that were obeyed.
    keys: BTreeSet<String>,
}

impl UnreliableServer {
    /// Starts it; it ends with the test's process.
    pub(crate) fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            random: Random(seed),
            n_connections: 0,
            fates: BTreeMap::new(),
            effects: BTreeMap::new(),
            keys: BTreeSet::new(),
        };
        let inside =
            Arc::new(Inside { state: Mutex::new(state), a_connection_ended: Condvar::new() });
        let serving = Arc::clone(&inside);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.state().n_connections += 1;
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        Self { address, inside }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until everything was read that clients sent before this call, dead ones among them.
    pub(crate) fn settle(&self) {
        // Connections are accepted in their order: when this one is, so are all that were made before it.
        let mut last = TcpStream::connect(self.address).unwrap();
        last.write_all(b"GET /last HTTP/1.1\r\n\r\n").unwrap();
        last.read_to_end(&mut Vec::new()).unwrap();
        let state = self.inside.state();
        drop(
            self.inside
                .a_connection_ended
                .wait_while(state, |state| state.n_connections > 0)
                .unwrap(),
        );
    }

    /// Whether a request with this key was obeyed.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.inside.state().keys.contains(key)
    }

    /// How often what this path stands for was done.
    pub(crate) fn effects(&self, path: &str) -> usize {
        self.inside.state().effects.get(path).copied().unwrap_or_default()
    }

    pub(crate) fn n_effects(&self) -> usize {
        self.inside.state().effects.len()
    }

    pub(crate) fn fates(&self) -> BTreeMap<Fate, usize> {
        self.inside.state().fates.clone()
    }
}

impl Inside {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, mut stream: TcpStream) {
        // A client that died before its request was whole has asked for nothing.
        if let Some(request) = Request::read(&stream) {
            let answer = self.answer(&request);
            // Nor does it matter to a dead one what is answered.
            let _unheard = stream.write_all(answer.as_bytes());
        }
        drop(stream);
        self.state().n_connections -= 1;
        self.a_connection_ended.notify_all();
    }

    /// Obeys or not, and says what is said of it.
    #[expect(clippy::disallowed_methods, reason = "clients die while a server is at work")]
    fn answer(&self, request: &Request) -> String {
        if request.path == "/last" {
            return answered("204 No Content");
        }
        let mut state = self.state();
        let delay = Duration::from_micros(state.random.below(3_000));
        let fate = FATES.get(usize::try_from(state.random.below(10)).unwrap()).copied().unwrap();
        *state.fates.entry(fate).or_default() += 1;
        drop(state);
        std::thread::sleep(delay);
        if matches!(fate, Fate::LostBefore) {
            return String::new();
        }
        if matches!(fate, Fate::Unavailable) {
            return answered("503 Service Unavailable");
        }
        let status = self.obey(request);
        std::thread::sleep(delay);
        match fate {
            Fate::Answered => answered(status),
            Fate::Cut => "HTTP/1.1 20".to_owned(),
            Fate::ObeyedWithError => answered("500 Internal Server Error"),
            Fate::LostAfterwards | Fate::LostBefore | Fate::Unavailable => String::new(),
        }
    }

    fn obey(&self, request: &Request) -> &'static str {
        let mut state = self.state();
        if let Some((_, key)) = request.path.split_once("?key=") {
            return if state.keys.contains(key) { "200 OK" } else { "404 Not Found" };
        }
        let is_new = state.keys.insert(request.key.clone());
        if is_new || !request.path.starts_with("/keyed") {
            *state.effects.entry(request.path.clone()).or_default() += 1;
        }
        "201 Created"
    }
}

fn answered(status: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// Numbers that only the seed decides (`SplitMix64`).
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}
