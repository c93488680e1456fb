//! `resolve`: a person settles an effect of which nobody knows whether it happened.

use clap::Args;
use serde::Serialize;
use windlass_core::Verdict;
use windlass_store::{AnyId, Mutation, ResolveMutation};

use super::Context;
use crate::exit::{CommandError, Ending, Result};
use crate::invocation::quoted;
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
}

#[derive(Debug, Serialize)]
struct Resolved {
    #[serde(flatten)]
    mutation: Mutation,
    #[serde(skip)]
    verdict: Verdict,
    #[serde(skip)]
    see: String,
}

pub(crate) async fn run(context: &Context, args: &ResolveArgs) -> Result<Ending> {
    let opened = context.open_existing().await?;
    let AnyId::Mutation(id) = opened.store.resolve_id(opened.workspace, &args.mutation).await?
    else {
        return Err(CommandError::Usage {
            message: format!("`{}` is no output", args.mutation),
            hint: Some("give an id that begins with `mut_`; `windlass status` names it".to_owned()),
        });
    };
    let verdict = if args.verdict.skip { Verdict::Skip } else { Verdict::DidNotHappen };
    let params = ResolveMutation {
        mutation: id,
        verdict,
        actor: context.actor.clone(),
        reason: args.reason.clone(),
    };
    let mutation = opened.store.resolve_mutation(params).await?;
    let workflow = opened.store.overview(mutation.workflow_id).await?.workflow;
    let see = context.echo.command(&format!("status {}", quoted(&workflow.name)));
    context.output.answer(&Resolved { mutation, verdict, see })?;
    Ok(Ending::Done)
}

impl Answer for Resolved {
    fn write(&self, page: &mut Page) {
        page.line(match self.verdict {
            Verdict::DidNotHappen => {
                "It did not happen: its events are pending again, and a new run prepares afresh."
            }
            Verdict::Skip => "It is left as it is: its events are skipped, and `next` runs once.",
        });
        page.line(format_args!("`{}` says how the workflow stands.", self.see));
    }
}
