//! The service that workflows call: it requests events, performs effects, and counts what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::rng::Rng;
use super::time;

/// How many events are requested at a time.
const BATCH: u64 = 20;

/// A server on loopback.
///
/// `GET /more/W/N` tells the producer of workflow W, which has made N events, how many it should have made. `POST /keyed/W/N` is
/// performed once per idempotency key, `POST /asked/W/N` whenever it comes, and `GET /asked?key=K` tells whether one came.
#[derive(Debug)]
pub(crate) struct FakeService {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// How many events are requested.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    /// The most for each workflow.
    pub(crate) max_events_per_workflow: u64,
    /// How many requested events may be unfinished, over all workflows.
    pub(crate) max_backlog: u64,
    /// The longest time that a request takes.
    pub(crate) max_delay: Duration,
}

#[derive(Debug)]
struct State {
    demand: Demand,
    rng: Rng,
    /// How many events were requested of each workflow.
    requested: BTreeMap<String, u64>,
    /// How often the effect of each path was performed.
    effects: BTreeMap<String, u64>,
    keys: BTreeSet<String>,
}

/// What the service counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// How many events were requested; each leads to one effect.
    pub(crate) expected: u64,
    /// How many of these effects were performed.
    pub(crate) done: u64,
    /// How many effects were performed twice or were never requested.
    pub(crate) excess: u64,
}

impl FakeService {
    /// Starts it; it ends with the process.
    pub(crate) fn start(seed: u64) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free loopback port")?;
        let address = listener.local_addr()?;
        let demand =
            Demand { max_events_per_workflow: 0, max_backlog: 0, max_delay: Duration::ZERO };
        let state = Arc::new(Mutex::new(State::new(demand, Rng::new(seed))));
        let serving = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serve(stream, &serving));
            }
        });
        Ok(Self { address, state })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forgets everything and begins to request events.
    pub(crate) fn open(&self, demand: Demand) {
        let mut state = lock(&self.state);
        let rng = state.rng.fork();
        *state = State::new(demand, rng);
    }

    /// Requests nothing more.
    pub(crate) fn close(&self) {
        lock(&self.state).demand.max_events_per_workflow = 0;
    }

    /// Whether every workflow was asked for all its events.
    pub(crate) fn is_fully_requested(&self, n_workflows: usize) -> bool {
        let state = lock(&self.state);
        let full = |n: &&u64| **n >= state.demand.max_events_per_workflow;
        state.requested.values().filter(full).count() >= n_workflows
    }

    pub(crate) fn count(&self) -> Count {
        let state = lock(&self.state);
        let mut count = Count { expected: state.expected(), ..Count::default() };
        for (path, times) in &state.effects {
            let is_expected = state.is_expected(path);
            count.done += u64::from(is_expected);
            count.excess += times - u64::from(is_expected);
        }
        count
    }
}

impl State {
    const fn new(demand: Demand, rng: Rng) -> Self {
        Self {
            demand,
            rng,
            requested: BTreeMap::new(),
            effects: BTreeMap::new(),
            keys: BTreeSet::new(),
        }
    }

    fn expected(&self) -> u64 {
        self.requested.values().sum()
    }

    /// Whether the path, `/keyed/W/N` or `/asked/W/N`, stands for an event that was requested.
    fn is_expected(&self, path: &str) -> bool {
        let mut parts = path.split('/').skip(2);
        let (workflow, number) = (parts.next().unwrap_or_default(), parts.next());
        let number: Option<u64> = number.and_then(|number| number.parse().ok());
        let n_requested = self.requested.get(workflow).copied().unwrap_or_default();
        number.is_some_and(|number| number < n_requested)
    }

    fn answer(&mut self, request: &Request) -> String {
        let Request { path, key } = request;
        if let Some((_, key)) = path.split_once("?key=") {
            let is_known = self.keys.contains(key);
            return response(if is_known { "200 OK" } else { "404 Not Found" }, "null");
        }
        if let Some(rest) = path.strip_prefix("/more/") {
            return response("200 OK", &self.events_wanted(rest).to_string());
        }
        let is_new = self.keys.insert(key.clone());
        if is_new || !path.starts_with("/keyed/") {
            *self.effects.entry(path.clone()).or_default() += 1;
        }
        response("201 Created", "null")
    }

    /// How many events the workflow should have made; it never decreases.
    fn events_wanted(&mut self, query: &str) -> u64 {
        let (workflow, made) = query.split_once('/').unwrap_or((query, ""));
        let made: u64 = made.parse().unwrap_or_default();
        let n_done = u64::try_from(self.effects.len()).unwrap_or(u64::MAX);
        let has_full_backlog = self.expected().saturating_sub(n_done) >= self.demand.max_backlog;
        let requested = self.requested.entry(workflow.to_owned()).or_default();
        if made >= *requested && !has_full_backlog {
            let more = (made + BATCH).min(self.demand.max_events_per_workflow);
            *requested = (*requested).max(more);
        }
        *requested
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    // A client that died before its request was complete has requested nothing.
    let Some(request) = Request::read(&stream) else { return };
    let delay = {
        let mut state = lock(state);
        let longest = u64::try_from(state.demand.max_delay.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(state.rng.below(longest / 2 + 1))
    };
    time::pause(delay);
    let answer = lock(state).answer(&request);
    time::pause(delay);
    // The client may be dead by now.
    let _unsent = stream.write_all(answer.as_bytes());
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn response(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

struct Request {
    path: String,
    key: String,
}

impl Request {
    /// None where the stream ends before the request does.
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let n_bytes = field("content-length: ").map_or(Some(0), |it| it.trim().parse().ok())?;
        reader.read_exact(&mut vec![0; n_bytes]).ok()?;
        let path = head.split(' ').nth(1)?.to_owned();
        Some(Self { path, key: field("idempotency-key: ").unwrap_or_default().trim().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let demand =
            Demand { max_events_per_workflow: 30, max_backlog: 100, max_delay: Duration::ZERO };
        State::new(demand, Rng::new(0))
    }

    fn request(path: &str, key: &str) -> Request {
        Request { path: path.to_owned(), key: key.to_owned() }
    }

    fn count(state: State) -> (u64, u64, u64) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let count = FakeService { address, state: Arc::new(Mutex::new(state)) }.count();
        (count.expected, count.done, count.excess)
    }

    #[test]
    fn events_are_requested_in_batches_and_a_repeated_query_has_the_same_answer() {
        let mut state = state();

        let answers = ["w/0", "w/0", "w/20", "w/30"].map(|query| state.events_wanted(query));

        assert_eq!(answers, [20, 20, 30, 30]);
    }

    #[test]
    fn no_more_events_are_requested_while_the_backlog_is_full() {
        let mut state = state();
        state.demand.max_backlog = 20;

        let answers = ["a/0", "b/0"].map(|query| state.events_wanted(query));

        assert_eq!(answers, [20, 0]);
    }

    #[test]
    fn a_repeated_effect_counts_as_excess_unless_its_key_is_known() {
        let mut state = state();
        state.events_wanted("w/0");

        for path in ["/keyed/w/0", "/keyed/w/0", "/asked/w/1", "/asked/w/1"] {
            state.answer(&request(path, path));
        }
        state.answer(&request("/keyed/w/0", "another key"));

        assert_eq!(count(state), (20, 2, 2));
    }

    #[test]
    fn an_effect_that_was_never_requested_counts_as_excess() {
        let mut state = state();
        state.events_wanted("w/0");

        state.answer(&request("/keyed/w/20", "a"));

        assert_eq!(count(state), (20, 0, 1));
    }
}
