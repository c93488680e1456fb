//! `run --dry-run`: the real script on real inputs, in a copy of the workflow that nobody sees and that is gone afterwards.

use std::sync::Arc;

use windlass_api::service::{DryRunLog, DryRunReport, OutputDifference, Service};
use windlass_core::{SessionResult, WorkflowId};
use windlass_scheduler::MutationMode;

use super::engine::EngineOptions;
use super::{engine, progress};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

/// Runs one session of a copy of a workflow.
pub(crate) async fn run(
    context: &Context,
    service: &Service,
    workflow: WorkflowId,
) -> Result<ExitStatus> {
    let copy = service.copy_for_dry_run(workflow, context.settings.policy.clone()).await?;
    let options = EngineOptions {
        mutation_mode: MutationMode::Capture,
        ..EngineOptions::from(&context.settings)
    };
    // The crash tests count the fault points of the real store.
    let context_without_faults = Context { faults: None, ..context.clone() };
    let engine = engine::assemble(
        &context_without_faults,
        Arc::clone(copy.store()),
        progress::observer(&context.output),
        options,
    )
    .await?;
    let report = service.dry_run(&copy, engine).await?;
    context.output.print(&report)?;
    let is_complete = report.result == Some(SessionResult::Completed);
    Ok(if is_complete { ExitStatus::Done } else { ExitStatus::Failed })
}

impl Printable for DryRunReport {
    fn write(&self, page: &mut TextPage) {
        // The lines of progress stand above.
        page.line("");
        page.line(format_args!(
            "A dry run of `{}`: it would make {} effect(s), and made none.",
            self.workflow,
            self.would_send.len()
        ));
        if let Some(error) = &self.error {
            page.line(format_args!("It did not finish: {error}"));
        }
        for captured in &self.would_send {
            page.heading(format_args!("~ {}", captured.title));
            page.field("tool", &captured.tool);
            page.field("target", &captured.target);
            page.json("request", &captured.params);
        }
        if !self.logs.is_empty() {
            page.heading("What it logged");
        }
        for DryRunLog { handler, level, message } in &self.logs {
            page.line_with_text(format_args!("  {handler:<13} {level:<5} "), message, 22);
        }
        let OutputDifference { added, removed, same } = &self.difference;
        page.heading(format_args!(
            "Compared with what went out last: {same} the same, {} more, {} fewer.",
            added.len(),
            removed.len()
        ));
        for line in added {
            page.line(format_args!("  + {line}"));
        }
        for line in removed {
            page.line(format_args!("  - {line}"));
        }
    }
}
