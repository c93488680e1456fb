//! `resolve`: a person settles an effect of which nobody knows whether it happened.

use clap::Args;
use serde::Serialize;
use windlass_core::ResolutionKind;
use windlass_store::{self as store, AnyId, Mutation, ResolveMutation};

use super::Context;
use super::engine::described_registry;
use crate::exit::{CommandError, Ending, Result};
use crate::hint::quoted;
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The id of the output
    mutation: String,
    #[command(flatten)]
    verdict: VerdictArgs,
    /// Why, for the journal
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct VerdictArgs {
    /// It did not happen: its events are pending again, and a new run prepares afresh
    #[arg(long)]
    did_not_happen: bool,
    /// Leave it, whatever happened: its events are skipped, and `next` runs once
    #[arg(long)]
    skip: bool,
    /// Let its tool look it up again, where the tool can do that
    #[arg(long)]
    try_again: bool,
    /// It happened, and this JSON is what the tool answered: `next` goes on with it
    #[arg(long, value_name = "RESULT")]
    happened: Option<String>,
}

#[derive(Debug, Serialize)]
struct Resolved {
    #[serde(flatten)]
    mutation: Mutation,
    #[serde(skip)]
    verdict: ResolutionKind,
    #[serde(skip)]
    see: String,
}

pub(crate) async fn run(context: &Context, args: &ResolveArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let AnyId::Mutation(id) = service.store.resolve_id(service.workspace, &args.mutation).await?
    else {
        return Err(CommandError::Usage {
            message: format!("`{}` is no output", args.mutation),
            hint: Some("give an id that begins with `mut_`; `windlass status` names it".to_owned()),
        });
    };
    let resolution =
        resolution(context, args, &service.store.mutation(service.workspace, id).await?).await?;
    let verdict = resolution.kind();
    let params = ResolveMutation {
        workspace: service.workspace,
        mutation: id,
        resolution,
        actor: context.actor.clone(),
        reason: args.reason.clone(),
    };
    let mutation = service.store.resolve_mutation(params).await?;
    let workflow = service.store.overview(service.workspace, mutation.workflow_id).await?.workflow;
    let see = context.hint.command(&format!("status {}", quoted(&workflow.name)));
    context.output.answer(&Resolved { mutation, verdict, see })?;
    Ok(Ending::Done)
}

/// What the person says, its result checked against what the tool promises.
async fn resolution(
    context: &Context,
    args: &ResolveArgs,
    mutation: &Mutation,
) -> Result<store::Resolution> {
    let VerdictArgs { did_not_happen: _, skip, try_again, happened } = &args.verdict;
    let Some(text) = happened else {
        return Ok(match (skip, try_again) {
            (true, _) => store::Resolution::Skip,
            (_, true) => store::Resolution::TryAgain,
            (false, false) => store::Resolution::DidNotHappen,
        });
    };
    let wrong = |message: String, hint: String| CommandError::Usage { message, hint: Some(hint) };
    let result = serde_json::from_str(text).map_err(|error| {
        let hint = "write the result as JSON, in quotes for the shell: --happened '{\"row\": 7}'";
        wrong(format!("`--happened` is no JSON: {error}"), hint.to_owned())
    })?;
    let registry = described_registry(context).await?;
    if let Some(tool) = registry.find(&mutation.tool_namespace, &mutation.tool_method) {
        tool.check_output(&result).map_err(|failure| {
            let hint = format!("its answers look like this: {}", tool.spec().output);
            wrong(failure.message, hint)
        })?;
    }
    Ok(store::Resolution::Happened(result))
}

impl Answer for Resolved {
    fn write(&self, page: &mut Page) {
        page.line(match self.verdict {
            ResolutionKind::DidNotHappen => {
                "It did not happen: its events are pending again, and a new run prepares afresh."
            }
            ResolutionKind::Happened => {
                "It happened: `next` goes on with the result that you gave."
            }
            ResolutionKind::Skip => {
                "It is left as it is: its events are skipped, and `next` runs once."
            }
            ResolutionKind::TryAgain => "Its tool looks it up again: at once where a worker runs.",
        });
        page.line(format_args!("`{}` says how the workflow stands.", self.see));
    }
}
