//! `activate`, `pause`, `resume`, `archive`, `unarchive`: what a person orders of a workflow.

use serde::Serialize;
use windlass_api::service::{ControlledWorkflow, Service};
use windlass_core::{Action, WorkflowId, WorkflowStatus};
use windlass_store::Workflow;

use super::status::{self, StatusPage};
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
    let left = what_is_left(context, &service, controlled.workflow.id).await?;
    let (message, next) = match left {
        Some(left) => (format!("Version {version} of `{name}` is active."), left),
        None => {
            let run = context.hint.command(&format!("run {}", quoted(name)));
            let up = context.hint.command("up");
            let next = format!("`{up}` keeps it running; `{run}` runs it once.");
            (format!("`{name}` runs version {version} now."), next)
        }
    };
    context.output.print(&ControlOutput { message, next: Some(next), controlled })?;
    Ok(ExitStatus::Done)
}

/// What a person has to do before the active version of a workflow runs; none where it runs.
pub(super) async fn what_is_left(
    context: &Context,
    service: &Service,
    workflow: WorkflowId,
) -> Result<Option<String>> {
    let StatusPage { overview, health } = status::load(context, service, workflow).await?;
    let name = quoted(&overview.workflow.name);
    Ok(health.waits_for_person.then(|| {
        let status = context.hint.command(&format!("status {name}"));
        format!("It does not run yet: {}. `{status}` says what to do.", health.why)
    }))
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
