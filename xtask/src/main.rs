//! What developers of Windlass run: `cargo xtask --help`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks on its terminal"
)]

mod bench;
mod cargo;
mod chaos;
mod check;
mod database;
mod flags;
mod migration;
mod packages;
mod postgres;
mod soak;
mod steps;
mod test;
mod tidy;

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;
use xshell::Shell;

use crate::flags::{MigrationCmd, Xtask, XtaskCmd};
use crate::postgres::Postgres;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    match Xtask::from_env_or_exit().subcommand {
        XtaskCmd::Demo(demo) => run_demo(&demo.argument),
        XtaskCmd::Test(test) => test::run(&shell_in_repository()?, &test),
        XtaskCmd::Check(check) => check::run(&shell_in_repository()?, &check),
        XtaskCmd::Soak(soak) => soak::run(&shell_in_repository()?, &soak),
        XtaskCmd::Chaos(chaos) => chaos::run(&shell_in_repository()?, &chaos),
        XtaskCmd::Bench(bench) => bench::run(&shell_in_repository()?, &bench),
        XtaskCmd::Tidy(_) => tidy::run(&shell_in_repository()?),
        XtaskCmd::Db(_) => keep_postgres(),
        XtaskCmd::Migrate(migrate) => database::migrate(&shell_in_repository()?, &migrate),
        XtaskCmd::Migration(migration) => match migration.subcommand {
            MigrationCmd::New(new) => migration::create(&shell_in_repository()?, &new.name),
        },
        XtaskCmd::Fixtures(fixtures) => database::fill(&shell_in_repository()?, &fixtures),
    }
}

/// Becomes `windlass demo`, in the folder of whoever calls, so that the demo's own folder appears there.
fn run_demo(arguments: &[OsString]) -> anyhow::Result<()> {
    let mut command = Command::new("cargo");
    cargo::cargo_env().for_each(|name| {
        command.env_remove(name);
    });
    command.args(["run", "--release", "--package", "windlass-worker", "--bin", "windlass"]);
    command.arg("--manifest-path").arg(repository().join("Cargo.toml"));
    let error = command.args(["--", "demo"]).args(arguments).exec();
    Err(error).context("could not start `cargo`")
}

fn keep_postgres() -> anyhow::Result<()> {
    let postgres = Postgres::start(&shell_in_repository()?)?;
    println!("{}", postgres.url());
    println!("Stop it with Ctrl-C.");
    loop {
        std::thread::park();
    }
}

fn shell_in_repository() -> anyhow::Result<Shell> {
    let sh = Shell::new()?;
    sh.change_dir(repository());
    Ok(sh)
}

fn repository() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}
