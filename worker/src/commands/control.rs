//! `activate`, `pause`, `resume`, `archive`, `unarchive`: what a person orders of a workflow.

use serde::Serialize;
use windlass_api::service::ControlledWorkflow;
use windlass_core::{Action, WorkflowStatus};
use windlass_store::Workflow;

use crate::cli::{ActivateArgs, ControlArgs};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::hint::quoted;
use crate::output::{Printable, TextPage};

/// The workflow afterwards, and the commands that follow.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct ControlOutput {
    controlled: ControlledWorkflow,
    #[serde(skip)]
    message: String,
    #[serde(skip)]
    next: Option<String>,
}

impl Printable for ControlOutput {
    fn write(&self, page: &mut TextPage) {
        page.line(&self.message);
        if let Some(next) = &self.next {
            page.line(next);
        }
    }
}

pub(crate) async fn activate(context: &Context, args: &ActivateArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let (name, version) = match args.workflow.rsplit_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (args.workflow.as_str(), None),
    };
    let controlled = service.activate(name, version).await?;
    let name = &controlled.workflow.name;
    let version = controlled.version.as_deref().unwrap_or_default();
    context.output.print(&ControlOutput {
        message: format!("`{name}` runs version {version} now."),
        next: Some(format!(
            "`{}` keeps it running; `{}` runs it once.",
            context.hint.command("up"),
            context.hint.command(&format!("run {}", quoted(name)))
        )),
        controlled,
    })?;
    Ok(ExitStatus::Done)
}

pub(crate) async fn control(
    context: &Context,
    args: &ControlArgs,
    action: Action,
) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let controlled = service.control(&args.workflow, action).await?;
    let workflow = &controlled.workflow;
    context.output.print(&ControlOutput {
        message: format!("`{}` is {} now.", workflow.name, workflow.status),
        next: next_command(context, workflow),
        controlled,
    })?;
    Ok(ExitStatus::Done)
}

fn next_command(context: &Context, workflow: &Workflow) -> Option<String> {
    let name = quoted(&workflow.name);
    let (verb, effect) = match workflow.status {
        WorkflowStatus::Paused => ("resume", "lets it continue"),
        WorkflowStatus::Archived => ("unarchive", "takes it out of the archive"),
        WorkflowStatus::Active => ("status", "shows its state"),
        WorkflowStatus::Draft | WorkflowStatus::Ready => return None,
    };
    Some(format!("`{}` {effect}.", context.hint.command(&format!("{verb} {name}"))))
}
