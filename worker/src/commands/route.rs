//! `route`: which workers may take a workflow's runs, and how urgent those are.

use serde::Serialize;
use windlass_api::service::LabelChange;
use windlass_store::Workflow;

use crate::cli::RouteArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct RoutedWorkflow(Workflow);

pub(crate) async fn run(context: &Context, args: &RouteArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let label = match &args.label {
        Some(label) => LabelChange::Only(label.clone()),
        None if args.any_worker => LabelChange::AnyWorker,
        None => LabelChange::Keep,
    };
    let workflow = service.route(&args.workflow, label, args.priority).await?;
    context.output.print(&RoutedWorkflow(workflow))?;
    Ok(ExitStatus::Done)
}

impl Printable for RoutedWorkflow {
    fn write(&self, page: &mut TextPage) {
        let Workflow { name, label, priority, .. } = &self.0;
        let who = match label {
            Some(label) => format!("workers with the label `{label}`"),
            None => "any worker".to_owned(),
        };
        page.line(format_args!("{name}: its runs are taken by {who}, with priority {priority}."));
    }
}
