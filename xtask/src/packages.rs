//! Programs from Debian's packages.

use anyhow::ensure;
use xshell::{Shell, cmd};

/// Installs a package, which needs root and `apt-get`.
pub(crate) fn install(sh: &Shell, package: &str) -> anyhow::Result<()> {
    ensure!(
        is_root(sh)? && cmd!(sh, "apt-get --version").quiet().ignore_stdout().run().is_ok(),
        "the package `{package}` is missing and cannot be installed here"
    );
    println!("Installing the package `{package}`");
    cmd!(sh, "apt-get update").run()?;
    cmd!(sh, "apt-get install --yes --no-install-recommends {package}")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()?;
    Ok(())
}

/// Whether this program may do everything on this machine.
pub(crate) fn is_root(sh: &Shell) -> anyhow::Result<bool> {
    Ok(cmd!(sh, "id -u").quiet().read()? == "0")
}
