//! `windlass up`: the binary as another process, and what the operating system knows of it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

use crate::database::Database;

/// A worker in a process of its own. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Up {
    process: Child,
    log: PathBuf,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) on_core: Duration,
    pub(crate) switches: u64,
}

impl Up {
    /// Starts one for a database, in that one's folder.
    pub(crate) fn start(database: &Database, slots: u32) -> anyhow::Result<Self> {
        let log = database.folder().join("up.log");
        let file = File::options().create(true).append(true).open(&log)?;
        let process = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(["up", "--slots", &slots.to_string()])
            .current_dir(database.folder())
            .env("WINDLASS_DATABASE", database.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .kill_on_drop(true)
            .spawn()
            .context("could not start `windlass up`")?;
        Ok(Self { process, log })
    }

    /// Ends it as by `kill -9`.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.check()?;
        Ok(self.process.kill().await?)
    }

    /// Fails where it has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let ended = self.process.try_wait()?;
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        ensure!(ended.is_none(), "`windlass up` has ended ({ended:?}): {said}");
        Ok(())
    }

    /// Begins to watch what the process uses.
    pub(crate) fn watch(&self) -> anyhow::Result<Watch> {
        let id = self.process.id().context("`windlass up` has ended")?;
        let mut watch = Watch { tasks: format!("/proc/{id}/task").into(), threads: HashMap::new() };
        watch.look()?;
        Ok(watch)
    }
}

/// What the threads of a process have used, as it was last seen. It has to be looked at again and again: what a thread has used
/// is gone with it.
#[derive(Debug)]
pub(crate) struct Watch {
    tasks: PathBuf,
    threads: HashMap<OsString, Used>,
}

impl Watch {
    /// What all threads have used so far, those included that have ended since they were seen.
    pub(crate) fn look(&mut self) -> anyhow::Result<Used> {
        for thread in std::fs::read_dir(&self.tasks)? {
            let thread = thread?;
            // It may end at this moment.
            let read = |file| std::fs::read_to_string(thread.path().join(file));
            if let (Ok(scheduled), Ok(status)) = (read("schedstat"), read("status")) {
                self.threads.insert(thread.file_name(), Used::read(&scheduled, &status)?);
            }
        }
        let on_core = self.threads.values().map(|used| used.on_core).sum();
        let switches = self.threads.values().map(|used| used.switches).sum();
        Ok(Used { on_core, switches })
    }
}

impl Used {
    fn read(scheduled: &str, status: &str) -> anyhow::Result<Self> {
        let nanos: Option<u64> =
            scheduled.split_whitespace().next().and_then(|word| word.parse().ok());
        let on_core = Duration::from_nanos(nanos.context("no time in `schedstat`")?);
        Ok(Self { on_core, switches: status.lines().filter_map(switches_of).sum() })
    }
}

/// The number in a line about context switches, those that were wanted and the others.
fn switches_of(line: &str) -> Option<u64> {
    let (name, number) = line.split_once(':')?;
    name.ends_with("_ctxt_switches").then(|| number.trim().parse().ok())?
}

/// Asks the database until an expression comes to more than nothing.
pub(crate) async fn wait_for(
    database: &Database,
    up: &mut Up,
    expression: &str,
) -> anyhow::Result<i64> {
    loop {
        let number = database.number(expression).await?;
        if number > 0 {
            return Ok(number);
        }
        up.check()?;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
