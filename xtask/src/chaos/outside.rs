//! The outside world: a server that hands out work, obeys, and counts what really happened.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::chance::Chance;
use super::time;

/// How many events are handed out at a time.
const BATCH: u64 = 20;

/// A server on loopback.
///
/// `GET /more/W/N` tells the producer of workflow W, which has made N events, how many it should have made. `POST /keyed/W/N` is
/// obeyed once per idempotency key, `POST /asked/W/N` whenever it comes, and `GET /asked?key=K` tells whether one came.
#[derive(Debug)]
pub(crate) struct Outside {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// How much work there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Supply {
    /// For each workflow, at the most.
    pub(crate) events_each: u64,
    /// How much may wait to be done, over all workflows.
    pub(crate) ahead: u64,
    /// How long a request takes, at the most.
    pub(crate) delay: Duration,
}

#[derive(Debug)]
struct State {
    supply: Supply,
    chance: Chance,
    /// How many events each workflow was asked for.
    asked_for: BTreeMap<String, u64>,
    /// How often what a path stands for was done.
    effects: BTreeMap<String, u64>,
    keys: BTreeSet<String>,
}

/// What was found outside.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// How many events were asked for, each of which stands for one effect.
    pub(crate) expected: u64,
    /// How many of them were done.
    pub(crate) done: u64,
    /// How many times too often something was done, or what nobody had asked for.
    pub(crate) too_often: u64,
}

impl Outside {
    /// Starts it; it ends with the process.
    pub(crate) fn start(seed: u64) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free loopback port")?;
        let address = listener.local_addr()?;
        let supply = Supply { events_each: 0, ahead: 0, delay: Duration::ZERO };
        let state = Arc::new(Mutex::new(State::new(supply, Chance::new(seed))));
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

    /// Forgets everything and begins to hand out work.
    pub(crate) fn open(&self, supply: Supply) {
        let mut state = lock(&self.state);
        let chance = state.chance.fork();
        *state = State::new(supply, chance);
    }

    /// Hands out nothing more.
    pub(crate) fn close(&self) {
        lock(&self.state).supply.events_each = 0;
    }

    /// Whether everything that there is was handed out.
    pub(crate) fn is_handed_out(&self, n_workflows: usize) -> bool {
        let state = lock(&self.state);
        let full = |n: &&u64| **n >= state.supply.events_each;
        state.asked_for.values().filter(full).count() >= n_workflows
    }

    pub(crate) fn count(&self) -> Count {
        let state = lock(&self.state);
        let mut count = Count { expected: state.expected(), ..Count::default() };
        for (path, times) in &state.effects {
            let is_expected = state.is_expected(path);
            count.done += u64::from(is_expected);
            count.too_often += times - u64::from(is_expected);
        }
        count
    }
}

impl State {
    const fn new(supply: Supply, chance: Chance) -> Self {
        Self {
            supply,
            chance,
            asked_for: BTreeMap::new(),
            effects: BTreeMap::new(),
            keys: BTreeSet::new(),
        }
    }

    fn expected(&self) -> u64 {
        self.asked_for.values().sum()
    }

    /// Whether the path, `/keyed/W/N` or `/asked/W/N`, stands for an event that was asked for.
    fn is_expected(&self, path: &str) -> bool {
        let mut parts = path.split('/').skip(2);
        let (workflow, number) = (parts.next().unwrap_or_default(), parts.next());
        let number: Option<u64> = number.and_then(|number| number.parse().ok());
        let n_asked_for = self.asked_for.get(workflow).copied().unwrap_or_default();
        number.is_some_and(|number| number < n_asked_for)
    }

    fn answer(&mut self, request: &Request) -> String {
        let Request { path, key } = request;
        if let Some((_, key)) = path.split_once("?key=") {
            let is_known = self.keys.contains(key);
            return answered(if is_known { "200 OK" } else { "404 Not Found" }, "null");
        }
        if let Some(rest) = path.strip_prefix("/more/") {
            return answered("200 OK", &self.hand_out(rest).to_string());
        }
        let is_new = self.keys.insert(key.clone());
        if is_new || !path.starts_with("/keyed/") {
            *self.effects.entry(path.clone()).or_default() += 1;
        }
        answered("201 Created", "null")
    }

    /// How many events the workflow should have made; the same question has the same or a greater answer.
    fn hand_out(&mut self, question: &str) -> u64 {
        let (workflow, made) = question.split_once('/').unwrap_or((question, ""));
        let made: u64 = made.parse().unwrap_or_default();
        let n_done = u64::try_from(self.effects.len()).unwrap_or(u64::MAX);
        let is_too_far_ahead = self.expected().saturating_sub(n_done) >= self.supply.ahead;
        let asked_for = self.asked_for.entry(workflow.to_owned()).or_default();
        if made >= *asked_for && !is_too_far_ahead {
            let more = (made + BATCH).min(self.supply.events_each);
            *asked_for = (*asked_for).max(more);
        }
        *asked_for
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    // A client that died before its request was whole has asked for nothing.
    let Some(request) = Request::read(&stream) else { return };
    let delay = {
        let mut state = lock(state);
        let longest = u64::try_from(state.supply.delay.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(state.chance.below(longest / 2 + 1))
    };
    time::pause(delay);
    let answer = lock(state).answer(&request);
    time::pause(delay);
    // Nor does it matter to a dead one what is answered.
    let _unheard = stream.write_all(answer.as_bytes());
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answered(status: &str, body: &str) -> String {
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
    /// None where it breaks off.
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
        let supply = Supply { events_each: 30, ahead: 100, delay: Duration::ZERO };
        State::new(supply, Chance::new(0))
    }

    fn request(path: &str, key: &str) -> Request {
        Request { path: path.to_owned(), key: key.to_owned() }
    }

    fn count(state: State) -> (u64, u64, u64) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let count = Outside { address, state: Arc::new(Mutex::new(state)) }.count();
        (count.expected, count.done, count.too_often)
    }

    #[test]
    fn work_is_handed_out_in_batches_to_the_end_and_again_to_who_asks_again() {
        let mut state = state();

        let answers = ["w/0", "w/0", "w/20", "w/30"].map(|question| state.hand_out(question));

        assert_eq!(answers, [20, 20, 30, 30]);
    }

    #[test]
    fn nobody_is_asked_for_more_while_too_much_waits() {
        let mut state = state();
        state.supply.ahead = 20;

        let answers = ["a/0", "b/0"].map(|question| state.hand_out(question));

        assert_eq!(answers, [20, 0]);
    }

    #[test]
    fn what_is_done_twice_counts_as_too_often_unless_its_key_is_known() {
        let mut state = state();
        state.hand_out("w/0");

        for path in ["/keyed/w/0", "/keyed/w/0", "/asked/w/1", "/asked/w/1"] {
            state.answer(&request(path, path));
        }
        state.answer(&request("/keyed/w/0", "another key"));

        assert_eq!(count(state), (20, 2, 2));
    }

    #[test]
    fn what_nobody_asked_for_counts_as_too_often() {
        let mut state = state();
        state.hand_out("w/0");

        state.answer(&request("/keyed/w/20", "a"));

        assert_eq!(count(state), (20, 0, 1));
    }
}
