//! Servers that are processes of their own: how one is started, listened to and stopped.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::transport::async_rw::AsyncRwTransport;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use windlass_core::Failure;

use super::MAX_ANSWER_BYTES;
use super::config::ConnectorName;
use super::failure::{cropped, of_spawn};
use super::plain::plain_text;
use crate::secrets::Secrets;

/// How long a server may take to end by itself once its input is closed, and once more after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much of a line that a server writes to its standard error is kept.
const MAX_LINE_BYTES: usize = 1_000;

/// The pipes to a server.
pub(super) type Pipes = AsyncRwTransport<RoleClient, ChildStdout, ChildStdin>;

/// A running server. One that is dropped is killed.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
}

/// What is started, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'a> {
    pub(super) name: &'a ConnectorName,
    pub(super) command: &'a str,
    pub(super) args: &'a [String],
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) secrets: &'a Secrets,
    pub(super) dir: &'a Path,
    /// What its paths are relative to.
    pub(super) root: &'a Path,
}

impl Program<'_> {
    /// Starts the process in a group of its own: Ctrl-C in a terminal stops Windlass, which still needs its servers until the
    /// runs under way have ended.
    pub(super) fn start(self) -> Result<(Process, Pipes), Failure> {
        let mut child =
            self.prepared()?.spawn().map_err(|error| of_spawn(self.name, self.command, &error))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Failure::internal("a process was started without its pipes"));
        };
        tokio::spawn(log(self.name.clone(), stderr));
        let pipes =
            AsyncRwTransport::new_client(stdout, stdin).with_max_line_length(MAX_ANSWER_BYTES);
        Ok((Process { child, group }, pipes))
    }

    fn prepared(self) -> Result<Command, Failure> {
        let is_path = self.command.contains('/');
        let program = if is_path { self.root.join(self.command) } else { self.command.into() };
        let mut command = Command::new(program);
        command.args(self.args).current_dir(self.root.join(self.dir));
        command.env_clear().envs(surroundings());
        for (variable, value) in self.env {
            command.env(variable, plain_text(value, self.secrets)?.expose_secret());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        Ok(command)
    }
}

/// What every server is given of our environment: where programs are, and where the user's things are.
fn surroundings() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)))
}

impl Process {
    /// Waits until the server has ended, whose input was closed; sees to it that it does.
    pub(super) async fn end(mut self) {
        for signal in [Signal::TERM, Signal::KILL] {
            if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_ok() {
                return;
            }
            self.signal(signal);
        }
        if let Err(error) = self.child.wait().await {
            tracing::warn!(%error, "could not wait for the end of a connector's process");
        }
    }

    /// Also to what the server started itself, as `npx` does.
    fn signal(&self, signal: Signal) {
        if let Some(error) = self.group.and_then(|it| kill_process_group(it, signal).err()) {
            tracing::debug!(%error, "could not signal a connector's process");
        }
    }
}

/// Tells what a server writes to its standard error, line by line, until it closes it.
async fn log(name: ConnectorName, mut from: impl AsyncRead + Unpin) {
    let mut line = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(n_bytes @ 1..) = from.read(&mut chunk).await {
        for byte in chunk.iter().take(n_bytes) {
            if *byte == b'\n' {
                tell(&name, &line);
                line.clear();
            } else if line.len() < MAX_LINE_BYTES {
                line.push(*byte);
            }
        }
    }
    tell(&name, &line);
}

fn tell(name: &ConnectorName, line: &[u8]) {
    let text = cropped(&String::from_utf8_lossy(line));
    if !text.is_empty() {
        tracing::debug!(connector = %name, "{text}");
    }
}
