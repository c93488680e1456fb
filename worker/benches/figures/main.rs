//! The figures that `cargo xtask bench` prints: one line of JSON for each case, and before them one of what the machine can do.
//!
//! The program measures and checks; percentiles, medians and the table are up to `xtask`. What can be read from the engine's own
//! records is read from there. A case whose runs were not right yields no figure, but what was wrong.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is what it is there for"
)]

mod across;
mod calibrate;
mod case;
mod check;
mod database;
mod filler;
mod flushes;
mod growth;
mod idle;
mod latency;
mod measure;
mod process;
mod recovery;
mod sandbox;
mod scripts;
mod service;
mod startup;
mod throughput;
mod tool;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::case::{CASES, Case, Scene, Work};
use crate::database::Kind;
use crate::measure::Repetition;

/// The environment variable with the URL of a server that may be used.
const SERVER: &str = "WINDLASS_TEST_POSTGRES";

/// How often each case is repeated.
const REPETITIONS: usize = 3;

/// What the command line asks for.
struct Asked {
    cases: Vec<String>,
    /// On these alone; on all where none is named.
    databases: Vec<Kind>,
    is_all: bool,
    is_quick: bool,
    n_finished: Option<u32>,
}

fn main() -> ExitCode {
    // V8 has to be there before the second thread.
    windlass_sandbox::initialize();
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<bool> {
    // Beside what is built, and not in a place that may be memory.
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&place)?;
    let runtime = tokio::runtime::Runtime::new()?;
    if std::env::args().nth(1).as_deref() == Some(sandbox::ISOLATES_ALONE) {
        let mib = runtime
            .block_on(async { sandbox::isolate_mib(&sandbox::functions(&place).await?).await })?;
        println!("{mib}");
        return Ok(true);
    }
    let asked = Asked::read(std::env::args().skip(1))?;
    let cases = asked.chosen()?;
    let scene = Scene {
        place,
        server: std::env::var_os(SERVER).and_then(|url| url.into_string().ok()),
        is_quick: asked.is_quick,
        n_finished: asked.n_finished.unwrap_or(0),
        n_repetitions: REPETITIONS,
    };
    println!("{}", json!({ "calibration": calibrate::calibrate(&scene.place)? }));
    runtime.block_on(measure_all(&scene, &cases, &asked.databases))
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let (cases, databases) = (Vec::new(), Vec::new());
        let mut asked = Self { cases, databases, is_all: false, is_quick: false, n_finished: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
            match word.as_str() {
                // Cargo says so to every program of this kind.
                "--bench" => {}
                "--all" => asked.is_all = true,
                "--quick" => asked.is_quick = true,
                "--case" => asked.cases.push(value()?),
                "--database" => {
                    let name = value()?;
                    let named = Kind::ALL.into_iter().find(|kind| kind.name() == name);
                    let known =
                        || format!("there is no database `{name}`: sqlite, memory, postgres");
                    asked.databases.push(named.with_context(known)?);
                }
                "--finished" => asked.n_finished = Some(value()?.parse()?),
                _ => anyhow::bail!("`{word}` is unknown"),
            }
        }
        Ok(asked)
    }

    fn chosen(&self) -> anyhow::Result<Vec<&'static Case>> {
        let mut known: Vec<_> = CASES.iter().map(|case| case.name).collect();
        known.dedup();
        if let Some(unknown) = self.cases.iter().find(|name| !known.contains(&name.as_str())) {
            anyhow::bail!("there is no case `{unknown}`: {}", known.join(", "));
        }
        let is_chosen = |case: &&Case| match self.cases.is_empty() {
            true => self.is_all || !case.is_long,
            false => self.cases.iter().any(|name| name == case.name),
        };
        let is_known = |case: &&Case| case.work != Work::Growth(None) || self.n_finished.is_some();
        Ok(CASES.iter().filter(is_chosen).filter(is_known).collect())
    }
}

/// Runs all cases, also after one has failed; returns whether none has.
async fn measure_all(scene: &Scene, cases: &[&Case], on: &[Kind]) -> anyhow::Result<bool> {
    let mut is_right = true;
    for case in cases {
        let is_wanted = |kind: &&Kind| on.is_empty() || on.contains(kind);
        for kind in case.databases.iter().filter(is_wanted) {
            if *kind == Kind::Postgres && scene.server.is_none() {
                eprintln!("{} on PostgreSQL is left out: `{SERVER}` names no server", case.name);
                continue;
            }
            eprintln!("{} {} …", case.name, kind.name());
            let began = Instant::now();
            let measured = case.run(scene, *kind).await;
            is_right &= measured.is_ok();
            let seconds = began.elapsed().as_secs_f64();
            println!("{}", json!({ "case": report(case, *kind, seconds, measured)? }));
        }
    }
    Ok(is_right)
}

fn report(
    case: &Case,
    kind: Kind,
    seconds: f64,
    measured: anyhow::Result<Vec<Repetition>>,
) -> anyhow::Result<Value> {
    let (repetitions, failed) = match measured {
        Ok(repetitions) => (repetitions, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    Ok(json!({
        "name": case.name,
        "database": kind.name(),
        "workflows": case.n_workflows,
        "about": case.about,
        "took_s": seconds.round(),
        "repetitions": serde_json::to_value(repetitions)?,
        "failed": failed,
    }))
}
