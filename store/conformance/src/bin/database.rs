//! The databases of developers: `cargo xtask migrate` and `cargo xtask fixtures` run this program.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

use std::process::ExitCode;

use windlass_core::{Clock as _, SystemClock, Timestamp};
use windlass_store::{Location, MigrationStatus};
use windlass_store_conformance::fixtures::{self, Size};

const USAGE: &str = "usage: database URL status|run|revert|redo\n       database URL fixtures small|large [INSTANT]";

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Result<()> {
    match *arguments {
        [url, "status"] => status(&url.into()).await,
        [url, "run"] => migrate(&url.into()).await,
        [url, "revert"] => revert(&url.into()).await,
        [url, "redo"] => {
            revert(&url.into()).await?;
            migrate(&url.into()).await
        }
        [url, "fixtures", size] => fill(&url.into(), size.parse()?, SystemClock.now()).await,
        [url, "fixtures", size, now] => {
            let now = Timestamp::parse(now).ok_or_else(|| format!("`{now}` is no instant"))?;
            fill(&url.into(), size.parse()?, now).await
        }
        _ => Err(USAGE.into()),
    }
}

async fn status(at: &Location) -> Result<()> {
    for migration in windlass_store::migrations(at.clone()).await? {
        let status = match migration.status {
            MigrationStatus::Applied => "applied",
            MigrationStatus::Pending => "pending",
            MigrationStatus::Unknown => "unknown",
        };
        println!("{status}  {}", migration.name);
    }
    Ok(())
}

async fn migrate(at: &Location) -> Result<()> {
    let applied = windlass_store::migrate(at.clone()).await?;
    if applied.is_empty() {
        println!("nothing to apply: `{at}` has all migrations");
    }
    applied.iter().for_each(|version| println!("applied {version} to `{at}`"));
    Ok(())
}

async fn revert(at: &Location) -> Result<()> {
    match windlass_store::revert(at.clone()).await? {
        Some(version) => println!("reverted {version} in `{at}`"),
        None => println!("nothing to revert: `{at}` has no migrations"),
    }
    Ok(())
}

/// Migrates the database, which must be empty, and fills it.
async fn fill(at: &Location, size: Size, now: Timestamp) -> Result<()> {
    windlass_store::migrate(at.clone()).await?;
    let store = windlass_store::open(at.clone(), windlass_store::Options::default()).await?;
    if !store.workspaces().await?.is_empty() {
        return Err(format!(
            "`{at}` is not empty: name another database, or `redo` its migrations"
        )
        .into());
    }
    drop(store);
    let filled = fixtures::fill(at.clone(), size, now).await?;
    for workspace in filled.store.workspaces().await? {
        let workflows = filled.store.all_workflows(workspace.id).await?;
        println!("{} workflows in workspace `{}`", workflows.len(), workspace.name);
    }
    println!("filled `{at}`");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use windlass_core::{Clock as _, SystemClock};

    use super::run;

    #[tokio::test]
    async fn fixtures_stand_at_the_present_unless_an_instant_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("fixtures.db").display());

        run(&[&url, "fixtures", "small"]).await.unwrap();

        let store = windlass_store::open(url.as_str(), windlass_store::Options::default());
        let store = store.await.unwrap();
        let workers = store.workers(None).await.unwrap();
        let newest = workers.iter().map(|it| it.last_heartbeat_at).max().unwrap();
        assert!(newest.after(Duration::from_hours(1)) > SystemClock.now(), "{newest:?}");
    }
}
