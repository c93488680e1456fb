//! Servers that run as processes: how one is started, logged and stopped.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use windlass_core::Failure;

use super::config::ConnectorName;
use super::failure::{message_line, spawn_failure};
use super::pipes::Pipes;
use crate::environment::Environment;
use crate::secrets::Secrets;

/// How long a server may take to exit after its input was closed, and again after SIGTERM.
const EXIT_TIME: Duration = Duration::from_secs(2);

/// The longest line of standard error that is logged. Of a longer one nothing is: where it would be cut, it could end in half a secret.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// How often a process group is looked at while its end is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A running server with everything that it has started. Dropping it kills them all.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// None after its end: another group may then have its number.
    group: Option<Pid>,
    /// Kills the group when Windlass itself is killed.
    _guard: Option<Child>,
}

/// What to start, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Program<'a> {
    pub(super) name: &'a ConnectorName,
    pub(super) command: &'a str,
    pub(super) args: &'a [String],
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) secrets: &'a Arc<Secrets>,
    pub(super) dir: &'a Path,
    /// The folder that its paths are relative to.
    pub(super) root: &'a Path,
    pub(super) environment: Environment,
}

impl Program<'_> {
    /// Starts the process in a group of its own. So Ctrl-C in a terminal reaches only Windlass, which needs its servers until
    /// the current runs have ended.
    pub(super) fn start(self) -> Result<(Process, Pipes), Failure> {
        let mut child = self
            .command()?
            .spawn()
            .map_err(|error| spawn_failure(self.name, self.command, &error))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(Failure::internal("a process was started without its pipes"));
        };
        tokio::spawn(log_lines(self.name.clone(), Arc::clone(self.secrets), stderr));
        let guard = group.and_then(|group| {
            let guard = guard(group);
            let warn = |error| {
                tracing::warn!(connector = %self.name, %error, "if Windlass is killed, its process may live on");
            };
            guard.map_err(warn).ok()
        });
        Ok((Process { child, group, _guard: guard }, Pipes::new(stdout, stdin)))
    }

    fn command(self) -> Result<Command, Failure> {
        let is_path = self.command.contains('/');
        let program = if is_path { self.root.join(self.command) } else { self.command.into() };
        let mut command = Command::new(program);
        command.args(self.args).current_dir(self.root.join(self.dir));
        command.env_clear().envs(inherited(self.environment));
        for (variable, value) in self.env {
            command.env(variable, self.secrets.fill(value).map_err(Failure::from)?.expose_secret());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        Ok(command)
    }
}

/// Starts a shell that kills the group as soon as its input ends, which Windlass alone holds open.
fn guard(group: Pid) -> io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"read _; kill -9 "-$1""#, "windlass-guard"]);
    command.arg(group.as_raw_nonzero().to_string()).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).kill_on_drop(true).spawn()
}

/// The variables that every server inherits.
fn inherited(environment: Environment) -> impl Iterator<Item = (&'static str, OsString)> {
    ["PATH", "HOME"].into_iter().filter_map(move |name| Some((name, environment(name)?)))
}

impl Process {
    /// Waits until the server has exited after its input was closed, and ends what is left: the server, or what it has started.
    pub(super) async fn end(mut self) {
        let _late = tokio::time::timeout(EXIT_TIME, self.child.wait()).await;
        if self.is_anyone_left() {
            self.signal(Signal::TERM);
            let _late = tokio::time::timeout(EXIT_TIME, self.group_ended()).await;
        }
        if self.is_anyone_left() {
            self.signal(Signal::KILL);
        }
        if let Err(error) = self.child.wait().await {
            tracing::warn!(%error, "could not wait for the end of a connector's process");
        }
        self.group = None;
    }

    async fn group_ended(&mut self) {
        let _status = self.child.wait().await;
        while self.is_anyone_left() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    fn is_anyone_left(&self) -> bool {
        self.group.is_some_and(|group| test_kill_process_group(group).is_ok())
    }

    /// Signals the whole group: some servers are started by a parent, for example `npx`.
    fn signal(&self, signal: Signal) {
        if let Some(error) = self.group.and_then(|it| kill_process_group(it, signal).err()) {
            tracing::debug!(%error, "could not signal a connector's process");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Logs the lines that a server writes to its standard error until it closes it.
async fn log_lines(name: ConnectorName, secrets: Arc<Secrets>, mut stderr: impl AsyncRead + Unpin) {
    let mut line = Vec::new();
    let mut chunk = [0; 4_096];
    while let Ok(n_bytes @ 1..) = stderr.read(&mut chunk).await {
        for byte in chunk.iter().take(n_bytes) {
            if *byte == b'\n' {
                log_line(&name, &secrets, &line);
                line.clear();
            } else if line.len() <= MAX_LINE_BYTES {
                line.push(*byte);
            }
        }
    }
    log_line(&name, &secrets, &line);
}

fn log_line(name: &ConnectorName, secrets: &Secrets, line: &[u8]) {
    let text = if line.len() > MAX_LINE_BYTES {
        format!("(a line of more than {MAX_LINE_BYTES} bytes)")
    } else {
        message_line(secrets, &String::from_utf8_lossy(line))
    };
    if !text.is_empty() {
        tracing::debug!(connector = %name, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guard_kills_the_group_when_nobody_holds_its_input_open() {
        let mut server = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let group = Pid::from_raw(server.id().unwrap().cast_signed()).unwrap();
        let mut guard = guard(group).unwrap();
        assert!(test_kill_process_group(group).is_ok());

        drop(guard.stdin.take());

        let ended = tokio::time::timeout(Duration::from_secs(20), server.wait()).await;
        assert!(!ended.unwrap().unwrap().success());
    }
}
