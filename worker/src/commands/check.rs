//! `check`: validates a script without running it.

use std::path::Path;

use serde::Serialize;
use windlass_api::service::{CheckReport, ScriptChecker, ValidScript};
use windlass_core::{Grant, Manifest};

use super::engine::described_registry;
use crate::cli::CheckArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage, problem_line};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct CheckOutput {
    report: CheckReport,
    #[serde(skip)]
    file: String,
}

pub(crate) async fn run(context: &Context, args: &CheckArgs) -> Result<ExitStatus> {
    let checked = match load(context, &args.file).await {
        Ok(script) => Ok(script),
        Err(CommandError::InvalidScript { problems, .. }) => Err(problems),
        Err(error) => return Err(error),
    };
    let report = CheckReport::from(checked);
    let ending = if report.ok { ExitStatus::Done } else { ExitStatus::Failed };
    context.output.print(&CheckOutput { report, file: args.file.display().to_string() })?;
    Ok(ending)
}

/// Reads a script and validates it.
///
/// # Errors
/// [`CommandError::InvalidScript`] with everything that is wrong.
pub(crate) async fn load(context: &Context, path: &Path) -> Result<ValidScript> {
    let path_text = path.display().to_string();
    let bytes = std::fs::read(path).map_err(CommandError::file("read", path))?;
    let file_name = path
        .file_name()
        .map_or_else(|| path_text.clone(), |name| name.to_string_lossy().into_owned());
    let registry = described_registry(context).await?;
    let timezone = context.settings.timezone.name();
    let checker = ScriptChecker::new(registry, &context.settings.policy.script, timezone);
    let checked = checker.check(&file_name, bytes).await;
    checked.map_err(|problems| CommandError::InvalidScript { file: path_text, problems })
}

impl Printable for CheckOutput {
    fn write(&self, page: &mut TextPage) {
        let CheckReport { errors, warnings, workflow, tools, .. } = &self.report;
        for problem in errors {
            page.line(problem_line(&self.file, problem));
        }
        for warning in warnings {
            page.line(format_args!("warning: {}", problem_line(&self.file, warning)));
        }
        match workflow {
            Some(manifest) => {
                page.line(format_args!("{} is a valid workflow.", self.file));
                write_manifest(page, manifest);
                write_grant(page, "calls", tools);
            }
            None => {
                page.heading(format_args!("{} problem(s).", errors.len()));
            }
        }
    }
}

/// Writes what a script calls or may call.
pub(crate) fn write_grant(page: &mut TextPage, label: &str, grant: &Grant) {
    let tools = grant.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    page.field(label, if tools.is_empty() { "no tool".to_owned() } else { tools });
}

/// Writes what a script declares.
pub(crate) fn write_manifest(page: &mut TextPage, manifest: &Manifest) {
    let list = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    for (name, producer) in &manifest.producers {
        let topics = list(&producer.publishes);
        page.field("producer", format_args!("{name}: {}, publishes {topics}", producer.schedule));
    }
    for (name, consumer) in &manifest.consumers {
        let mut text = format!("{name}: subscribes {}", list(&consumer.subscribe));
        if !consumer.publishes.is_empty() {
            text.push_str(", publishes ");
            text.push_str(&list(&consumer.publishes));
        }
        page.field("consumer", text);
    }
}
