//! `windlass up` as another process, and its CPU time.

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
pub(crate) struct WorkerProcess {
    process: Child,
    log: PathBuf,
}

/// The CPU time and the context switches of a process so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuUsage {
    pub(crate) on_core: Duration,
    pub(crate) switches: u64,
}

impl WorkerProcess {
    /// Starts one on a database, in its folder.
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

    /// Kills it as by `kill -9`.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.check()?;
        Ok(self.process.kill().await?)
    }

    /// Fails where it has exited.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let ended = self.process.try_wait()?;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        ensure!(ended.is_none(), "`windlass up` has ended ({ended:?}): {log}");
        Ok(())
    }

    /// Starts to measure its CPU time.
    pub(crate) fn cpu_sampler(&self) -> anyhow::Result<CpuSampler> {
        let id = self.process.id().context("`windlass up` has ended")?;
        let mut sampler =
            CpuSampler { tasks: format!("/proc/{id}/task").into(), threads: HashMap::new() };
        sampler.sample()?;
        Ok(sampler)
    }
}

/// The CPU time of the threads of a process. Sample it often: the time of a thread is lost when the thread ends.
#[derive(Debug)]
pub(crate) struct CpuSampler {
    tasks: PathBuf,
    threads: HashMap<OsString, CpuUsage>,
}

impl CpuSampler {
    /// The usage of all threads so far, ended ones included as last sampled.
    pub(crate) fn sample(&mut self) -> anyhow::Result<CpuUsage> {
        for thread in std::fs::read_dir(&self.tasks)? {
            let thread = thread?;
            // The thread may end now.
            let read = |file| std::fs::read_to_string(thread.path().join(file));
            if let (Ok(scheduled), Ok(status)) = (read("schedstat"), read("status")) {
                self.threads.insert(thread.file_name(), CpuUsage::read(&scheduled, &status)?);
            }
        }
        let on_core = self.threads.values().map(|used| used.on_core).sum();
        let switches = self.threads.values().map(|used| used.switches).sum();
        Ok(CpuUsage { on_core, switches })
    }
}

impl CpuUsage {
    fn read(scheduled: &str, status: &str) -> anyhow::Result<Self> {
        let nanos: Option<u64> =
            scheduled.split_whitespace().next().and_then(|word| word.parse().ok());
        let on_core = Duration::from_nanos(nanos.context("no time in `schedstat`")?);
        Ok(Self { on_core, switches: status.lines().filter_map(switches_of).sum() })
    }
}

/// The number in a line about context switches, voluntary or not.
fn switches_of(line: &str) -> Option<u64> {
    let (name, number) = line.split_once(':')?;
    name.ends_with("_ctxt_switches").then(|| number.trim().parse().ok())?
}

/// Queries the database until the expression is positive; returns its value.
pub(crate) async fn wait_for(
    database: &Database,
    up: &mut WorkerProcess,
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
