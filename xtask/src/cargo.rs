//! Cargo within `cargo xtask`.

use std::ffi::OsString;

use xshell::Cmd;

/// What `cargo run` says of this package. Where another cargo hears it, some dependencies are built again.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The same command, as if no package were running.
pub(crate) fn of_nobody(command: Cmd<'_>) -> Cmd<'_> {
    said_of_this_package().fold(command, Cmd::env_remove)
}

/// The names of the variables that say something of this package.
pub(crate) fn said_of_this_package() -> impl Iterator<Item = OsString> {
    let is_ours = |name: &OsString| {
        let name = name.to_string_lossy();
        OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix))
    };
    std::env::vars_os().map(|(name, _)| name).filter(is_ours)
}

#[cfg(test)]
mod tests {
    use xshell::{Shell, cmd};

    use super::*;

    #[test]
    fn a_cargo_within_hears_nothing_of_this_package() {
        let sh = Shell::new().unwrap();
        // Cargo says so to the tests of a package too.
        assert!(std::env::var_os("CARGO_PKG_NAME").is_some());

        let heard = of_nobody(cmd!(sh, "env")).quiet().read().unwrap();

        assert!(!heard.lines().any(|line| line.starts_with("CARGO_PKG_")), "{heard}");
        assert!(heard.lines().any(|line| line.starts_with("PATH=")), "{heard}");
    }
}
