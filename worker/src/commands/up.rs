//! `up`: runs all active workflows until the process is told to stop.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use windlass_api::http::Server;
use windlass_api::metrics::Metrics;
use windlass_api::service::Service;
use windlass_core::{Backoff, WorkflowStatus};
use windlass_store::{ClaimFilter, Workflow};

use super::engine::EngineOptions;
use super::signals::{self, Signals};
use super::{engine, progress, serve};
use crate::cli::UpArgs;
use crate::config::without_password;
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::notifying::keep_sending;
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct Stopped {
    /// Whether the runs under way ended before it stopped.
    #[serde(rename = "tidy")]
    is_tidy: bool,
}

/// How long to wait after the first, second, … attempt to open a database that does not answer.
const REOPEN: Backoff =
    Backoff { base_ms: 100, cap_ms: 10_000, tries: u32::MAX, jitter_percent: 0 };

/// What the first signal does, and the second.
const NOTES: [&str; 2] = [
    "Stopping when the runs under way have ended; signal again to stop at once.",
    "Stopping at once; what was under way is recovered at the next start.",
];

pub(crate) async fn run(context: &Context, args: &UpArgs) -> Result<ExitStatus> {
    require_deployment(context)?;
    run_beside(context, args, None).await
}

/// The same with a server that listens already.
pub(super) async fn run_beside(
    context: &Context,
    args: &UpArgs,
    server: Option<Server>,
) -> Result<ExitStatus> {
    let Signals { stop, stop_at_once } = signals::listen(context, NOTES)?;
    let begun = tokio::select! {
        begun = begin(context) => Some(begun?),
        () = stop.cancelled() => None,
    };
    let is_tidy = match begun {
        None => true,
        Some((service, workflows)) => {
            let options = options(context, args, &service);
            // Nobody asks for numbers where nothing listens.
            let is_asked = args.listen.is_some() || server.is_some();
            let metrics = is_asked.then(Arc::<Metrics>::default);
            let observer = progress::observer(&context.output.with_stamps());
            let observer = progress::counted(metrics.clone(), observer);
            let store = Arc::clone(&service.store);
            let engine = engine::assemble(context, service.store, observer, options).await?;
            announce(context, &workflows);
            let server = match server {
                None => serve::bind_if_asked(context, args.listen).await?,
                listening @ Some(_) => listening,
            };
            tokio::select! {
                served = engine.serve(stop.clone()) => { served?; true }
                failed = serve::beside(context, server.zip(metrics), Arc::clone(&store), stop) => match failed? {},
                () = stop_at_once.cancelled() => false,
                never = keep_sending(context, store) => match never {},
            }
        }
    };
    context.output.print(&Stopped { is_tidy })?;
    Ok(if is_tidy { ExitStatus::Done } else { ExitStatus::Failed })
}

/// Refuses a folder in which nothing was set up, rather than make a database there and wait for ever.
fn require_deployment(context: &Context) -> Result<()> {
    let Context { settings, global, .. } = context;
    let is_named = settings.file.is_some() || global.database.is_some();
    let Some(file) = settings.database_file().filter(|file| !is_named && !file.exists()) else {
        return Ok(());
    };
    Err(CommandError::Refused {
        code: "no_database",
        message: format!(
            "there is neither a configuration in this folder nor the database `{}`",
            file.display()
        ),
        hint: format!(
            "go to the folder of your workflows, or name what to use with `--config` or `--database`; `{}` begins anew",
            context.hint.command("init")
        ),
    })
}

fn options(context: &Context, args: &UpArgs, service: &Service) -> EngineOptions {
    EngineOptions {
        slots: args.slots.unwrap_or(context.settings.slots),
        filter: ClaimFilter {
            workspace: context.global.workspace.as_ref().map(|_| service.workspace),
            labels: args.labels.clone(),
        },
        ..EngineOptions::from(&context.settings)
    }
}

/// Opens the database and lists the workflows. Waits for a database that does not answer, so that workers can be started before
/// their database or while it restarts.
async fn begin(context: &Context) -> Result<(Service, Vec<Workflow>)> {
    let mut failures = 0_u32;
    loop {
        let error = match try_begin(context).await {
            Err(CommandError::Store(error)) if error.is_transient() => error,
            begun => return begun,
        };
        failures = failures.saturating_add(1);
        let pause = REOPEN.delay(failures).unwrap_or(Duration::from_millis(REOPEN.cap_ms));
        tracing::warn!(%error, "cannot begin yet, trying again in {pause:?}");
        tokio::time::sleep(pause).await;
    }
}

async fn try_begin(context: &Context) -> Result<(Service, Vec<Workflow>)> {
    let service = context.open_or_create().await?;
    let workflows = service.store.all_workflows(service.workspace).await?;
    Ok((service, workflows))
}

/// Prints which workflows this worker runs.
fn announce(context: &Context, workflows: &[Workflow]) {
    let output = &context.output;
    output.progress(format_args!(
        "Working on {}{}; Ctrl-C stops.",
        without_password(&context.settings.database),
        context
            .global
            .workspace
            .as_ref()
            .map(|name| format!(" (workspace {name})"))
            .unwrap_or_default()
    ));
    for workflow in workflows {
        if workflow.status == WorkflowStatus::Active {
            let is_stopped = workflow.maintenance
                || workflow.error.is_some()
                || workflow.contradicted_mutation_id.is_some();
            let note = if is_stopped { ", which waits for you" } else { "" };
            output.progress(format_args!("Watching {}{note}.", workflow.name));
        }
    }
}

impl Printable for Stopped {
    fn write(&self, page: &mut TextPage) {
        page.line("Stopped.");
    }
}
