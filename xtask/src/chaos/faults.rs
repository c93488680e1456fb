//! The faults. Each function injects a fault, waits, repairs it, and returns how many faults it injected.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::database::{Database, USER};
use super::disk::SmallDisk;
use super::rng::Rng;
use super::time;
use super::workers::Workers;
use crate::postgres::{Postgres, Shutdown};

/// What a fault acts on.
#[derive(Debug)]
pub(crate) struct FaultContext<'a> {
    pub(crate) postgres: &'a Postgres,
    pub(crate) database: Database,
    /// The disk of the database, in the scenario that fills it.
    pub(crate) disk: Option<SmallDisk>,
    pub(crate) workers: Workers,
    pub(crate) rng: Rng,
    pub(crate) lease: Duration,
    /// When the last fault is injected.
    pub(crate) until: Instant,
    /// What else is worth knowing.
    pub(crate) notes: Vec<String>,
}

impl FaultContext<'_> {
    fn random_worker(&mut self) -> usize {
        let n_workers = u64::try_from(self.workers.len()).unwrap_or(u64::MAX);
        usize::try_from(self.rng.below(n_workers)).unwrap_or(0)
    }

    /// How long a blocking fault lasts: until the time for faults is over, at most `longest`, and at least two seconds.
    fn fault_duration(&self, longest: Duration) -> Duration {
        let left = self.until.saturating_duration_since(time::now());
        left.min(longest).max(Duration::from_secs(2))
    }

    /// Lets the load run undisturbed for a random time.
    fn pause_between(&mut self, least_ms: u64, most_ms: u64) {
        time::pause(Duration::from_millis(least_ms + self.rng.below(most_ms - least_ms)));
    }
}

/// How long a transaction is left open.
const MAX_IDLE_TRANSACTION: Duration = Duration::from_secs(150);

/// Kills a worker. It restarts at once and recovers its own runs, or after its leases ended and others have recovered them.
pub(crate) fn kill(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    let worker = context.random_worker();
    context.workers.kill(worker)?;
    if context.rng.below(3) == 0 {
        time::pause(context.lease + Duration::from_millis(500));
    }
    context.workers.restart(worker)?;
    context.pause_between(300, 1_500);
    Ok(1)
}

/// Freezes a worker until others have taken its runs, then resumes it.
pub(crate) fn freeze(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    let worker = context.random_worker();
    context.workers.signal(worker, "STOP")?;
    time::pause(context.lease);
    context.pause_between(500, 1_500);
    context.workers.signal(worker, "CONT")?;
    context.pause_between(200, 1_000);
    Ok(1)
}

/// Restarts PostgreSQL, by a crash or by a fast shutdown.
pub(crate) fn restart(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    let how = if context.rng.below(2) == 0 { Shutdown::Immediate } else { Shutdown::Fast };
    context.postgres.restart(how)?;
    context.pause_between(300, 3_000);
    Ok(1)
}

/// Closes all connections of the workers.
pub(crate) fn disconnect(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    let n_closed = close_connections(&context.database)?;
    context.pause_between(50, 800);
    Ok(n_closed)
}

/// Another client takes every connection that the server has.
pub(crate) fn exhaust_connections(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    let mut others = Vec::new();
    let mut n_refused = 0;
    close_connections(&context.database)?;
    let until = time::now() + context.fault_duration(Duration::from_secs(10));
    while time::now() < until {
        match connect(context.postgres.port())? {
            Some(other) => others.push(other),
            None if n_refused == 0 => {
                n_refused = 1;
                // The server is full: a worker that loses its connection now cannot reconnect.
                close_connections(&context.database)?;
            }
            None => time::pause(Duration::from_millis(20)),
        }
    }
    drop(others);
    context.pause_between(500, 2_000);
    Ok(n_refused)
}

/// Leaves a transaction open that has locked a tenth of the workflows, or some active runs.
pub(crate) fn idle(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    // Both locks, in turn.
    let lock = if context.notes.len().is_multiple_of(2) {
        "SELECT FROM workflows WHERE name LIKE '%1' FOR UPDATE"
    } else {
        "SELECT FROM handler_runs WHERE status = 'active' LIMIT 3 FOR UPDATE"
    };
    let consumed = "SELECT count(*) FROM events WHERE status = 'consumed'";
    let transaction = context.database.idle_after(lock)?;
    // Longer than a worker waits for a lock, and short enough for two of them.
    let left = context.until.saturating_duration_since(time::now());
    let duration = context.fault_duration(
        if context.notes.is_empty() { left / 2 } else { left }.min(MAX_IDLE_TRANSACTION),
    );
    let [before] = context.database.numbers(consumed)?;
    time::pause(duration);
    let [after] = context.database.numbers(consumed)?;
    let [n_open] = context.database.numbers(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND usename = 'postgres'",
    )?;
    drop(transaction);
    context.notes.push(format!(
        "{} events were consumed in {duration:.1?} while a transaction held `{lock}`",
        after - before
    ));
    context.pause_between(500, 1_500);
    Ok(n_open)
}

/// Sets the clock of a worker forward or back by up to ten minutes.
pub(crate) fn shift_clock(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    let worker = context.random_worker();
    let sign = if context.rng.below(2) == 0 { '+' } else { '-' };
    let offset = format!("{sign}{}\n", 60 + context.rng.below(540));
    std::fs::write(context.workers.folder(worker)?.join(super::clocks::FILE), offset)?;
    context.pause_between(300, 1_500);
    Ok(1)
}

/// Fills the disk of the database.
pub(crate) fn fill_disk(context: &mut FaultContext<'_>) -> anyhow::Result<u64> {
    let Some(disk) = &context.disk else { return Ok(0) };
    disk.fill()?;
    time::pause(Duration::from_millis(500));
    let grown = context.database.ask("CREATE TABLE grown AS SELECT generate_series(1, 100000)");
    time::pause(context.fault_duration(Duration::from_secs(5)));
    disk.restore_size()?;
    context.database.ask("DROP TABLE IF EXISTS grown")?;
    context.pause_between(500, 3_000);
    let is_full = grown.is_err_and(|error| error.to_string().contains("No space left"));
    Ok(u64::from(is_full))
}

fn close_connections(database: &Database) -> anyhow::Result<u64> {
    let [n_closed] = database.numbers(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE usename = '{USER}' AND application_name <> '{INTRUDER}'"
    ))?;
    Ok(n_closed)
}

/// The application name of the connections that this program opens to fill the server.
const INTRUDER: &str = "intruder";

/// Opens a connection and leaves it idle; none where the server refuses it.
fn connect(port: u16) -> anyhow::Result<Option<TcpStream>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&startup_message()?)?;
    loop {
        // Each message has a kind and a length, which counts itself.
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        match kind {
            b'Z' => return Ok(Some(stream)),
            b'E' => return Ok(None),
            _ => {}
        }
        let length = usize::try_from(u32::from_be_bytes(length))?;
        stream.read_exact(&mut vec![0; length.saturating_sub(4)])?;
    }
}

/// The first message of PostgreSQL's protocol 3.0.
fn startup_message() -> anyhow::Result<Vec<u8>> {
    let rest = format!("user\0{USER}\0database\0postgres\0application_name\0{INTRUDER}\0\0");
    let length = u32::try_from(rest.len() + 8)?;
    Ok([&length.to_be_bytes(), &196_608_u32.to_be_bytes(), rest.as_bytes()].concat())
}
