//! `doctor`: checks configuration, database, disk, V8 and clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use windlass_api::service::Service;
use windlass_api::text::{TimeFormat, duration};
use windlass_core::{Clock as _, SystemClock, Timestamp, digest_text};
use windlass_sandbox::Script;
use windlass_scheduler::Registry;
use windlass_tools as tools;
use windlass_tools::secrets::{SecretOrigin, Secrets, Standing};

use super::Context;
use super::engine::{NoNotifier, described_builtin, roots_below, sandbox};
use crate::config::{ConfigError, without_password};
use crate::exit::{CommandError, Ending, Result};
use crate::output::{Answer, Form, Output, Page};

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

#[derive(Debug, Serialize)]
struct Examination {
    ok: bool,
    checks: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    verdict: Verdict,
    message: String,
    /// What to do about it.
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Finding {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, message: message.into(), hint: None }
    }

    fn warn(name: &'static str, message: impl Into<String>, hint: &str) -> Self {
        let hint = Some(hint.to_owned());
        Self { name, verdict: Verdict::Warn, message: message.into(), hint }
    }

    fn fail(name: &'static str, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { name, verdict: Verdict::Fail, message: message.into(), hint }
    }

    fn error(name: &'static str, error: &CommandError) -> Self {
        let report = error.report();
        let message = std::iter::once(report.message).chain(report.causes);
        Self::fail(name, message.collect::<Vec<_>>().join(": "), report.hint)
    }
}

pub(crate) async fn run(context: &Context) -> Result<Ending> {
    let secrets = &context.secrets;
    let mut checks = vec![configuration(context)];
    checks.extend(secrets.standings().map(|(name, origin, status)| secret(name, origin, status)));
    checks.push(tools(context, secrets));
    let service = open(context).await;
    checks.push(database(context, &service));
    checks.push(disk(context));
    checks.push(v8(context).await);
    checks.push(clock(service.ok().flatten().as_ref()).await);
    conclude(&context.output, checks)
}

/// Where the configuration cannot be used, nothing else can be looked at.
pub(crate) fn report_config(form: Form, error: &ConfigError) -> Result<Ending> {
    let times = TimeFormat { zone: chrono_tz::Tz::UTC, now: SystemClock.now() };
    let message = format!("{error}; nothing else was checked");
    conclude(&Output::new(form, times), vec![Finding::fail("configuration", message, error.hint())])
}

fn conclude(output: &Output, checks: Vec<Finding>) -> Result<Ending> {
    let ok = checks.iter().all(|check| check.verdict != Verdict::Fail);
    output.answer(&Examination { ok, checks })?;
    Ok(if ok { Ending::Done } else { Ending::Failed })
}

fn configuration(context: &Context) -> Finding {
    let zone = context.settings.timezone;
    match &context.settings.file {
        Some(file) => Finding::ok("configuration", format!("{}, time zone {zone}", file.display())),
        None => Finding::ok("configuration", format!("none, so defaults; time zone {zone}")),
    }
}

fn secret(name: &str, origin: &SecretOrigin, status: Standing) -> Finding {
    match status {
        Standing::Usable => Finding::ok("secret", format!("`{name}` is there, from {origin}")),
        Standing::TooShort => Finding::warn(
            "secret",
            format!("`{name}`, from {origin}, is too short to be told from other text"),
            "use a longer one: this one is not blotted out where a server repeats it",
        ),
        Standing::Missing(error) => Finding::fail("secret", error.to_string(), None),
    }
}

fn tools(context: &Context, secrets: &Arc<Secrets>) -> Finding {
    let settings = &context.settings;
    let mut config = settings.tools.clone();
    let below = roots_below(settings);
    let is_missing = |root: &String| below.contains(root) && !settings.root.join(root).exists();
    let (missing, there): (Vec<_>, Vec<_>) = config.files.roots.into_iter().partition(is_missing);
    config.files.roots = there;
    match tools::builtin(&config, secrets, &settings.root, Arc::new(NoNotifier)) {
        Err(error) => Finding::error("tools", &error.into()),
        Ok(_) if !missing.is_empty() => Finding::warn(
            "tools",
            format!("there is no folder {} yet", missing.join(", ")),
            "nothing to do: the first run makes it",
        ),
        Ok(_) if config.files.roots.is_empty() => Finding::warn(
            "tools",
            "scripts can use no files",
            "name folders in `[tools.files] roots` of the configuration, if they should",
        ),
        Ok(_) => {
            let roots = config.files.roots.join(", ");
            Finding::ok("tools", format!("scripts can use the folders {roots}"))
        }
    }
}

/// Opens the database; none where it is not made yet.
async fn open(context: &Context) -> Result<Option<Service>> {
    if context.settings.database_file().is_some_and(|file| !file.exists()) {
        return Ok(None);
    }
    context.open_existing().await.map(Some)
}

fn database(context: &Context, service: &Result<Option<Service>>) -> Finding {
    let url = without_password(&context.settings.database);
    match service {
        Ok(Some(_)) => Finding::ok("database", format!("{url} answers, and its schema is current")),
        Ok(None) => Finding::warn(
            "database",
            format!("{url} is not made yet"),
            "nothing to do: the first `windlass deploy` makes it",
        ),
        Err(error) => Finding::error("database", error),
    }
}

fn disk(context: &Context) -> Finding {
    let file = context.settings.database_file();
    let wanted = file.as_deref().unwrap_or(&context.settings.root);
    let folder = nearest_folder(wanted);
    let free_mib = match rustix::fs::statvfs(&folder) {
        Ok(stat) => stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024),
        Err(error) => {
            let message =
                format!("cannot ask for the free space of `{}`: {error}", folder.display());
            return Finding::fail("disk", message, None);
        }
    };
    let message = format!("{free_mib} MiB free in {}", folder.display());
    match free_mib {
        0..DISK_LEAST_MIB => Finding::fail("disk", message, Some("free some space".to_owned())),
        DISK_LEAST_MIB..DISK_LITTLE_MIB => Finding::warn("disk", message, "free some space soon"),
        _ => Finding::ok("disk", message),
    }
}

fn nearest_folder(path: &Path) -> PathBuf {
    path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

async fn v8(context: &Context) -> Finding {
    let script =
        Script { name: "probe.js".into(), source: PROBE.into(), digest: digest_text(PROBE).into() };
    let registry = match described_builtin().and_then(|tools| Ok(Registry::new(tools)?)) {
        Ok(registry) => registry,
        Err(error) => return Finding::error("v8", &error),
    };
    match sandbox(context, &registry, 1).check(script, "UTC").await {
        Ok(_) => Finding::ok("v8", "runs scripts"),
        Err(problems) => {
            let texts: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
            let hint = "report it with the kind of machine that this is".to_owned();
            Finding::fail("v8", format!("cannot run a script: {}", texts.join("; ")), Some(hint))
        }
    }
}

async fn clock(service: Option<&Service>) -> Finding {
    let hint = "set the clock of this machine, best by NTP";
    let before = SystemClock.now();
    let database = match service {
        Some(service) => match service.store.now().await {
            Ok(now) => Some(now),
            Err(error) => return Finding::error("clock", &error.into()),
        },
        None => None,
    };
    let after = SystemClock.now();
    let apart = database.map(|now| now.since(after).max(before.since(now))).unwrap_or_default();
    if before < EARLIEST_NOW {
        Finding::fail("clock", format!("it is not {before} any more"), Some(hint.to_owned()))
    } else if after < before {
        Finding::warn("clock", "it went backwards just now", hint)
    } else if apart > CLOCKS_APART {
        Finding::warn("clock", format!("{} away from the database's clock", duration(apart)), hint)
    } else {
        Finding::ok("clock", after.to_string())
    }
}

impl Answer for Examination {
    fn write(&self, page: &mut Page) {
        for check in &self.checks {
            let verdict = match check.verdict {
                Verdict::Ok => "ok",
                Verdict::Warn => "warn",
                Verdict::Fail => "FAIL",
            };
            page.line(format_args!("{verdict:<5} {:<14} {}", check.name, check.message));
            if let Some(hint) = &check.hint {
                page.line(format_args!("{:20} {hint}", ""));
            }
        }
    }
}
