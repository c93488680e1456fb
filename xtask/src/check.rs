//! `cargo xtask check`: what a developer asks after an edit. Lints everything, and tests what the edit may have broken.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::steps::Steps;
use crate::test::{POSTGRES_URL, check_formatting, check_lints, run_command, run_with_postgres};
use crate::{cargo, flags, tidy};

/// What lies outside of the packages that depend on it.
const ELSEWHERE: [(&str, &str); 2] =
    [("migrations/", "windlass-store"), ("examples/", "windlass-worker")];

/// Nothing is built of these.
const TEXTS: [&str; 2] = [".md", ".ci/run"];

/// What runs a test once more that runs on SQLite: most of the time of all tests.
const ON_OTHER_DATABASES: &str = "test(/(^|::)(postgres|sqlite_file)::/)";

/// A package of the workspace.
#[derive(Debug)]
struct Package {
    name: String,
    /// Its folder below the top level, with `/` at the end.
    folder: String,
}

/// Checks formatting, house rules and lints, and runs the tests of the packages that changed and of those that depend on them.
pub(crate) fn run(sh: &Shell, flags: &flags::Check) -> anyhow::Result<()> {
    ensure!(
        cargo::has_subcommand(sh, "nextest"),
        "cargo-nextest is missing, which chooses the tests: `cargo install cargo-nextest --locked`"
    );
    let packages = packages(sh)?;
    let changed = changed_packages(&changed_files(sh, flags)?, &packages);
    println!("Changed: {}", list(&changed));
    let mut steps = Steps::default();
    steps.run("tidy", || tidy::run(sh));
    steps.run("formatting", || check_formatting(sh));
    if !changed.is_empty() {
        steps.run("clippy", || check_lints(sh));
        steps.run("tests", || run_tests(sh, flags, &changed));
    }
    steps.summarize()
}

/// The whole workspace is selected, as everywhere, so that its dependencies have the same features and are not built again.
fn run_tests(sh: &Shell, flags: &flags::Check, changed: &BTreeSet<&str>) -> anyhow::Result<()> {
    let packages: Vec<_> = changed.iter().map(|name| format!("rdeps(={name})")).collect();
    let packages = packages.join(" + ");
    let left_out = if flags.every_database { "none()" } else { ON_OTHER_DATABASES };
    let filter = format!("({packages}) - {left_out}");
    // Many tests wait for something most of the time.
    let n_tests = (2 * std::thread::available_parallelism()?.get()).to_string();
    let tests = cmd!(
        sh,
        "cargo nextest run --workspace --profile check --test-threads {n_tests} --filterset {filter}"
    );
    match flags.every_database {
        true => run_with_postgres(sh, tests),
        false => run_command(tests.env_remove(POSTGRES_URL)),
    }
}

/// The files that differ from the commit where this branch left `main`, and those that git does not know yet.
fn changed_files(sh: &Shell, flags: &flags::Check) -> anyhow::Result<Vec<String>> {
    let since = match &flags.since {
        Some(revision) => revision.clone(),
        None => cmd!(sh, "git merge-base HEAD main")
            .quiet()
            .ignore_stderr()
            .read()
            .unwrap_or("HEAD".to_owned()),
    };
    let changed = cmd!(sh, "git diff --name-only {since} --").quiet().read()?;
    let unknown = cmd!(sh, "git ls-files --others --exclude-standard").quiet().read()?;
    Ok(changed.lines().chain(unknown.lines()).map(str::to_owned).collect())
}

fn packages(sh: &Shell) -> anyhow::Result<Vec<Package>> {
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1").quiet().read()?;
    read_packages(&metadata).context("`cargo metadata` does not tell the packages")
}

fn read_packages(metadata: &str) -> Option<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let top_level = metadata.get("workspace_root")?.as_str()?;
    let package = |package: &Value| {
        let manifest = package.get("manifest_path")?.as_str()?;
        let folder = manifest.strip_prefix(top_level)?.strip_prefix('/')?;
        let folder = folder.strip_suffix("Cargo.toml")?.to_owned();
        Some(Package { name: package.get("name")?.as_str()?.to_owned(), folder })
    };
    metadata.get("packages")?.as_array()?.iter().map(package).collect()
}

/// The packages that these files belong to; all of them where a file may change how each is built.
fn changed_packages<'a>(files: &[String], packages: &'a [Package]) -> BTreeSet<&'a str> {
    let mut changed = BTreeSet::new();
    for file in files.iter().filter(|file| !TEXTS.iter().any(|text| file.ends_with(text))) {
        let elsewhere = ELSEWHERE.iter().find(|(folder, _)| file.starts_with(folder));
        let is_owner = |package: &&Package| match elsewhere {
            Some((_, name)) => package.name == *name,
            None => file.starts_with(&package.folder),
        };
        // One package may lie within another's folder.
        match packages.iter().filter(is_owner).max_by_key(|package| package.folder.len()) {
            Some(package) => changed.extend([package.name.as_str()]),
            None => changed.extend(packages.iter().map(|package| package.name.as_str())),
        }
    }
    changed
}

fn list(names: &BTreeSet<&str>) -> String {
    if names.is_empty() {
        return "no package".to_owned();
    }
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(files: &[&str]) -> String {
        let package = |(name, folder): (&str, &str)| Package {
            name: name.to_owned(),
            folder: folder.to_owned(),
        };
        let packages = [
            ("windlass-store", "store/"),
            ("windlass-suite", "store/suite/"),
            ("windlass-worker", "worker/"),
        ]
        .map(package);
        let files: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
        list(&changed_packages(&files, &packages))
    }

    #[test]
    fn a_file_changes_the_package_in_whose_folder_it_lies() {
        assert_eq!(changed(&["store/src/lib.rs", "store/src/ops/mod.rs"]), "windlass-store");
        assert_eq!(changed(&["store/suite/src/lib.rs"]), "windlass-suite");
        assert_eq!(changed(&["migrations/sqlite/1/up.sql"]), "windlass-store");
    }

    #[test]
    fn what_all_packages_are_built_with_changes_all() {
        let all = "windlass-store, windlass-suite, windlass-worker";

        assert_eq!(changed(&["Cargo.lock"]), all);
        assert_eq!(changed(&[".config/nextest.toml", "worker/src/main.rs"]), all);
    }

    #[test]
    fn a_text_changes_no_package() {
        assert_eq!(changed(&["README.md", "store/README.md", ".ci/run"]), "no package");
    }

    #[test]
    fn packages_are_named_with_their_folders() {
        let metadata = r#"{"workspace_root": "/w", "packages": [
            {"name": "a", "manifest_path": "/w/a/Cargo.toml"},
            {"name": "b", "manifest_path": "/w/a/b/Cargo.toml"}
        ]}"#;

        let packages = read_packages(metadata).unwrap();

        let places: Vec<_> =
            packages.iter().map(|it| (it.name.as_str(), it.folder.as_str())).collect();
        assert_eq!(places, [("a", "a/"), ("b", "a/b/")]);
    }
}
