//! Checks that this machine can run workflows: the disk, V8 and the clock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use windlass_core::{Clock as _, ScriptLimits, SystemClock, Timestamp, digest_text};
use windlass_sandbox::Script;
use windlass_scheduler::Registry;

use super::check::start_sandbox;
use super::error::Result;
use super::handle::Service;
use crate::text::duration;

/// Below this nothing can be kept for long.
const DISK_LEAST_MIB: u64 = 64;

/// Below this a person should know.
const DISK_LITTLE_MIB: u64 = 1_024;

/// How far this machine's clock may be from the database's.
const CLOCKS_APART: Duration = Duration::from_secs(5);

/// A clock that shows an earlier instant was never set: 2025-01-01.
const EARLIEST_NOW: Timestamp = Timestamp::from_micros(1_735_689_600_000_000);

/// The smallest workflow there is.
const PROBE: &str = "const workflow = { topics: { t: {} }, producers: { p: { publishes: ['t'], \
schedule: { interval: '1d' }, handler: async () => {} } }, consumers: { c: { subscribe: ['t'], \
prepare: async () => ({ reservations: [] }) } } };";

/// What was checked, and whether nothing failed.
#[derive(Debug, Serialize)]
pub struct Examination {
    /// Whether no check failed.
    pub ok: bool,
    /// The checks in the order in which they were made.
    pub checks: Vec<Check>,
}

/// What one check found.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub verdict: CheckResult,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether something is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It is.
    Ok,
    /// It works, but a person should know.
    Warn,
    /// It does not work.
    Fail,
}

impl From<Vec<Check>> for Examination {
    fn from(checks: Vec<Check>) -> Self {
        let ok = checks.iter().all(|check| check.verdict != CheckResult::Fail);
        Self { ok, checks }
    }
}

impl Check {
    /// Something is as it should be.
    #[must_use]
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: CheckResult::Ok, message: message.into(), hint: None }
    }

    /// Something works, but a person should know.
    #[must_use]
    pub fn warn(name: &'static str, message: impl Into<String>, hint: &str) -> Self {
        let hint = Some(hint.to_owned());
        Self { name, verdict: CheckResult::Warn, message: message.into(), hint }
    }

    /// Something does not work.
    #[must_use]
    pub fn fail(name: &'static str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { name, verdict: CheckResult::Fail, message: message.into(), hint }
    }
}

/// Checks how much space is free where `path` is, or would be.
#[must_use]
pub fn check_disk(path: &Path) -> Check {
    let folder = nearest_folder(path);
    let free_mib = match rustix::fs::statvfs(&folder) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024),
        Err(error) => {
            let message =
                format!("cannot ask for the free space of `{}`: {error}", folder.display());
            return Check::fail("disk", message, None);
        }
    };
    let message = format!("{free_mib} MiB free in {}", folder.display());
    match free_mib {
        0..DISK_LEAST_MIB => Check::fail("disk", message, Some("free some space".to_owned())),
        DISK_LEAST_MIB..DISK_LITTLE_MIB => Check::warn("disk", message, "free some space soon"),
        _ => Check::ok("disk", message),
    }
}

fn nearest_folder(path: &Path) -> PathBuf {
    path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// Checks that V8 runs scripts.
pub async fn check_v8(registry: &Registry, limits: &ScriptLimits) -> Check {
    let script =
        Script { name: "probe.js".into(), source: PROBE.into(), digest: digest_text(PROBE).into() };
    match start_sandbox(registry, limits, 1).check(script, "UTC").await {
        Ok(_) => Check::ok("v8", "runs scripts"),
        Err(problems) => {
            let texts: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
            let hint = "report it with the kind of machine that this is".to_owned();
            Check::fail("v8", format!("cannot run a script: {}", texts.join("; ")), Some(hint))
        }
    }
}

/// Checks this machine's clock, and compares it with the database's where one is open.
///
/// # Errors
/// Those of the store.
pub async fn check_clock(service: Option<&Service>) -> Result<Check> {
    let hint = "set the clock of this machine, best by NTP";
    let before = SystemClock.now();
    let database = match service {
        Some(service) => Some(service.store.now().await?),
        None => None,
    };
    let after = SystemClock.now();
    let ahead = match service {
        Some(service) => service.known_ahead().await?,
        None => None,
    };
    let apart = database.map(|now| now.since(after).max(before.since(now))).unwrap_or_default();
    Ok(if before < EARLIEST_NOW {
        Check::fail("clock", format!("it is not {before} any more"), Some(hint.to_owned()))
    } else if after < before {
        Check::warn("clock", "it went backwards just now", hint)
    } else if apart > CLOCKS_APART {
        let message = format!("{} away from the database's clock", duration(apart));
        Check::warn("clock", message, hint)
    } else if let Some(ahead) = ahead {
        let message = format!(
            "the database knows of moments up to {} ahead of its clock, so the clock was set back",
            duration(ahead)
        );
        Check::warn("clock", message, "nothing waits for them; see that the clock is right now")
    } else {
        Check::ok("clock", after.to_string())
    })
}
