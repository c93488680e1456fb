//! Cargo within `cargo xtask`.

use xshell::Cmd;

/// What `cargo run` says of this package. Where another cargo hears it, some dependencies are built again.
const OF_THIS_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The same command, as if no package were running.
pub(crate) fn of_nobody(mut command: Cmd<'_>) -> Cmd<'_> {
    for (name, _) in std::env::vars_os() {
        let is_ours = name
            .to_str()
            .is_some_and(|name| OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix)));
        if is_ours {
            command = command.env_remove(name);
        }
    }
    command
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
