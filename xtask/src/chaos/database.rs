//! The database, asked from outside Windlass by `psql`.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::postgres::Postgres;

/// The role of the workers. Unlike the superuser, it has no reserved connections.
pub(crate) const USER: &str = "windlass";

/// One database of the server, asked as superuser.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    psql: PathBuf,
    url: String,
}

impl Database {
    pub(crate) fn new(postgres: &Postgres, name: &str) -> Self {
        Self { psql: postgres.psql(), url: postgres.url_of("postgres", name) }
    }

    /// What one statement answers: lines of fields with `|` between them.
    pub(crate) fn ask(&self, sql: &str) -> anyhow::Result<String> {
        let output = self.command().args(["--command", sql]).output().context("no `psql`")?;
        if !output.status.success() {
            bail!("{}: {sql}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The one line of numbers that a statement answers.
    pub(crate) fn numbers<const N: usize>(&self, sql: &str) -> anyhow::Result<[u64; N]> {
        let answer = self.ask(sql)?;
        let numbers: Result<Vec<u64>, _> = answer.split('|').map(str::parse).collect();
        let numbers = numbers.with_context(|| format!("`{answer}` is what {sql} answers"))?;
        let n_numbers = numbers.len();
        numbers.try_into().map_err(|_wrong| anyhow::anyhow!("{n_numbers} numbers answer {sql}"))
    }

    /// A transaction that ran `sql` and stays open until it is dropped.
    pub(crate) fn idle_after(&self, sql: &str) -> anyhow::Result<Idle> {
        let mut command = self.command();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut psql = command.spawn().context("no `psql`")?;
        let input = psql.stdin.as_mut().context("`psql` without input")?;
        writeln!(input, "BEGIN;\nSET LOCAL idle_in_transaction_session_timeout = 0;\n{sql};")?;
        Ok(Idle(psql))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.psql);
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--set", "ON_ERROR_STOP=1", "--dbname", &self.url]);
        command
    }
}

/// A transaction that is left open.
#[derive(Debug)]
pub(crate) struct Idle(Child);

impl Drop for Idle {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ended = self.0.wait();
    }
}
