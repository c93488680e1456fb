//! `workspace`: what a person decides for a workspace.

use serde::Serialize;
use windlass_api::service::{WorkspaceSettings, require_known_tools};

use super::check::write_grant;
use super::engine::described_registry;
use crate::cli::{WorkspaceArgs, WorkspaceCommand};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Settings {
    workspace: String,
    #[serde(flatten)]
    settings: WorkspaceSettings,
}

pub(crate) async fn run(context: &Context, args: &WorkspaceArgs) -> Result<ExitStatus> {
    let settings = match &args.command {
        WorkspaceCommand::Show => context.open_existing().await?.workspace_settings().await?,
        WorkspaceCommand::Set(args) => {
            require_known_tools(&described_registry(context).await?, &args.tools.0)?;
            let service = context.open_or_create().await?;
            service.set_plan_grant(args.tools.0.iter().cloned().collect()).await?
        }
    };
    let workspace = context.global.workspace().to_owned();
    context.output.print(&Settings { workspace, settings })?;
    Ok(ExitStatus::Done)
}

impl Printable for Settings {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!("Workspace `{}`", self.workspace));
        write_grant(page, "planGrant", &self.settings.plan_grant);
        page.line("A plan of an agent that calls anything else waits for a person.");
    }
}
