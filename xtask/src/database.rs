//! `cargo xtask migrate` and `cargo xtask fixtures`: this program stays small, so another one that links the store does it.

use std::process::Command;

use anyhow::{Context, ensure};
use xshell::Shell;

use crate::{cargo, flags};

/// Where `windlass` looks for its database, too.
const VARIABLE: &str = "WINDLASS_DATABASE";
const DEFAULT: &str = "sqlite:.windlass/windlass.db";

const ACTIONS: [&str; 4] = ["status", "run", "revert", "redo"];

/// Shows, applies or reverts migrations.
pub(crate) fn migrate(sh: &Shell, flags: &flags::Migrate) -> anyhow::Result<()> {
    run(sh, &migrate_arguments(flags, database_of_environment())?)
}

/// Fills a database with fixtures.
pub(crate) fn fill(sh: &Shell, flags: &flags::Fixtures) -> anyhow::Result<()> {
    run(sh, &fixtures_arguments(flags, database_of_environment()))
}

fn migrate_arguments(
    flags: &flags::Migrate,
    environment: Option<String>,
) -> anyhow::Result<Vec<String>> {
    let action = flags.action.as_str();
    let known = ACTIONS.join(", ");
    ensure!(ACTIONS.contains(&action), "there is no `migrate {action}`: write one of {known}");
    Ok(vec![database(flags.database.as_ref(), environment), action.to_owned()])
}

fn fixtures_arguments(flags: &flags::Fixtures, environment: Option<String>) -> Vec<String> {
    let size = flags.size.as_deref().unwrap_or("small").to_owned();
    let url = database(flags.database.as_ref(), environment);
    [url, "fixtures".to_owned(), size].into_iter().chain(flags.now.clone()).collect()
}

fn database(named: Option<&String>, environment: Option<String>) -> String {
    named.cloned().or(environment).unwrap_or_else(|| DEFAULT.to_owned())
}

fn database_of_environment() -> Option<String> {
    std::env::var_os(VARIABLE)?.into_string().ok()
}

/// Runs the program in the caller's folder, where the default database is.
fn run(sh: &Shell, arguments: &[String]) -> anyhow::Result<()> {
    let program = cargo::build_program(sh, "database")?;
    let status = Command::new(&program)
        .args(arguments)
        .status()
        .with_context(|| format!("could not start `{}`", program.display()))?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::flags::{Xtask, XtaskCmd};

    use super::*;

    fn parse(words: &[&str]) -> XtaskCmd {
        Xtask::from_vec(words.iter().map(Into::into).collect()).unwrap().subcommand
    }

    fn migrate_with(words: &[&str], environment: Option<&str>) -> anyhow::Result<Vec<String>> {
        let XtaskCmd::Migrate(flags) = parse(words) else { panic!("not `migrate`") };
        migrate_arguments(&flags, environment.map(str::to_owned))
    }

    #[test]
    fn the_database_is_named_by_a_flag_or_the_environment_or_is_the_file_of_windlass() {
        let flag = ["migrate", "run", "--database", "sqlite:a.db"];

        let by_flag = migrate_with(&flag, Some("sqlite:b.db")).unwrap();
        let by_environment = migrate_with(&["migrate", "run"], Some("sqlite:b.db")).unwrap();
        let by_default = migrate_with(&["migrate", "run"], None).unwrap();

        assert_eq!(by_flag, ["sqlite:a.db", "run"]);
        assert_eq!(by_environment, ["sqlite:b.db", "run"]);
        assert_eq!(by_default, [DEFAULT, "run"]);
    }

    #[test]
    fn an_unknown_action_is_refused_with_the_known_ones() {
        let error = migrate_with(&["migrate", "drop"], None).unwrap_err();

        assert!(error.to_string().contains("`migrate drop`: write one of status, run"), "{error}");
    }

    #[test]
    fn fixtures_are_small_unless_a_size_is_named() {
        let arguments = |words: &[&str]| {
            let XtaskCmd::Fixtures(flags) = parse(words) else { panic!("not `fixtures`") };
            fixtures_arguments(&flags, None)
        };
        let now = "2026-03-02T09:00:00Z";

        assert_eq!(arguments(&["fixtures"]), [DEFAULT, "fixtures", "small"]);
        assert_eq!(
            arguments(&["fixtures", "--size", "large", "--now", now]),
            [DEFAULT, "fixtures", "large", now]
        );
    }
}
