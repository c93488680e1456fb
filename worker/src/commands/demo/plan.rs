//! `demo plan`: begins the example of a plan, and runs it to its next question or to its end.

use std::path::PathBuf;
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use windlass_api::service::{PlanAnswer, PlanIncludes, PlanStart, Service, ServiceError};
use windlass_core::SessionId;

use super::{Example, enter};
use crate::cli::DemoArgs;
use crate::commands::engine::{self, EngineOptions};
use crate::commands::plan::{PlanPage, exit_status, read_plan, wait};
use crate::commands::progress;
use crate::config::FILE_NAME;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../examples/release-plan");

const EXAMPLE: Example =
    Example { files: &FILES, parts: &[FILE_NAME, "plan.json", "README.md", "notes"] };

/// The workstream of the example.
const WORKSTREAM: &str = "release";

#[derive(Debug, Serialize)]
struct DemoOutput {
    folder: PathBuf,
    #[serde(flatten)]
    page: PlanPage,
}

pub(super) async fn run(outer: &Context, args: &DemoArgs) -> Result<(Context, ExitStatus)> {
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from("windlass-demo-plan"));
    let entered = enter(outer, &folder, &EXAMPLE)?;
    let context = &entered;
    let service = context.open_or_create().await?;
    context.output.progress(format_args!(
        "In {} a plan publishes release notes: tools and two people do it.",
        folder.display()
    ));
    let answer = begin_or_load(context, &service).await?;
    let Some(run) = answer.plan.as_ref().map(|plan| plan.run.id) else {
        return Ok((entered, ExitStatus::Failed));
    };
    let answer = run_to_a_question(context, &service, (run, answer)).await?;
    let ending = answer.status.map_or(ExitStatus::Failed, exit_status);
    context.output.print(&DemoOutput { folder, page: PlanPage::new(context, answer) })?;
    Ok((entered, ending))
}

/// The plan that runs here already, or ran; else it is begun.
async fn begin_or_load(context: &Context, service: &Service) -> Result<PlanAnswer> {
    let known = service.plan(WORKSTREAM, PlanIncludes::AFTER_A_CHANGE).await?;
    if known.plan.is_some() {
        return Ok(known);
    }
    let checked = read_plan(context, &context.settings.root.join("plan.json"), None).await?;
    let text = checked.map_err(|findings| ServiceError::InvalidPlan { findings })?;
    let grant = text.graph.tools();
    let workstream = WORKSTREAM.to_owned();
    let start = PlanStart { workstream, text, grant, idempotency_key: None };
    Ok(service.create_plan(start).await?)
}

/// Lets a worker call the tools until a person has to answer, or the plan is over.
async fn run_to_a_question(
    context: &Context,
    service: &Service,
    (run, answer): (SessionId, PlanAnswer),
) -> Result<PlanAnswer> {
    let engine = engine::assemble(
        context,
        Arc::clone(&service.store),
        progress::observer(&context.output),
        EngineOptions::from(&context.settings),
    )
    .await?;
    let stop = CancellationToken::new();
    let waiting = async {
        let plan = wait(service, run, PlanIncludes::AFTER_A_CHANGE).await;
        stop.cancel();
        plan
    };
    let (served, plan) = tokio::join!(engine.serve(stop.clone()), waiting);
    served?;
    Ok(answer.with_plan(plan?))
}

impl Printable for DemoOutput {
    fn write(&self, page: &mut TextPage) {
        // The lines of progress stand above.
        page.line("");
        self.page.write(page);
    }
}
