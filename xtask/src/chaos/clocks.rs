//! Wrong clocks: `libfaketime` between a worker and the system's clock.

use std::ffi::OsString;

use anyhow::Context;
use xshell::{Shell, cmd};

use crate::packages;

/// The file in a worker's folder with the offset of its clock.
pub(crate) const FILE: &str = "clock";

/// The offset of a clock that is right.
pub(crate) const NO_OFFSET: &str = "+0\n";

/// The environment of a worker whose clock follows its file. Installs the program `faketime` where it is missing and can be
/// installed.
///
/// Only the wall clock is faked: nobody can set the monotonic clock of a real machine.
pub(crate) fn environment() -> anyhow::Result<Vec<(OsString, OsString)>> {
    let sh = &Shell::new()?;
    let library = match find_library(sh) {
        Some(library) => library,
        None => {
            packages::install(sh, "faketime")?;
            find_library(sh).context("the package `faketime` brought no library")?
        }
    };
    let settings = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", FILE),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    Ok(settings.map(|(name, value)| (name.into(), value.into())).to_vec())
}

/// The library that a program loads to see another time.
fn find_library(sh: &Shell) -> Option<String> {
    let asked = cmd!(sh, "faketime -m -f +0 printenv LD_PRELOAD").quiet().ignore_stderr().read();
    asked.ok().filter(|library| !library.is_empty())
}
