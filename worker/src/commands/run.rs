//! `run`: one session of a workflow now, to its end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde::Serialize;
use windlass_api::service::Service;
use windlass_core::{
    HandlerKind, Phase, RunId, SessionId, SessionResult, Status, Trigger, WorkflowId,
};
use windlass_scheduler::{Observer, Progress, ProgressStep};
use windlass_store::{Run, RunFilter, Session};

use super::engine::Working;
use super::status::{self, StatusPage};
use super::{Context, dry_run, engine};
use crate::exit::{CommandError, Ending, Result};
use crate::hint::quoted;
use crate::output::{Answer, Output, Page};
use crate::wording::HealthText;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The workflow's name or id
    #[arg(value_name = "NAME")]
    workflow: String,
    /// Rehearse it: the real script on real inputs, but nothing leaves and nothing changes
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Serialize)]
struct Ran {
    session: SessionReport,
    #[serde(skip)]
    afterwards: StatusPage,
    #[serde(skip)]
    see: String,
}

#[derive(Debug, Serialize)]
struct SessionReport {
    id: SessionId,
    result: Option<SessionResult>,
    trigger: Trigger,
    handler_runs: Vec<RunReport>,
}

#[derive(Debug, Serialize)]
struct RunReport {
    id: RunId,
    handler: String,
    kind: HandlerKind,
    phase: Phase,
    status: Status,
    error: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &RunArgs) -> Result<Ending> {
    let service = context.open_or_create().await?;
    let workflow = service.store.find_workflow(service.workspace, &args.workflow).await?.id;
    if args.dry_run {
        return dry_run::run(context, &service, workflow).await;
    }
    refuse_stopped(context, &service, workflow).await?;
    let engine = engine::assemble(
        context,
        &service,
        observer(&context.output),
        Working::of(&context.settings),
    )
    .await?;
    let session = engine.run_session(service.workspace, workflow, &context.actor).await?;

    let afterwards = status::load(context, &service, workflow).await?;
    let ending = match session.result {
        _ if afterwards.health.waits_for_person => Ending::WaitsForPerson,
        Some(SessionResult::Completed) => Ending::Done,
        Some(SessionResult::Failed) | None => Ending::Failed,
    };
    let name = quoted(&afterwards.overview.workflow.name);
    context.output.answer(&Ran {
        session: report(&service, session).await?,
        afterwards,
        see: context.hint.command(&format!("outputs {name}")),
    })?;
    Ok(ending)
}

/// A workflow that waits for a person is not run: its status says what to do.
pub(crate) async fn refuse_stopped(
    context: &Context,
    service: &Service,
    workflow: WorkflowId,
) -> Result<()> {
    let page = status::load(context, service, workflow).await?;
    if !page.health.waits_for_person {
        return Ok(());
    }
    let name = &page.overview.workflow.name;
    let see = context.hint.command(&format!("status {}", quoted(name)));
    Err(CommandError::WaitsForPerson {
        message: format!("`{name}` does not run: {}", page.health.why),
        hint: format!("`{see}` says what to do"),
    })
}

async fn report(service: &Service, session: Session) -> Result<SessionReport> {
    let filter = RunFilter {
        workspace: service.workspace,
        workflow: session.workflow_id,
        session: Some(session.id),
        limit: u32::MAX,
    };
    let runs = service.store.runs(filter).await?;
    Ok(SessionReport {
        id: session.id,
        result: session.result,
        trigger: session.trigger,
        handler_runs: runs.into_iter().rev().map(RunReport::from).collect(),
    })
}

impl From<Run> for RunReport {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            handler: run.handler,
            kind: run.kind,
            phase: run.phase,
            status: run.status,
            error: run.error,
        }
    }
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

impl Answer for Ran {
    fn write(&self, page: &mut Page) {
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
        page.heading(format_args!("`{}` lists what went out.", self.see));
    }
}
