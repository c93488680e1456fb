//! `activate`, `pause`, `resume`, `archive`, `unarchive`: what a person wants of a workflow.

use clap::Args;
use serde::Serialize;
use windlass_api::service::Service;
use windlass_core::{Action, ScriptId, WorkflowStatus};
use windlass_store::{ActivateScript, ControlWorkflow, ScriptVersion, Workflow};

use super::Context;
use crate::exit::{CommandError, Ending, Result};
use crate::hint::quoted;
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct ActivateArgs {
    /// The workflow's name or id, and the version, for example `receipts@1.2`; without one the newest
    #[arg(value_name = "NAME[@VERSION]")]
    workflow: String,
}

#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    workflow: String,
}

/// The workflow afterwards, and what follows.
#[derive(Debug, Serialize)]
struct Controlled {
    #[serde(flatten)]
    workflow: Workflow,
    version: Option<String>,
    #[serde(skip)]
    what: String,
    #[serde(skip)]
    next: Option<String>,
}

impl Answer for Controlled {
    fn write(&self, page: &mut Page) {
        page.line(&self.what);
        if let Some(next) = &self.next {
            page.line(next);
        }
    }
}

pub(crate) async fn activate(context: &Context, args: &ActivateArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let (name, version) = match args.workflow.rsplit_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (args.workflow.as_str(), None),
    };
    let workflow = service.store.find_workflow(service.workspace, name).await?;
    let scripts = service.store.scripts(service.workspace, workflow.id).await?;
    let script = choose(&workflow, &scripts, version)?;
    let activated = activate_script(context, &service, &workflow, script.id).await?;
    context.output.answer(&Controlled {
        what: format!("`{}` runs version {} now.", activated.name, script.version()),
        next: Some(format!(
            "`{}` keeps it running; `{}` runs it once.",
            context.hint.command("up"),
            context.hint.command(&format!("run {}", quoted(&activated.name)))
        )),
        version: Some(script.version()),
        workflow: activated,
    })?;
    Ok(Ending::Done)
}

/// Makes a version the one that runs.
pub(crate) async fn activate_script(
    context: &Context,
    service: &Service,
    workflow: &Workflow,
    script: ScriptId,
) -> Result<Workflow> {
    let params = ActivateScript {
        workspace: service.workspace,
        workflow: workflow.id,
        script,
        actor: context.actor.clone(),
    };
    Ok(service.store.activate_script(params).await?)
}

fn choose<'a>(
    workflow: &Workflow,
    scripts: &'a [ScriptVersion],
    version: Option<&str>,
) -> Result<&'a ScriptVersion> {
    let found = match version {
        Some(version) => scripts.iter().find(|script| script.version() == version),
        None => scripts.first(),
    };
    found.ok_or_else(|| {
        let known: Vec<_> = scripts.iter().map(ScriptVersion::version).collect();
        CommandError::Refused {
            code: "not_found",
            message: match version {
                Some(version) => format!("`{}` has no version `{version}`", workflow.name),
                None => format!("`{}` has no script yet", workflow.name),
            },
            hint: if known.is_empty() {
                "deploy one first".to_owned()
            } else {
                format!("it has {}", known.join(", "))
            },
        }
    })
}

pub(crate) async fn pause(context: &Context, args: &ControlArgs) -> Result<Ending> {
    control(context, args, Action::Pause).await
}

pub(crate) async fn resume(context: &Context, args: &ControlArgs) -> Result<Ending> {
    control(context, args, Action::Resume).await
}

pub(crate) async fn archive(context: &Context, args: &ControlArgs) -> Result<Ending> {
    control(context, args, Action::Archive).await
}

pub(crate) async fn unarchive(context: &Context, args: &ControlArgs) -> Result<Ending> {
    control(context, args, Action::Unarchive).await
}

async fn control(context: &Context, args: &ControlArgs, action: Action) -> Result<Ending> {
    let service = context.open_existing().await?;
    let workflow = service.store.find_workflow(service.workspace, &args.workflow).await?;
    let params = ControlWorkflow {
        workspace: service.workspace,
        workflow: workflow.id,
        action,
        actor: context.actor.clone(),
    };
    let workflow = service.store.control_workflow(params).await?;
    let version = match workflow.active_script_id {
        Some(script) => Some(service.store.script(service.workspace, script).await?.version()),
        None => None,
    };
    context.output.answer(&Controlled {
        what: format!("`{}` is {} now.", workflow.name, workflow.status),
        next: what_follows(context, &workflow),
        version,
        workflow,
    })?;
    Ok(Ending::Done)
}

fn what_follows(context: &Context, workflow: &Workflow) -> Option<String> {
    let name = quoted(&workflow.name);
    let (verb, effect) = match workflow.status {
        WorkflowStatus::Paused => ("resume", "lets it go on"),
        WorkflowStatus::Archived => ("unarchive", "takes it back"),
        WorkflowStatus::Active => ("status", "says how it stands"),
        WorkflowStatus::Draft | WorkflowStatus::Ready => return None,
    };
    Some(format!("`{}` {effect}.", context.hint.command(&format!("{verb} {name}"))))
}
