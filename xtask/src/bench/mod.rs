//! `cargo xtask bench`: measures the release binary, with a throwaway PostgreSQL.

mod compare;
mod figures;
mod statistics;
mod table;
mod targets;

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use self::figures::Figures;
use crate::postgres::Postgres;
use crate::test::POSTGRES_URL;
use crate::{cargo, flags};

/// A throwaway server does not flush its disk; one that is measured must.
const DURABLE: &str = "
fsync = on
synchronous_commit = on
full_page_writes = on
";

/// Runs the benchmark program and prints its figures.
pub(crate) fn run(sh: &Shell, flags: &flags::Bench) -> anyhow::Result<()> {
    let earlier = match &flags.compare {
        Some(file) => {
            let text = sh.read_file(file)?;
            let read = Figures::read(&text);
            Some(read.with_context(|| format!("`{}` holds no figures", file.display()))?)
        }
        None => None,
    };
    let postgres = Postgres::start_with(sh, DURABLE)?;
    let mut figures = Figures { is_quick: flags.quick, ..Figures::default() };
    let arguments = arguments(flags);
    let measure =
        cmd!(sh, "cargo bench --package windlass-worker --bench figures -- {arguments...}")
            .env(POSTGRES_URL, postgres.url());
    let ended = read_output(cargo::without_cargo_env(measure).into(), &mut figures);

    println!("{}", table::page(&figures));
    println!("{}", targets::page(&figures));
    if let Some(earlier) = earlier {
        println!("{}", compare::page(&figures, &earlier));
    }
    if let Some(file) = &flags.json {
        sh.write_file(file, figures.json())?;
    }
    let failed: Vec<String> = figures
        .cases
        .iter()
        .filter(|case| case.failed.is_some())
        .map(figures::Case::title)
        .collect();
    // The names of the cases say more than the exit status.
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    ended
}

/// The arguments of the benchmark program.
fn arguments(flags: &flags::Bench) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let switches = [(flags.quick, "--quick"), (flags.all, "--all")];
    arguments.extend(switches.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| name.into()));
    for case in &flags.case {
        arguments.extend(["--case".into(), case.into()]);
    }
    for database in &flags.database {
        arguments.extend(["--database".into(), database.into()]);
    }
    if let Some(finished) = flags.finished {
        arguments.extend(["--finished".into(), finished.to_string().into()]);
    }
    arguments
}

/// Reads the output of the program to its end; keeps what was read where the program fails.
fn read_output(mut command: Command, figures: &mut Figures) -> anyhow::Result<()> {
    let mut program = command.stdout(Stdio::piped()).spawn().context("could not start `cargo`")?;
    let output = program.stdout.take().context("`cargo` has no output")?;
    for line in BufReader::new(output).lines() {
        figures.read_line(&line?)?;
    }
    let status = program.wait()?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::flags::{Xtask, XtaskCmd};

    use super::*;

    fn arguments_for(words: &[&str]) -> Vec<OsString> {
        let words = ["bench"].iter().chain(words).map(Into::into).collect();
        let XtaskCmd::Bench(bench) = Xtask::from_vec(words).unwrap().subcommand else {
            panic!("`bench` parsed as another command")
        };
        arguments(&bench)
    }

    #[test]
    fn flags_are_passed_on() {
        assert!(arguments_for(&["--json", "f.json", "--compare", "g.json"]).is_empty());
        assert_eq!(
            arguments_for(&[
                "--quick",
                "--case",
                "alone",
                "--case",
                "idle",
                "--database",
                "sqlite"
            ]),
            ["--quick", "--case", "alone", "--case", "idle", "--database", "sqlite"]
        );
        assert_eq!(arguments_for(&["--finished", "7", "--all"]), ["--all", "--finished", "7"]);
    }

    #[test]
    fn figures_read_before_a_failure_are_kept() {
        let mut figures = Figures::default();
        let mut program = Command::new("sh");
        program.args(["-c", r#"echo '{"calibration": {"load": 1.5}}'; exit 3"#]);

        let ended = read_output(program, &mut figures);

        assert!(ended.is_err());
        assert_eq!(figures.calibration.get("load"), Some(&1.5));
    }
}
