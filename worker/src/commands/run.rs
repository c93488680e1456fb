//! `run`: one session of a workflow now, to its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use windlass_api::service::{Service, ServiceError, SessionReport};
use windlass_core::{HandlerKind, RunId, SessionResult, Status, WorkflowId};
use windlass_scheduler::{Observer, Progress, ProgressStep};

use super::engine::EngineOptions;
use super::status::{self, StatusPage};
use super::{dry_run, engine};
use crate::cli::RunArgs;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::hint::quoted;
use crate::output::{Output, Printable, TextPage};
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
    let workflow = service.store.find_workflow(service.workspace, &args.workflow).await?.id;
    if args.dry_run {
        return dry_run::run(context, &service, workflow).await;
    }
    require_runnable(context, &service, workflow).await?;
    let engine = engine::assemble(
        context,
        Arc::clone(&service.store),
        observer(&context.output),
        EngineOptions::from(&context.settings),
    )
    .await?;
    let session = engine.run_session(service.workspace, workflow, &context.actor).await?;

    let afterwards = status::load(context, &service, workflow).await?;
    let ending = match session.result {
        _ if afterwards.health.waits_for_person => ExitStatus::WaitsForPerson,
        Some(SessionResult::Completed) => ExitStatus::Done,
        Some(SessionResult::Failed) | None => ExitStatus::Failed,
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

/// Tells of each run as it ends: what it did, or why it stopped. A consumer that found nothing to do is passed over.
pub(crate) fn observer(output: &Output) -> Observer {
    let output = output.clone();
    let effects = Mutex::new(HashMap::new());
    Arc::new(move |progress| {
        let mut effects = effects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = line(&progress, &mut effects) {
            output.progress(line);
        }
    })
}

fn line(progress: &Progress, effects: &mut HashMap<RunId, String>) -> Option<String> {
    let Progress { workflow_name, handler, step, run, kind, .. } = progress;
    let what = match step {
        ProgressStep::Entered(_) => return None,
        ProgressStep::Mutating { tool, title } => {
            let title = if title.is_empty() { String::new() } else { format!(": {title}") };
            effects.insert(*run, format!("{tool}{title}"));
            return None;
        }
        ProgressStep::Ended { failure: Some(failure), status } => {
            effects.remove(run);
            let place = failure.at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
            format!("✗ {status}: {failure}{place} ({run})")
        }
        ProgressStep::Ended { failure: None, .. } => match effects.remove(run) {
            Some(effect) => format!("✓ {effect}"),
            None if *kind == HandlerKind::Producer => "✓ looked".to_owned(),
            None => return None,
        },
    };
    Some(format!("{workflow_name} · {handler} · {what}"))
}

impl Printable for RunOutput {
    fn write(&self, page: &mut TextPage) {
        let session = &self.session;
        let n_committed =
            session.handler_runs.iter().filter(|run| run.status == Status::Committed).count();
        let result = session.result.map_or_else(|| "not ended".to_owned(), |it| it.to_string());
        // Above stands what was told while it ran.
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
