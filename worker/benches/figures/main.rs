//! The benchmarks behind `cargo xtask bench`. Prints one line of JSON about the machine, then one for each case.
//!
//! This program measures and checks; `xtask` computes percentiles and medians and prints the table. Times come from the engine's
//! own records where possible. A case whose runs were wrong reports what was wrong instead of a figure.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program exists for its output"
)]

mod bench_tool;
mod calibrate;
mod case;
mod check;
mod cross_process;
mod database;
mod flushes;
mod growth;
mod idle;
mod latency;
mod measure;
mod plans;
mod recovery;
mod running_engine;
mod sandbox;
mod scripts;
mod seed_rows;
mod startup;
mod throughput;
mod worker_process;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::case::{BenchContext, CASES, Case, Work};
use crate::database::DatabaseKind;
use crate::measure::Repetition;

/// The environment variable with the URL of a PostgreSQL server.
const SERVER: &str = "WINDLASS_TEST_POSTGRES";

/// How often each case is repeated.
const REPETITIONS: usize = 3;

/// The command line.
struct Args {
    cases: Vec<String>,
    /// Empty for all of them.
    databases: Vec<DatabaseKind>,
    is_all: bool,
    is_quick: bool,
    n_finished: Option<u32>,
}

fn main() -> ExitCode {
    // V8 must be initialised before the second thread starts.
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
    // In the target directory: `/tmp` may be in memory.
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(&directory)?;
    let runtime = tokio::runtime::Runtime::new()?;
    if std::env::args().nth(1).as_deref() == Some(sandbox::ISOLATES_ALONE) {
        let mib = runtime.block_on(async {
            sandbox::isolate_mib(&sandbox::functions(&directory).await?).await
        })?;
        println!("{mib}");
        return Ok(true);
    }
    let args = Args::read(std::env::args().skip(1))?;
    let cases = args.select_cases()?;
    let context = BenchContext {
        directory,
        server: std::env::var_os(SERVER).and_then(|url| url.into_string().ok()),
        is_quick: args.is_quick,
        n_finished: args.n_finished.unwrap_or(0),
        n_repetitions: REPETITIONS,
    };
    println!("{}", json!({ "calibration": calibrate::calibrate(&context.directory)? }));
    runtime.block_on(measure_all(&context, &cases, &args.databases))
}

impl Args {
    fn read(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let (cases, databases) = (Vec::new(), Vec::new());
        let mut args = Self { cases, databases, is_all: false, is_quick: false, n_finished: None };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` needs a value"));
            match word.as_str() {
                // Cargo passes this to every benchmark.
                "--bench" => {}
                "--all" => args.is_all = true,
                "--quick" => args.is_quick = true,
                "--case" => args.cases.push(value()?),
                "--database" => {
                    let name = value()?;
                    let named = DatabaseKind::ALL.into_iter().find(|kind| kind.name() == name);
                    let known =
                        || format!("there is no database `{name}`: sqlite, memory, postgres");
                    args.databases.push(named.with_context(known)?);
                }
                "--finished" => args.n_finished = Some(value()?.parse()?),
                _ => anyhow::bail!("`{word}` is unknown"),
            }
        }
        Ok(args)
    }

    fn select_cases(&self) -> anyhow::Result<Vec<&'static Case>> {
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

/// Runs all cases, also after one has failed; returns whether all succeeded.
async fn measure_all(
    context: &BenchContext,
    cases: &[&Case],
    on: &[DatabaseKind],
) -> anyhow::Result<bool> {
    let mut is_ok = true;
    for case in cases {
        let is_wanted = |kind: &&DatabaseKind| on.is_empty() || on.contains(kind);
        for kind in case.databases.iter().filter(is_wanted) {
            if *kind == DatabaseKind::Postgres && context.server.is_none() {
                eprintln!(
                    "{} on PostgreSQL is skipped: set `{SERVER}` to the URL of a server",
                    case.name
                );
                continue;
            }
            eprintln!("{} {} …", case.name, kind.name());
            let began = Instant::now();
            let measured = case.run(context, *kind).await;
            is_ok &= measured.is_ok();
            let seconds = began.elapsed().as_secs_f64();
            println!("{}", json!({ "case": report(case, *kind, seconds, measured)? }));
        }
    }
    Ok(is_ok)
}

fn report(
    case: &Case,
    kind: DatabaseKind,
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
        "about": case.description,
        "took_s": seconds.round(),
        "repetitions": serde_json::to_value(repetitions)?,
        "failed": failed,
    }))
}
