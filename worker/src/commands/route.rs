//! `route`: which workers may take a workflow's runs, and how urgent those are.

use clap::Args;
use serde::Serialize;
use windlass_store::{RouteWorkflow, Workflow};

use super::Context;
use crate::exit::{Ending, Result};
use crate::output::{Answer, Page};

#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    workflow: String,
    /// Only workers with this label may take its runs: `windlass worker --labels LABEL`
    #[arg(long, conflicts_with = "any_worker")]
    label: Option<String>,
    /// Any worker may take its runs again
    #[arg(long)]
    any_worker: bool,
    /// Higher is sooner: each point counts as much as a minute of waiting, so that nobody starves
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(-1000..=1000))]
    priority: Option<i32>,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Routed(Workflow);

pub(crate) async fn run(context: &Context, args: &RouteArgs) -> Result<Ending> {
    let service = context.open_existing().await?;
    let workflow = service.store.find_workflow(service.workspace, &args.workflow).await?;
    let kept = workflow.label.filter(|_| !args.any_worker);
    let routed = service.store.route_workflow(RouteWorkflow {
        workspace: service.workspace,
        workflow: workflow.id,
        label: args.label.clone().or(kept),
        priority: args.priority.unwrap_or(workflow.priority),
        actor: context.actor.clone(),
    });
    context.output.answer(&Routed(routed.await?))?;
    Ok(Ending::Done)
}

impl Answer for Routed {
    fn write(&self, page: &mut Page) {
        let Workflow { name, label, priority, .. } = &self.0;
        let who = match label {
            Some(label) => format!("workers with the label `{label}`"),
            None => "any worker".to_owned(),
        };
        page.line(format_args!("{name}: its runs are taken by {who}, with priority {priority}."));
    }
}
