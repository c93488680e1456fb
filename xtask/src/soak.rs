//! `cargo xtask soak`: many seeded histories of the scheduler's simulation, and many cases of each property.

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::flags;
use crate::postgres::Postgres;
use crate::steps::Steps;
use crate::test::{POSTGRES_URL, run_command};

const HISTORIES: u64 = 10_000;
/// SQLite on disk and PostgreSQL get a tenth of the histories each.
const FEWEST: u64 = 10;
const CASES: u64 = 10_000;

/// The environment variables of the simulation.
const SEED: &str = "WINDLASS_SIM_SEED";
const COUNT: &str = "WINDLASS_SIM_HISTORIES";
/// The environment variable of the tests of properties: of the core's state machines, and that both databases do the same.
const PROPERTY_CASES: &str = "PROPTEST_CASES";

/// Runs all histories and all cases. Each of the two ends at its first failure.
pub(crate) fn run(sh: &Shell, flags: &flags::Soak) -> anyhow::Result<()> {
    let environment = environment(flags)?;
    let postgres = Postgres::start(sh)?;
    let mut steps = Steps::default();
    steps.run("histories", || {
        println!("It says every 500 histories how long the rest may take; Ctrl-C ends it.");
        let test =
            cmd!(sh, "cargo test --profile soak --workspace --test simulation -- histories_")
                .args(["--test-threads=1", "--nocapture"])
                .envs(environment)
                .env(POSTGRES_URL, postgres.url());
        run_command(test)
    });
    steps.run("properties", || {
        let cases = flags.cases.unwrap_or(CASES);
        let test = cmd!(
            sh,
            "cargo test --profile soak --workspace --test it -- invariants:: differential::"
        )
        .env(PROPERTY_CASES, cases.to_string())
        .env(POSTGRES_URL, postgres.url());
        run_command(test)
    });
    steps.summarize()
}

fn environment(flags: &flags::Soak) -> anyhow::Result<[(&'static str, String); 2]> {
    let histories = flags.histories.unwrap_or(HISTORIES);
    ensure!(
        histories >= FEWEST,
        "{histories} histories are too few for three databases: ask for {FEWEST} or more"
    );
    Ok([(SEED, flags.seed.unwrap_or(0).to_string()), (COUNT, histories.to_string())])
}

#[cfg(test)]
mod tests {
    use crate::flags::{Xtask, XtaskCmd};

    use super::*;

    fn asked(arguments: &[&str]) -> anyhow::Result<[(&'static str, String); 2]> {
        let arguments = ["soak"].iter().chain(arguments).map(Into::into).collect();
        let XtaskCmd::Soak(soak) = Xtask::from_vec(arguments)?.subcommand else {
            panic!("`soak` was taken for something else")
        };
        environment(&soak)
    }

    #[test]
    fn ten_thousand_histories_run_unless_others_are_asked_for() {
        let all = asked(&[]).unwrap();
        let others = asked(&["--histories", "200", "--seed", "7"]).unwrap();

        assert_eq!(all, [(SEED, "0".to_owned()), (COUNT, "10000".to_owned())]);
        assert_eq!(others, [(SEED, "7".to_owned()), (COUNT, "200".to_owned())]);
    }

    #[test]
    fn each_database_has_at_least_one_history() {
        let error = asked(&["--histories", "9"]).unwrap_err();

        assert!(error.to_string().contains("ask for 10 or more"), "{error}");
    }
}
