//! `show`: everything about one record, given its id.

mod approval;
mod artifact;
mod ledger;
mod run;
mod script;
mod session;

use windlass_api::service::RecordDetails;

use super::notifications;
use super::status::StatusPage;
use crate::cli::ShowArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

pub(crate) async fn run(context: &Context, args: &ShowArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let details = service.details(&args.id, context.output.times()).await?;
    let details = details.map_workflow(|report| StatusPage::new(report, &context.hint));
    context.output.print(&details)?;
    Ok(ExitStatus::Done)
}

impl Printable for RecordDetails<StatusPage> {
    fn write(&self, page: &mut TextPage) {
        match self {
            Self::Workflow { workflow } => workflow.write(page),
            Self::Script(script) => script::write_script(page, script),
            Self::Event(event) => ledger::write_event(page, event),
            Self::Input(input) => ledger::write_input(page, input),
            Self::Run(run) => run::write_run(page, run),
            Self::Output(output) => ledger::write_output_details(page, output),
            Self::Session(session) => session::write_session(page, session),
            Self::Approval(approval) => approval::write_approval(page, approval),
            Self::Artifact(artifact) => artifact::write_artifact(page, artifact),
            Self::Notification { notification } => notifications::write_one(page, notification),
        }
    }
}
