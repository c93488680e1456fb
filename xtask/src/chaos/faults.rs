//! What breaks. Each function breaks something, waits, mends it, and returns how often it broke something.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::chance::Chance;
use super::database::{Database, USER};
use super::disk::SmallDisk;
use super::time;
use super::workers::Workers;
use crate::postgres::{Postgres, Shutdown};

/// Where things break.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    pub(crate) postgres: &'a Postgres,
    pub(crate) database: Database,
    /// Where the database lies, in the scenario that fills it.
    pub(crate) disk: Option<SmallDisk>,
    pub(crate) workers: Workers,
    pub(crate) chance: Chance,
    pub(crate) lease: Duration,
    /// When nothing breaks any more.
    pub(crate) until: Instant,
    /// What else is worth knowing.
    pub(crate) notes: Vec<String>,
}

impl Stage<'_> {
    fn any_worker(&mut self) -> usize {
        let n_workers = u64::try_from(self.workers.len()).unwrap_or(u64::MAX);
        usize::try_from(self.chance.below(n_workers)).unwrap_or(0)
    }

    /// How long something that blocks others is kept up: no longer than things may break, and long enough to be noticed.
    fn hold(&self, longest: Duration) -> Duration {
        let left = self.until.saturating_duration_since(time::now());
        left.min(longest).max(Duration::from_secs(2))
    }

    /// Lets everything work for a moment, between so many milliseconds.
    fn breathe(&mut self, least_ms: u64, most_ms: u64) {
        time::pause(Duration::from_millis(least_ms + self.chance.below(most_ms - least_ms)));
    }
}

/// How long a transaction is left open.
const LONGEST_IDLE: Duration = Duration::from_secs(150);

/// A worker is killed. It comes back at once and takes over from itself, or so late that others do when its leases end.
pub(crate) fn kill(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let worker = stage.any_worker();
    stage.workers.kill(worker)?;
    if stage.chance.below(3) == 0 {
        time::pause(stage.lease + Duration::from_millis(500));
    }
    stage.workers.start_again(worker)?;
    stage.breathe(300, 1_500);
    Ok(1)
}

/// A worker is frozen until others have taken its runs, and then goes on as if nothing had happened.
pub(crate) fn freeze(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let worker = stage.any_worker();
    stage.workers.signal(worker, "STOP")?;
    time::pause(stage.lease);
    stage.breathe(500, 1_500);
    stage.workers.signal(worker, "CONT")?;
    stage.breathe(200, 1_000);
    Ok(1)
}

/// PostgreSQL is restarted, as by a crash or with every connection closed.
pub(crate) fn restart(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let how = if stage.chance.below(2) == 0 { Shutdown::Immediate } else { Shutdown::Fast };
    stage.postgres.restart(how)?;
    stage.breathe(300, 3_000);
    Ok(1)
}

/// All connections of workers are closed, wherever they are.
pub(crate) fn disconnect(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let n_closed = close_connections(&stage.database)?;
    stage.breathe(50, 800);
    Ok(n_closed)
}

/// Others take the connections of the workers, and all that are left.
pub(crate) fn crowd(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let mut others = Vec::new();
    let mut n_refused = 0;
    close_connections(&stage.database)?;
    let until = time::now() + stage.hold(Duration::from_secs(10));
    while time::now() < until {
        match connect(stage.postgres.port())? {
            Some(other) => others.push(other),
            None if n_refused == 0 => {
                n_refused = 1;
                // Now that there is no room, none of them comes back while others are waiting for it.
                close_connections(&stage.database)?;
            }
            None => time::pause(Duration::from_millis(20)),
        }
    }
    drop(others);
    stage.breathe(500, 2_000);
    Ok(n_refused)
}

/// A transaction is left open that has locked a tenth of the workflows, or of the runs under way, and sees all as it was.
pub(crate) fn idle(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    // One after the other.
    let lock = if stage.notes.len().is_multiple_of(2) {
        "SELECT FROM workflows WHERE name LIKE '%1' FOR UPDATE"
    } else {
        "SELECT FROM handler_runs WHERE status = 'active' LIMIT 3 FOR UPDATE"
    };
    let consumed = "SELECT count(*) FROM events WHERE status = 'consumed'";
    let transaction = stage.database.idle_after(lock)?;
    // Longer than a worker waits for a lock, and twice while things may break.
    let left = stage.until.saturating_duration_since(time::now());
    let hold = stage.hold(if stage.notes.is_empty() { left / 2 } else { left }.min(LONGEST_IDLE));
    let [before] = stage.database.numbers(consumed)?;
    time::pause(hold);
    let [after] = stage.database.numbers(consumed)?;
    let [n_open] = stage.database.numbers(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND usename = 'postgres'",
    )?;
    drop(transaction);
    stage.notes.push(format!(
        "{} events were consumed in {hold:.1?} while a transaction held `{lock}`",
        after - before
    ));
    stage.breathe(500, 1_500);
    Ok(n_open)
}

/// The clock of a worker jumps by up to ten minutes, forward or back.
pub(crate) fn skew(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let worker = stage.any_worker();
    let sign = if stage.chance.below(2) == 0 { '+' } else { '-' };
    let offset = format!("{sign}{}\n", 60 + stage.chance.below(540));
    std::fs::write(stage.workers.folder(worker)?.join(super::clocks::FILE), offset)?;
    stage.breathe(300, 1_500);
    Ok(1)
}

/// The disk of the database has no room.
pub(crate) fn fill(stage: &mut Stage<'_>) -> anyhow::Result<u64> {
    let Some(disk) = &stage.disk else { return Ok(0) };
    disk.fill()?;
    time::pause(Duration::from_millis(500));
    let grown = stage.database.ask("CREATE TABLE grown AS SELECT generate_series(1, 100000)");
    time::pause(stage.hold(Duration::from_secs(5)));
    disk.make_room()?;
    stage.database.ask("DROP TABLE IF EXISTS grown")?;
    stage.breathe(500, 3_000);
    let is_full = grown.is_err_and(|error| error.to_string().contains("No space left"));
    Ok(u64::from(is_full))
}

fn close_connections(database: &Database) -> anyhow::Result<u64> {
    let [n_closed] = database.numbers(&format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE usename = '{USER}' AND application_name <> '{CROWD}'"
    ))?;
    Ok(n_closed)
}

/// By which name the connections go that are in the way.
const CROWD: &str = "crowd";

/// A connection that does nothing but be there; none where the server has no room for it.
fn connect(port: u16) -> anyhow::Result<Option<TcpStream>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.write_all(&start_up()?)?;
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
fn start_up() -> anyhow::Result<Vec<u8>> {
    let rest = format!("user\0{USER}\0database\0postgres\0application_name\0{CROWD}\0\0");
    let length = u32::try_from(rest.len() + 8)?;
    Ok([&length.to_be_bytes(), &196_608_u32.to_be_bytes(), rest.as_bytes()].concat())
}
