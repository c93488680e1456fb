//! `cargo xtask soak`: many seeded histories of the scheduler's simulation, over every database.

use anyhow::ensure;
use xshell::{Shell, cmd};

use crate::postgres::Postgres;
use crate::test::POSTGRES_URL;
use crate::{cargo, flags};

/// How many histories there are where nobody says.
const HISTORIES: u64 = 10_000;
/// A tenth each is for SQLite on disk and for PostgreSQL.
const FEWEST: u64 = 10;

/// Which histories the simulation is asked for.
const SEED: &str = "WINDLASS_SIM_SEED";
const COUNT: &str = "WINDLASS_SIM_HISTORIES";

/// Runs them until all are done or one is broken.
pub(crate) fn run(sh: &Shell, flags: &flags::Soak) -> anyhow::Result<()> {
    let environment = environment(flags)?;
    let postgres = Postgres::start(sh)?;
    println!("It says every 500 histories how long the rest may take; Ctrl-C ends it.");
    let test = cmd!(sh, "cargo test --package windlass-scheduler --test simulation --")
        .args(["histories_", "--test-threads=1", "--nocapture"])
        .envs(environment)
        .env(POSTGRES_URL, postgres.url());
    Ok(cargo::of_nobody(test).run()?)
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
