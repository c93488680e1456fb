//! Cargo within `cargo xtask`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use xshell::{Cmd, Shell, cmd};

/// What `cargo run` tells of this package. A cargo that inherits it builds some dependencies again.
const PREFIXES: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The same command without the variables that `cargo run` set for this package.
pub(crate) fn without_cargo_env(command: Cmd<'_>) -> Cmd<'_> {
    cargo_env().fold(command, Cmd::env_remove)
}

/// The names of the variables that `cargo run` set for this package.
pub(crate) fn cargo_env() -> impl Iterator<Item = OsString> {
    let is_of_package = |name: &OsString| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    std::env::vars_os().map(|(name, _)| name).filter(is_of_package)
}

/// Builds a program of the workspace in the profile of tests, and returns its path.
pub(crate) fn build_program(sh: &Shell, name: &str) -> anyhow::Result<PathBuf> {
    // With examples, of which there are none, cargo chooses the features of dependencies as for tests: nothing is built again.
    let build = cmd!(sh, "cargo build --quiet --workspace --bin {name} --examples");
    without_cargo_env(build).quiet().run()?;
    Ok(target_folder()?.join("debug").join(name))
}

/// Where cargo puts what it builds: this program is among it.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe()?;
    let target = this.parent().and_then(Path::parent).context("where are the programs built?")?;
    Ok(target.to_owned())
}

/// Whether there is a `cargo SUBCOMMAND`.
pub(crate) fn has_subcommand(sh: &Shell, subcommand: &str) -> bool {
    cmd!(sh, "cargo {subcommand} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cargo_within_inherits_nothing_of_this_package() {
        let sh = Shell::new().unwrap();
        // Cargo sets them for the tests of a package too.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());

        let environment = without_cargo_env(cmd!(sh, "env")).quiet().read().unwrap();

        assert!(!environment.lines().any(|line| line.starts_with("CARGO_PKG_")), "{environment}");
        assert!(environment.lines().any(|line| line.starts_with("PATH=")), "{environment}");
    }
}
