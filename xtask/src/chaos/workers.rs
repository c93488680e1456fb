//! Workers: real processes, each in a folder of its own.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::time;

/// How long a worker may take to stop: it waits half a minute for its runs.
const STOP_TIMEOUT: Duration = Duration::from_secs(45);

/// How workers are started.
#[derive(Debug)]
pub(crate) struct WorkerConfig {
    pub(crate) program: PathBuf,
    pub(crate) database: String,
    /// The files in the folder of each worker, by name.
    pub(crate) files: Vec<(&'static str, String)>,
    /// More environment variables.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// Running workers. Dropping them kills them.
#[derive(Debug)]
pub(crate) struct Workers {
    config: WorkerConfig,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    folder: PathBuf,
    process: Option<Child>,
}

impl Workers {
    /// Starts `n_workers` of them, each in a folder below `folder`.
    pub(crate) fn start(
        config: WorkerConfig,
        folder: &Path,
        n_workers: usize,
    ) -> anyhow::Result<Self> {
        let mut workers = Self { config, workers: Vec::new() };
        for idx in 0..n_workers {
            let folder = folder.join(format!("worker-{idx}"));
            std::fs::create_dir_all(&folder)?;
            for (name, text) in &workers.config.files {
                std::fs::write(folder.join(name), text)?;
            }
            workers.workers.push(Worker { folder, process: None });
            workers.restart(idx)?;
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
    pub(crate) fn restart(&mut self, idx: usize) -> anyhow::Result<()> {
        let Self { config, workers } = self;
        let worker = workers.get_mut(idx).context("no such worker")?;
        let log = File::options().create(true).append(true).open(worker.folder.join("log"))?;
        let started = Command::new(&config.program)
            .arg("up")
            .current_dir(&worker.folder)
            .env("WINDLASS_DATABASE", &config.database)
            .envs(config.environment.iter().map(|(name, value)| (name, value)))
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

    /// Starts the workers again that exited by themselves; returns a message for each.
    pub(crate) fn restart_exited(&mut self) -> anyhow::Result<Vec<String>> {
        let mut ended = Vec::new();
        for idx in 0..self.workers.len() {
            let Some(worker) = self.workers.get_mut(idx) else { continue };
            let Some(process) = &mut worker.process else { continue };
            if let Some(status) = process.try_wait()? {
                let last = last_line(&worker.folder.join("log"));
                ended.push(format!("worker {idx} exited by itself ({status}): {last}"));
                self.restart(idx)?;
            }
        }
        Ok(ended)
    }

    /// Stops all of them, and waits for that.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        for process in self.workers.iter().filter_map(|worker| worker.process.as_ref()) {
            send(process, "TERM")?;
        }
        let deadline = time::now() + STOP_TIMEOUT;
        for (idx, worker) in self.workers.iter_mut().enumerate() {
            let Some(process) = &mut worker.process else { continue };
            let status = loop {
                match process.try_wait()? {
                    Some(status) => break status,
                    None => time::pause(Duration::from_millis(20)),
                }
                ensure!(time::now() < deadline, "worker {idx} does not stop");
            };
            let last = last_line(&worker.folder.join("log"));
            ensure!(status.success(), "worker {idx} stopped with {status}: {last}");
            worker.process = None;
        }
        Ok(())
    }

    /// The errors in their logs.
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
            // It may have exited already.
            let _exited = process.kill();
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
