//! `deploy`: saves a script as a new version of a workflow.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use windlass_api::service::Service;
use windlass_core::{Capability, Grant, ScriptId, WorkflowId, WorkflowStatus};
use windlass_store::{Bump, SaveScript, SavedScript, StoreError};

use super::check::{self, ValidScript, write_grant};
use super::control::activate_script;
use super::{Context, grant};
use crate::exit::{CommandError, Ending, Result};
use crate::hint::quoted;
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The script
    file: PathBuf,
    /// The workflow's name; the first script of a name makes the workflow
    #[arg(long)]
    name: String,
    /// Also let this version run
    #[arg(long)]
    activate: bool,
    /// What the script may call, for example Files.append,Http.post:api.example.com; without it what it is seen to call
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    allow: Vec<Capability>,
    /// Allow what it calls without asking
    #[arg(long)]
    yes: bool,
    /// It is a repair: same topics, schedules and message ids
    #[arg(long)]
    fix: bool,
    /// What is new in it
    #[arg(long, default_value = "", hide_default_value = true)]
    comment: String,
}

#[derive(Debug, Serialize)]
struct Deployed {
    workflow: DeployedWorkflow,
    script: DeployedScript,
    #[serde(skip)]
    next: String,
}

#[derive(Debug, Serialize)]
struct DeployedWorkflow {
    id: WorkflowId,
    name: String,
    status: WorkflowStatus,
}

#[derive(Debug, Serialize)]
struct DeployedScript {
    id: ScriptId,
    version: String,
    digest: String,
    is_new: bool,
    is_active: bool,
    grant: Grant,
    /// What it calls and is not allowed to.
    refused: Grant,
}

pub(crate) async fn run(context: &Context, args: &DeployArgs) -> Result<Ending> {
    check_name(&args.name)?;
    let script = check::load(context, &args.file).await?;
    let service = context.open_or_create().await?;
    let bump = if args.fix { Bump::Minor } else { Bump::Major };
    let earlier = earlier_grant(&service, &args.name).await?;
    let grant = grant::choose(context, args.into(), &script.tools, earlier.as_ref())?;
    let refused = grant::refused(&grant, &script.tools);
    let change = Change { name: &args.name, bump, comment: &args.comment, grant };
    let saved = save(context, &service, script, change).await?;
    let workflow = service.store.find_workflow(service.workspace, &args.name).await?;
    let workflow = if args.activate {
        activate_script(context, &service, &workflow, saved.script.id).await?
    } else {
        workflow
    };
    let is_active = workflow.active_script_id == Some(saved.script.id);
    let name = quoted(&workflow.name);
    let next = if is_active {
        format!(
            "`{}` runs it once; `{}` keeps it running.",
            context.hint.command(&format!("run {name}")),
            context.hint.command("up")
        )
    } else {
        let version = saved.script.version();
        format!("`{}` lets it run.", context.hint.command(&format!("activate {name}@{version}")))
    };
    context.output.answer(&Deployed {
        script: DeployedScript {
            id: saved.script.id,
            version: saved.script.version(),
            digest: saved.script.digest,
            is_new: saved.is_new,
            is_active,
            grant: saved.script.grant,
            refused,
        },
        workflow: DeployedWorkflow {
            id: workflow.id,
            name: workflow.name,
            status: workflow.status,
        },
        next,
    })?;
    Ok(Ending::Done)
}

/// What a deployment says of a script.
#[derive(Debug, Clone)]
pub(crate) struct Change<'a> {
    pub(crate) name: &'a str,
    pub(crate) bump: Bump,
    pub(crate) comment: &'a str,
    /// What it may call.
    pub(crate) grant: Grant,
}

/// What the version that runs may call, or else the newest; none where the name is new.
async fn earlier_grant(service: &Service, name: &str) -> Result<Option<Grant>> {
    let workflow = match service.store.find_workflow(service.workspace, name).await {
        Ok(workflow) => workflow,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let versions = service.store.scripts(service.workspace, workflow.id).await?;
    let active = versions.iter().find(|version| Some(version.id) == workflow.active_script_id);
    Ok(active.or(versions.first()).map(|version| version.grant.clone()))
}

impl<'a> From<&'a DeployArgs> for grant::Wish<'a> {
    fn from(args: &'a DeployArgs) -> Self {
        Self { allow: &args.allow, yes: args.yes }
    }
}

/// Saves a valid script.
pub(crate) async fn save(
    context: &Context,
    service: &Service,
    script: ValidScript,
    change: Change<'_>,
) -> Result<SavedScript> {
    let params = SaveScript {
        workspace: service.workspace,
        name: change.name.to_owned(),
        file_name: script.file_name,
        source: script.source,
        manifest: script.manifest,
        grant: change.grant,
        comment: change.comment.to_owned(),
        bump: change.bump,
        actor: context.actor.clone(),
    };
    Ok(service.store.save_script(params).await?)
}

/// A name has to be distinguishable from an id, a version and an option.
fn check_name(name: &str) -> Result<()> {
    let is_good = !name.trim().is_empty()
        && !name.starts_with("wf_")
        && !name.contains('@')
        && !name.chars().any(char::is_control)
        && name.chars().count() <= 200;
    if is_good {
        return Ok(());
    }
    Err(CommandError::Usage {
        message: format!("`{name}` cannot be the name of a workflow"),
        hint: Some(
            "take up to 200 characters without `@`, and no name that begins with `wf_`".to_owned(),
        ),
    })
}

impl Answer for Deployed {
    fn write(&self, page: &mut Page) {
        let (script, name) = (&self.script, &self.workflow.name);
        if script.is_new {
            page.line(format_args!("Saved version {} of `{name}`.", script.version));
        } else {
            page.line(format_args!("`{name}` has this text already: version {}.", script.version));
        }
        write_grant(page, "may call", &script.grant);
        if !script.refused.is_empty() {
            write_grant(page, "calls, but may not", &script.refused);
        }
        if script.is_active {
            page.line(format_args!("Version {} runs now.", script.version));
        }
        page.line(&self.next);
    }
}
