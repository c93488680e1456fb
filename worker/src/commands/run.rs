//! `run`: one session of a workflow now, to its end.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use windlass_api::service::{Service, ServiceError, SessionReport};
use windlass_core::{SessionResult, Status, WorkflowId};

use super::engine::EngineOptions;
use super::limit::warn_of_limits;
use super::progress::observer;
use super::status::{self, StatusPage};
use super::{dry_run, engine};
use crate::cli::RunArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::hint::quoted;
use crate::notifying;
use crate::output::{Printable, TextPage};
use crate::wording::HealthText;

#[derive(Debug, Serialize)]
struct RunOutput {
    session: SessionReport,
    #[serde(skip)]
    afterwards: StatusPage,
    #[serde(skip)]
    outputs_command: String,
}

pub(crate) async fn run(context: &Context, args: &RunArgs) -> Result<ExitStatus> {
    let service = context.open_or_create().await?;
    let found = service.store.find_workflow(service.workspace, &args.workflow).await?;
    let workflow = found.id;
    if args.dry_run {
        return Box::pin(dry_run::run(context, &service, workflow)).await;
    }
    require_runnable(context, &service, workflow).await?;
    warn_of_limits(&service, &found.name).await?;
    let engine = engine::assemble(
        context,
        Arc::clone(&service.store),
        observer(&context.output),
        EngineOptions::from(&context.settings),
    )
    .await?;
    let session = engine.run_session(service.workspace, workflow, &context.actor).await?;
    let channels = notifying::channels(context);
    notifying::send_due(context, &channels, &service.store, Duration::ZERO).await?;

    let afterwards = status::load(context, &service, workflow).await?;
    let ending = match session.result {
        _ if afterwards.health.waits_for_person => ExitStatus::WaitsForPerson,
        Some(SessionResult::Completed) => ExitStatus::Done,
        Some(SessionResult::Failed | SessionResult::Cancelled) | None => ExitStatus::Failed,
    };
    let name = quoted(&afterwards.overview.workflow.name);
    context.output.print(&RunOutput {
        session: service.session_report(&session).await?,
        afterwards,
        outputs_command: context.hint.command(&format!("outputs {name}")),
    })?;
    Ok(ending)
}

/// Refuses to run a workflow that waits for a person: its status says what to do.
pub(crate) async fn require_runnable(
    context: &Context,
    service: &Service,
    workflow: WorkflowId,
) -> Result<()> {
    let Err(error) = service.require_runnable(workflow, context.output.times()).await else {
        return Ok(());
    };
    let ServiceError::WaitsForPerson { workflow, .. } = &error else { return Err(error.into()) };
    let status = context.hint.command(&format!("status {}", quoted(workflow)));
    let hint = format!("`{status}` says what to do");
    Err(CommandError::WaitsForPerson { message: error.to_string(), hint })
}

impl Printable for RunOutput {
    fn write(&self, page: &mut TextPage) {
        let session = &self.session;
        let n_committed =
            session.handler_runs.iter().filter(|run| run.status == Status::Committed).count();
        let result = session.result.map_or_else(|| "not ended".to_owned(), |it| it.to_string());
        // The lines of progress stand above.
        page.line("");
        page.line(format_args!(
            "Session {}: {result}, {n_committed} of {} run(s) committed.",
            session.id,
            session.handler_runs.len()
        ));
        let HealthText { badge, .. } = &self.afterwards.health;
        page.heading(format_args!("{}: {badge}", self.afterwards.overview.workflow.name));
        self.afterwards.health.write(page);
        page.heading(format_args!("`{}` lists what went out.", self.outputs_command));
    }
}
