//! `resolve`: a person settles an effect of which nobody knows whether it happened.

use serde::Serialize;
use windlass_api::service::check_result;
use windlass_core::ResolutionKind;
use windlass_store::{Mutation, Resolution};

use super::engine::described_registry;
use crate::cli::{ResolutionArgs, ResolveArgs};
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::hint::quoted;
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Resolved {
    #[serde(flatten)]
    mutation: Mutation,
    #[serde(skip)]
    resolution: ResolutionKind,
    #[serde(skip)]
    status_command: String,
}

pub(crate) async fn run(context: &Context, args: &ResolveArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let mutation = service.find_output(&args.mutation).await?;
    let resolution = resolution(context, &args.resolution, &mutation).await?;
    let kind = resolution.kind();
    let mutation = service.resolve_mutation(mutation.id, resolution, args.reason.clone()).await?;
    let workflow = service.store.overview(service.workspace, mutation.workflow_id).await?.workflow;
    let status_command = context.hint.command(&format!("status {}", quoted(&workflow.name)));
    context.output.print(&Resolved { mutation, resolution: kind, status_command })?;
    Ok(ExitStatus::Done)
}

/// What the person says, its result checked against what the tool promises.
async fn resolution(
    context: &Context,
    args: &ResolutionArgs,
    mutation: &Mutation,
) -> Result<Resolution> {
    let ResolutionArgs { did_not_happen: _, skip, try_again, happened } = args;
    let Some(text) = happened else {
        return Ok(match (skip, try_again) {
            (true, _) => Resolution::Skip,
            (_, true) => Resolution::TryAgain,
            (false, false) => Resolution::DidNotHappen,
        });
    };
    let result = serde_json::from_str(text).map_err(|error| CommandError::Usage {
        message: format!("`--happened` is no JSON: {error}"),
        hint: Some(
            "write the result as JSON, in quotes for the shell: --happened '{\"row\": 7}'"
                .to_owned(),
        ),
    })?;
    check_result(&described_registry(context).await?, mutation, &result)?;
    Ok(Resolution::Happened(result))
}

impl Printable for Resolved {
    fn write(&self, page: &mut TextPage) {
        page.line(match self.resolution {
            ResolutionKind::DidNotHappen => {
                "It did not happen: its events are pending again, and a new run prepares afresh."
            }
            ResolutionKind::Happened => {
                "It happened: `next` continues with the result that you gave."
            }
            ResolutionKind::Skip => {
                "It is left as it is: its events are skipped, and `next` runs once."
            }
            ResolutionKind::TryAgain => "Its tool looks it up again: at once where a worker runs.",
        });
        page.line(format_args!("`{}` shows the workflow's state.", self.status_command));
    }
}
