//! `check`: validates a script without running it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use windlass_core::{Capability, Grant, Manifest, Problem, digest_text};
use windlass_sandbox::Script;
use windlass_scheduler::Target;

use super::Context;
use super::engine::{described_registry, sandbox};
use crate::exit::{CommandError, Ending, Result};
use crate::output::{Answer, Page, problem_line};

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The script
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    errors: Vec<Problem>,
    /// What may be a mistake.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Problem>,
    workflow: Option<Manifest>,
    /// The tools that it calls, which a deployment has to allow.
    tools: Grant,
    #[serde(skip)]
    file: String,
}

/// A script that is valid.
#[derive(Debug)]
pub(crate) struct ValidScript {
    pub(crate) file_name: String,
    pub(crate) source: String,
    pub(crate) manifest: Manifest,
    /// The tools that it calls.
    pub(crate) tools: Grant,
    /// What may be a mistake.
    pub(crate) warnings: Vec<Problem>,
}

pub(crate) async fn run(context: &Context, args: &CheckArgs) -> Result<Ending> {
    let file = args.file.display().to_string();
    let checked = match load(context, &args.file).await {
        Ok(ValidScript { manifest, tools, warnings, .. }) => {
            let (ok, errors, workflow) = (true, Vec::new(), Some(manifest));
            Checked { ok, errors, warnings, workflow, tools, file }
        }
        Err(CommandError::InvalidScript { problems, .. }) => {
            let (warnings, tools) = (Vec::new(), Grant::default());
            Checked { ok: false, errors: problems, warnings, workflow: None, tools, file }
        }
        Err(error) => return Err(error),
    };
    context.output.answer(&checked)?;
    Ok(if checked.ok { Ending::Done } else { Ending::Failed })
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
    match validate(context, &file_name, bytes).await? {
        Ok(script) => Ok(script),
        Err(problems) => Err(CommandError::InvalidScript { file: path_text, problems }),
    }
}

/// Validates the bytes of a script.
async fn validate(
    context: &Context,
    file_name: &str,
    bytes: Vec<u8>,
) -> Result<Result<ValidScript, Vec<Problem>>> {
    let source = match String::from_utf8(bytes) {
        Ok(source) => source,
        Err(error) => return Ok(Err(vec![not_text(&error)])),
    };
    let script = Script {
        name: file_name.into(),
        digest: digest_text(&source).into(),
        source: source.as_str().into(),
    };
    let registry = described_registry(context).await?;
    let sandbox = sandbox(context, &registry, 1);
    let manifest = match sandbox.check(script.clone(), context.settings.timezone.name()).await {
        Ok(manifest) => manifest,
        Err(problems) => return Ok(Err(problems)),
    };
    let called = sandbox.tools_of(&script).await;
    // What the engine itself answers needs no permission.
    let is_tool = |it: &&Capability| {
        let found = registry.find(it.namespace(), it.method());
        found.is_some_and(|callable| matches!(callable.target(), Target::Tool(_)))
    };
    let tools = called.iter().filter(is_tool).cloned().collect();
    let warnings = sandbox.advise(script).await;
    Ok(Ok(ValidScript { file_name: file_name.to_owned(), source, manifest, tools, warnings }))
}

fn not_text(error: &std::string::FromUtf8Error) -> Problem {
    let valid_up_to = error.utf8_error().valid_up_to();
    let before = error.as_bytes().get(..valid_up_to).unwrap_or_default();
    let before = String::from_utf8_lossy(before);
    let count = |n: usize| u32::try_from(n).ok();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Problem {
        line: count(before.matches('\n').count() + 1),
        column: count(column),
        ..Problem::new("not_utf8", "the file is not UTF-8 text").hint("save it as UTF-8")
    }
}

impl Answer for Checked {
    fn write(&self, page: &mut Page) {
        for problem in &self.errors {
            page.line(problem_line(&self.file, problem));
        }
        for warning in &self.warnings {
            page.line(format_args!("warning: {}", problem_line(&self.file, warning)));
        }
        match &self.workflow {
            Some(manifest) => {
                page.line(format_args!("{} is a valid workflow.", self.file));
                write_manifest(page, manifest);
                write_grant(page, "calls", &self.tools);
            }
            None => {
                page.heading(format_args!("{} problem(s).", self.errors.len()));
            }
        }
    }
}

/// Writes what a script calls or may call.
pub(crate) fn write_grant(page: &mut Page, label: &str, grant: &Grant) {
    let tools = grant.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    page.field(label, if tools.is_empty() { "no tool".to_owned() } else { tools });
}

/// Writes what a script declares.
pub(crate) fn write_manifest(page: &mut Page, manifest: &Manifest) {
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
