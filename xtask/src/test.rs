//! `cargo xtask test`: every check and every test, exactly as CI runs them.

use std::time::{Duration, Instant};

use anyhow::bail;
use xshell::{Cmd, Shell, cmd};

use crate::postgres::Postgres;
use crate::{cargo, flags, tidy};

/// Where tests find the PostgreSQL that they may use; without it, they leave out what needs one.
pub(crate) const POSTGRES_URL: &str = "WINDLASS_TEST_POSTGRES";

/// One check, how it ended and how long it took.
struct Step {
    name: &'static str,
    result: anyhow::Result<()>,
    elapsed: Duration,
}

/// Runs all steps, also after one has failed: whoever looks at CI wants to know everything that is wrong.
pub(crate) fn run(sh: &Shell, flags: &flags::Test) -> anyhow::Result<()> {
    let mut steps = Vec::new();
    if flags.filter.is_empty() {
        steps.push(step("tidy", || tidy::run(sh)));
        steps.push(step("formatting", || run_command(cmd!(sh, "cargo fmt --all --check"))));
        steps.push(step("clippy", || {
            run_command(cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings"))
        }));
        steps.push(step("docs", || check_docs(sh)));
        steps.extend(
            is_installed(sh, "deny").then(|| step("dependencies", || check_dependencies(sh))),
        );
    }
    steps.push(step("tests", || run_tests(sh, flags)));
    if flags.filter.is_empty() && !flags.no_postgres {
        steps.push(step("chaos", || run_chaos(sh)));
    }
    if flags.filter.is_empty() {
        steps.push(step("doctests", || run_command(cmd!(sh, "cargo test --doc --workspace"))));
    }
    summarize(&steps)
}

fn check_docs(sh: &Shell) -> anyhow::Result<()> {
    let command = cmd!(sh, "cargo doc --workspace --no-deps --document-private-items");
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Advisories are left out: they need the network, and fail a build that nobody changed.
fn check_dependencies(sh: &Shell) -> anyhow::Result<()> {
    run_command(cmd!(sh, "cargo deny --offline check --hide-inclusion-graph bans licenses sources"))
}

fn run_tests(sh: &Shell, flags: &flags::Test) -> anyhow::Result<()> {
    let filter = &flags.filter;
    let tests = if is_installed(sh, "nextest") {
        cmd!(sh, "cargo nextest run --workspace --profile ci {filter...}")
    } else {
        println!(
            "cargo-nextest is missing, so this takes longer: `cargo install cargo-nextest --locked`"
        );
        cmd!(sh, "cargo test --workspace --lib --bins --tests -- {filter...}")
    };
    if flags.no_postgres {
        return run_command(tests.env_remove(POSTGRES_URL));
    }
    let postgres = Postgres::start(sh)?;
    println!("PostgreSQL: {}", postgres.url());
    run_command(tests.env(POSTGRES_URL, postgres.url()))
}

/// In a process of its own, which may get mounts of its own.
fn run_chaos(sh: &Shell) -> anyhow::Result<()> {
    let xtask = std::env::current_exe()?;
    run_command(cmd!(sh, "{xtask} chaos --short"))
}

fn is_installed(sh: &Shell, subcommand: &str) -> bool {
    cmd!(sh, "cargo {subcommand} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

fn run_command(command: Cmd<'_>) -> anyhow::Result<()> {
    Ok(cargo::of_nobody(command).run()?)
}

fn step(name: &'static str, action: impl FnOnce() -> anyhow::Result<()>) -> Step {
    println!("\n── {name} ──");
    let start = now();
    let result = action();
    let step = Step { name, result, elapsed: start.elapsed() };
    if let Err(error) = &step.result {
        println!("{error:#}");
    }
    println!("{}", line(&step));
    step
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells a developer how long a step took, nothing else"
)]
fn now() -> Instant {
    Instant::now()
}

fn summarize(steps: &[Step]) -> anyhow::Result<()> {
    println!("\n── summary ──");
    for step in steps {
        println!("{}", line(step));
    }
    let failed: Vec<_> =
        steps.iter().filter(|step| step.result.is_err()).map(|step| step.name).collect();
    if failed.is_empty() {
        return Ok(());
    }
    bail!("failed: {}", failed.join(", "))
}

fn line(step: &Step) -> String {
    let seconds = step.elapsed.as_secs();
    let verdict = if step.result.is_ok() { "ok" } else { "FAILED" };
    format!("{:<12} {verdict:<6} {:>3} min {:02} s", step.name, seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn ended(name: &'static str, result: anyhow::Result<()>, seconds: u64) -> Step {
        Step { name, result, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_failed_step_fails_the_whole_by_name() {
        let steps = [
            ended("tidy", Ok(()), 0),
            ended("clippy", Err(anyhow!("exit code 101")), 1),
            ended("tests", Ok(()), 2),
        ];

        let error = summarize(&steps).unwrap_err();

        assert_eq!(error.to_string(), "failed: clippy");
    }

    #[test]
    fn a_line_tells_minutes_and_seconds() {
        assert_eq!(line(&ended("tests", Ok(()), 605)), "tests        ok      10 min 05 s");
    }
}
