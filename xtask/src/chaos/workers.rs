//! Workers: real processes, each in a folder of its own, as if on a machine of its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::time;

/// How long a worker that is told to end may take: it waits half a minute for what is under way.
const LONGEST_STOP: Duration = Duration::from_secs(45);

/// How they are started.
#[derive(Debug)]
pub(crate) struct Start {
    pub(crate) program: PathBuf,
    pub(crate) database: String,
    /// What stands in the folder of each, by name.
    pub(crate) files: Vec<(&'static str, String)>,
    /// What is set for them besides.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// Running workers. Dropping them ends them at once.
#[derive(Debug)]
pub(crate) struct Workers {
    start: Start,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    folder: PathBuf,
    process: Option<Child>,
}

impl Workers {
    /// Starts `n_workers` of them, each in a folder below `folder`.
    pub(crate) fn start(start: Start, folder: &Path, n_workers: usize) -> anyhow::Result<Self> {
        let mut workers = Self { start, workers: Vec::new() };
        for idx in 0..n_workers {
            let folder = folder.join(format!("worker-{idx}"));
            std::fs::create_dir_all(&folder)?;
            for (name, text) in &workers.start.files {
                std::fs::write(folder.join(name), text)?;
            }
            workers.workers.push(Worker { folder, process: None });
            workers.start_again(idx)?;
        }
        Ok(workers)
    }

    pub(crate) const fn len(&self) -> usize {
        self.workers.len()
    }

    /// The folder that a worker runs in.
    pub(crate) fn folder(&self, idx: usize) -> anyhow::Result<&Path> {
        Ok(&self.workers.get(idx).context("no such worker")?.folder)
    }

    /// Starts a worker that was killed.
    pub(crate) fn start_again(&mut self, idx: usize) -> anyhow::Result<()> {
        let Self { start, workers } = self;
        let worker = workers.get_mut(idx).context("no such worker")?;
        let log = File::options().create(true).append(true).open(worker.folder.join("log"))?;
        let started = Command::new(&start.program)
            .arg("up")
            .current_dir(&worker.folder)
            .env("WINDLASS_DATABASE", &start.database)
            .envs(start.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        worker.process = Some(started.context("could not start a worker")?);
        Ok(())
    }

    /// Kills a worker as by `kill -9`.
    pub(crate) fn kill(&mut self, idx: usize) -> anyhow::Result<()> {
        let worker = self.workers.get_mut(idx).context("no such worker")?;
        if let Some(mut process) = worker.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Sends a signal to a worker, for example `STOP`.
    pub(crate) fn signal(&self, idx: usize, signal: &str) -> anyhow::Result<()> {
        let worker = self.workers.get(idx).context("no such worker")?;
        let process = worker.process.as_ref().context("the worker does not run")?;
        send(process, signal)
    }

    /// Starts those again that ended without having been told to; returns what became of them.
    pub(crate) fn replace_ended(&mut self) -> anyhow::Result<Vec<String>> {
        let mut ended = Vec::new();
        for idx in 0..self.workers.len() {
            let Some(worker) = self.workers.get_mut(idx) else { continue };
            let Some(process) = &mut worker.process else { continue };
            if let Some(status) = process.try_wait()? {
                let last = last_line(&worker.folder.join("log"));
                ended.push(format!("worker {idx} ended by itself ({status}): {last}"));
                self.start_again(idx)?;
            }
        }
        Ok(ended)
    }

    /// Tells all of them to end, and waits for it.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        for process in self.workers.iter().filter_map(|worker| worker.process.as_ref()) {
            send(process, "TERM")?;
        }
        let deadline = time::now() + LONGEST_STOP;
        for (idx, worker) in self.workers.iter_mut().enumerate() {
            let Some(process) = &mut worker.process else { continue };
            let status = loop {
                match process.try_wait()? {
                    Some(status) => break status,
                    None => time::pause(Duration::from_millis(20)),
                }
                ensure!(time::now() < deadline, "worker {idx} does not end when it is told to");
            };
            let last = last_line(&worker.folder.join("log"));
            ensure!(status.success(), "worker {idx} was told to end ({status}): {last}");
            worker.process = None;
        }
        Ok(())
    }

    /// What they logged as errors.
    pub(crate) fn errors(&self) -> Vec<String> {
        let logs = self.workers.iter().map(|worker| worker.folder.join("log"));
        let texts = logs.filter_map(|log| std::fs::read_to_string(log).ok());
        let lines: Vec<String> =
            texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let is_error = |line: &String| line.contains("ERROR") || line.starts_with("error: ");
        lines.into_iter().filter(is_error).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for process in self.workers.iter_mut().filter_map(|worker| worker.process.as_mut()) {
            // One that has ended already cannot be killed.
            let _gone = process.kill();
            let _status = process.wait();
        }
    }
}

fn send(process: &Child, signal: &str) -> anyhow::Result<()> {
    let command = format!("kill -{signal} {}", process.id());
    let status = Command::new("sh").args(["-c", &command]).status().context("no `sh`")?;
    ensure!(status.success(), "`{command}` failed");
    Ok(())
}

fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().last().unwrap_or("it logged nothing").to_owned()
}
