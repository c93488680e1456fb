//! `doctor`: checks configuration, database, disk, V8 and clock.

use std::path::PathBuf;
use std::sync::Arc;

use windlass_api::service::{
    Check, CheckResult, Examination, Service, check_clock, check_disk, check_v8,
};
use windlass_scheduler::Registry;
use windlass_tools as tools;
use windlass_tools::mcp::{ConnectorReport, ConnectorState};
use windlass_tools::secrets::{SecretOrigin, SecretStatus, Secrets};

use super::engine::{NoNotifier, described_builtin};
use crate::config::{ConfigError, without_password};
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Output, OutputFormat, Printable, TextPage};
use crate::trust;

/// A check that ended with an error.
fn failed(context: &Context, name: &'static str, error: &CommandError) -> Check {
    let report = error.report(&context.hint);
    let message = std::iter::once(report.message).chain(report.causes);
    Check::fail(name, message.collect::<Vec<_>>().join(": "), report.hint)
}

pub(crate) async fn run(context: &Context) -> Result<ExitStatus> {
    let secrets = &context.secrets;
    let mut checks = vec![configuration(context)];
    checks.extend(secrets.statuses().map(|(name, origin, status)| secret(name, origin, status)));
    checks.push(tools(context, secrets));
    checks.extend(connectors(context).await);
    let service = open(context).await;
    checks.push(database(context, &service));
    checks.push(check_disk(&disk_path(context)));
    checks.push(v8(context).await);
    checks.push(clock(context, service.ok().flatten().as_ref()).await);
    conclude(&context.output, checks)
}

/// Reports a configuration that cannot be used; without one nothing else can be checked.
pub(crate) fn report_config(format: OutputFormat, error: &ConfigError) -> Result<ExitStatus> {
    let message = format!("{error}; nothing else was checked");
    let output = Output::new(format, chrono_tz::Tz::UTC);
    conclude(&output, vec![Check::fail("configuration", message, error.hint())])
}

fn conclude(output: &Output, checks: Vec<Check>) -> Result<ExitStatus> {
    let examination = Examination::from(checks);
    output.print(&examination)?;
    Ok(if examination.ok { ExitStatus::Done } else { ExitStatus::Failed })
}

fn configuration(context: &Context) -> Check {
    let zone = context.settings.timezone;
    match &context.settings.file {
        Some(file) => Check::ok("configuration", format!("{}, time zone {zone}", file.display())),
        None => {
            Check::ok("configuration", format!("none, so the defaults apply; time zone {zone}"))
        }
    }
}

fn secret(name: &str, origin: &SecretOrigin, status: SecretStatus) -> Check {
    match status {
        SecretStatus::Usable => Check::ok("secret", format!("`{name}` is there, from {origin}")),
        SecretStatus::TooShort => Check::warn(
            "secret",
            format!("`{name}`, from {origin}, is too short to be told from other text"),
            "use a longer one: this one is not redacted where a server repeats it",
        ),
        SecretStatus::Missing(error) => Check::fail("secret", error.to_string(), None),
    }
}

fn tools(context: &Context, secrets: &Arc<Secrets>) -> Check {
    let settings = &context.settings;
    let config = &settings.tools;
    match tools::builtin(config, secrets, &settings.root, Arc::new(NoNotifier)) {
        Err(error) => failed(context, "tools", &error.into()),
        Ok(_) if config.files.roots.is_empty() => Check::warn(
            "tools",
            "scripts can use no files",
            "name folders in `[tools.files] roots` of the configuration, if they should",
        ),
        Ok(_) => {
            let roots = config.files.roots.join(", ");
            Check::ok("tools", format!("scripts can use the folders {roots}"))
        }
    }
}

/// Starts every connector and asks it for its tools.
async fn connectors(context: &Context) -> Vec<Check> {
    if context.settings.mcp.is_empty() {
        return Vec::new();
    }
    let inspected = match trust::require(context) {
        Ok(()) => context.connectors.inspect().await.map_err(CommandError::from),
        Err(error) => Err(error),
    };
    match inspected {
        Ok(reports) => reports.iter().map(|it| connector(context, it)).collect(),
        Err(error) => vec![failed(context, "connector", &error)],
    }
}

fn connector(context: &Context, report: &ConnectorReport) -> Check {
    let name = &report.name;
    let hint = format!("`{}` shows more", context.hint.command("connectors"));
    match (report.state, &report.problem) {
        (ConnectorState::Unreachable, problem) => {
            let problem = problem.as_deref().unwrap_or("it could not be asked");
            Check::fail("connector", format!("`{name}`: {problem}"), None)
        }
        (ConnectorState::Changed, _) => {
            Check::warn("connector", format!("`{name}` is not as it was accepted"), &hint)
        }
        (ConnectorState::New | ConnectorState::AsAccepted, Some(problem)) => {
            Check::warn("connector", format!("`{name}`: {problem}"), &hint)
        }
        (ConnectorState::New | ConnectorState::AsAccepted, None) => {
            Check::ok("connector", format!("`{name}` answers, with {} tool(s)", report.tools.len()))
        }
    }
}

/// Opens the database; none where the file does not exist yet.
async fn open(context: &Context) -> Result<Option<Service>> {
    if context.settings.database_file().is_some_and(|file| !file.exists()) {
        return Ok(None);
    }
    context.open_existing().await.map(Some)
}

fn database(context: &Context, service: &Result<Option<Service>>) -> Check {
    let url = without_password(&context.settings.database);
    match service {
        Ok(Some(_)) => Check::ok("database", format!("{url} answers, and its schema is current")),
        Ok(None) => Check::warn(
            "database",
            format!("{url} does not exist yet"),
            &format!("nothing to do: the first `{}` makes it", context.hint.command("deploy")),
        ),
        Err(error) => failed(context, "database", error),
    }
}

/// Where the database is, or else the configuration.
fn disk_path(context: &Context) -> PathBuf {
    context.settings.database_file().unwrap_or_else(|| context.settings.root.clone())
}

async fn v8(context: &Context) -> Check {
    match described_builtin().and_then(|tools| Ok(Registry::new(tools)?)) {
        Ok(registry) => check_v8(&registry, &context.settings.policy.script).await,
        Err(error) => failed(context, "v8", &error),
    }
}

async fn clock(context: &Context, service: Option<&Service>) -> Check {
    match check_clock(service).await {
        Ok(check) => check,
        Err(error) => failed(context, "clock", &error.into()),
    }
}

impl Printable for Examination {
    fn write(&self, page: &mut TextPage) {
        for check in &self.checks {
            let verdict = match check.verdict {
                CheckResult::Ok => "ok",
                CheckResult::Warn => "warn",
                CheckResult::Fail => "FAIL",
            };
            page.line(format_args!("{verdict:<5} {:<14} {}", check.name, check.message));
            if let Some(hint) = &check.hint {
                page.line(format_args!("{:20} {hint}", ""));
            }
        }
    }
}
