//! `cargo xtask test`: every check and every test, exactly as CI runs them.

use xshell::{Cmd, Shell, cmd};

use crate::postgres::Postgres;
use crate::steps::Steps;
use crate::{cargo, flags, tidy};

/// Where tests find the PostgreSQL that they may use; without it, they leave out what needs one.
pub(crate) const POSTGRES_URL: &str = "WINDLASS_TEST_POSTGRES";

/// Runs all steps, also after one has failed.
///
/// All of them select the whole workspace: then cargo chooses the same features of all dependencies, and builds them once.
pub(crate) fn run(sh: &Shell, flags: &flags::Test) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    let is_whole = flags.filter.is_empty();
    if is_whole {
        steps.run("tidy", || tidy::run(sh));
        steps.run("formatting", || check_formatting(sh));
        steps.run("clippy", || check_lints(sh));
        steps.run("docs", || check_docs(sh));
        if cargo::has_subcommand(sh, "deny") {
            steps.run("dependencies", || check_dependencies(sh));
        }
    }
    let tests = Tests::find(sh);
    if steps.run("build tests", || tests.build()) {
        steps.run("run tests", || run_tests(sh, &tests, flags));
        if is_whole && !flags.no_postgres {
            steps.run("chaos", || run_chaos(sh));
        }
    }
    if is_whole {
        steps.run("doctests", || run_command(cmd!(sh, "cargo test --doc --workspace")));
    }
    steps.summarize()
}

pub(crate) fn check_formatting(sh: &Shell) -> anyhow::Result<()> {
    run_command(cmd!(sh, "cargo fmt --all --check"))
}

pub(crate) fn check_lints(sh: &Shell) -> anyhow::Result<()> {
    run_command(cmd!(sh, "cargo clippy --workspace --all-targets -- -D warnings"))
}

fn check_docs(sh: &Shell) -> anyhow::Result<()> {
    // With examples, of which there are none, cargo chooses the features of dependencies as for tests: clippy has built them.
    let command = cmd!(
        sh,
        "cargo doc --workspace --no-deps --document-private-items --lib --bins --examples"
    );
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Advisories are left out: they need the network, and fail a build that nobody changed.
fn check_dependencies(sh: &Shell) -> anyhow::Result<()> {
    run_command(cmd!(sh, "cargo deny --offline check --hide-inclusion-graph bans licenses sources"))
}

/// What builds and runs the tests.
#[derive(Debug)]
pub(crate) struct Tests<'a> {
    sh: &'a Shell,
    has_nextest: bool,
}

impl<'a> Tests<'a> {
    pub(crate) fn find(sh: &'a Shell) -> Self {
        let has_nextest = cargo::has_subcommand(sh, "nextest");
        if !has_nextest {
            println!(
                "cargo-nextest is missing, so this takes longer: `cargo install cargo-nextest --locked`"
            );
        }
        Self { sh, has_nextest }
    }

    /// Builds the tests of all crates, and the binary.
    pub(crate) fn build(&self) -> anyhow::Result<()> {
        let Self { sh, has_nextest } = self;
        run_command(match has_nextest {
            true => cmd!(sh, "cargo nextest run --workspace --no-run"),
            false => cmd!(sh, "cargo test --workspace --lib --bins --tests --no-run"),
        })
    }

    /// Runs the tests whose names contain one of `names`, all where there are none.
    fn command(&self, names: &[String]) -> Cmd<'a> {
        let Self { sh, has_nextest } = self;
        match has_nextest {
            true => cmd!(sh, "cargo nextest run --workspace --profile ci {names...}"),
            false => cmd!(sh, "cargo test --workspace --lib --bins --tests -- {names...}"),
        }
    }
}

fn run_tests(sh: &Shell, tests: &Tests<'_>, flags: &flags::Test) -> anyhow::Result<()> {
    let command = tests.command(&flags.filter);
    if flags.no_postgres {
        return run_command(command.env_remove(POSTGRES_URL));
    }
    run_with_postgres(sh, command)
}

/// Runs tests with a PostgreSQL of their own.
pub(crate) fn run_with_postgres(sh: &Shell, tests: Cmd<'_>) -> anyhow::Result<()> {
    let postgres = Postgres::start(sh)?;
    println!("PostgreSQL: {}", postgres.url());
    run_command(tests.env(POSTGRES_URL, postgres.url()))
}

/// In a process of its own, which may get mounts of its own.
fn run_chaos(sh: &Shell) -> anyhow::Result<()> {
    let xtask = std::env::current_exe()?;
    run_command(cmd!(sh, "{xtask} chaos --short"))
}

pub(crate) fn run_command(command: Cmd<'_>) -> anyhow::Result<()> {
    Ok(cargo::without_cargo_env(command).run()?)
}
