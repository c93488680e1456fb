//! Wrong clocks: `libfaketime` between a worker and the system's clock.

use std::ffi::OsString;
use std::process::Command;

/// The file in a worker's folder with the offset of its clock.
pub(crate) const FILE: &str = "clock";

/// The offset of a clock that is right.
pub(crate) const NO_OFFSET: &str = "+0\n";

/// The environment of a worker whose clock follows its file; none where the program `faketime` is missing.
///
/// Only the wall clock is faked: nobody can set the monotonic clock of a real machine.
pub(crate) fn environment() -> Option<Vec<(OsString, OsString)>> {
    let asked =
        Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let library = String::from_utf8(asked.ok()?.stdout).ok()?.trim().to_owned();
    let settings = [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", FILE),
        ("FAKETIME_CACHE_DURATION", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    let settings = settings.map(|(name, value)| (name.into(), value.into()));
    (!library.is_empty()).then(|| settings.to_vec())
}
