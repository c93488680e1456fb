//! `demo`: sets up a folder with an example, runs it to its end, and shows what came of it.

mod plan;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use serde::Serialize;
use windlass_api::service::{Activation, Deployment, Service, mutation_title};
use windlass_api::text::crop_line;
use windlass_core::{SessionResult, WorkflowId};
use windlass_store::{Bump, Input, Mutation};
use windlass_tools::ensure_roots;

use super::engine::EngineOptions;
use super::records::mutation_mark;
use super::status::{self, StatusPage};
use super::{check, engine, login, progress, run, serve, up};
use crate::cli::{DemoArgs, DemoExample, UpArgs};
use crate::config::{FILE_NAME, without_password};
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};
use crate::wording::NextCommand;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../examples/receipts");

const EXAMPLE: Example =
    Example { files: &FILES, parts: &[FILE_NAME, "workflow.js", "README.md", "inbox"] };

/// An example, and what of it a person's folder is given.
struct Example {
    files: &'static Dir<'static>,
    parts: &'static [&'static str],
}

/// The example's name as a workflow.
const NAME: &str = "receipts";

/// What the example did, now and before.
#[derive(Debug, Serialize)]
struct DemoOutput {
    folder: PathBuf,
    database: String,
    new_inputs: usize,
    new_outputs: usize,
    inputs: Vec<Input>,
    outputs: Vec<Mutation>,
    file: PathBuf,
    lines: Vec<String>,
    next: Vec<NextCommand>,
    #[serde(skip)]
    afterwards: StatusPage,
}

pub(crate) async fn run(outer: &Context, args: &DemoArgs) -> Result<ExitStatus> {
    let (context, status) = match args.example {
        DemoExample::Receipts => Box::pin(receipts(outer, args)).await?,
        DemoExample::Plan => Box::pin(plan::run(outer, args)).await?,
    };
    match args.serve {
        Some(address) => keep_open(&context, address).await,
        None => Ok(status),
    }
}

/// Keeps the example running, with its pages, until the process is told to stop.
async fn keep_open(context: &Context, address: SocketAddr) -> Result<ExitStatus> {
    let server = serve::bind(context, Some(address)).await?;
    let service = context.open_or_create().await?;
    let link = login::link(context, &service, server.address()).await?;
    // `up` opens the database for itself.
    drop(service);
    context.output.progress(format_args!("Open its pages, once, with {}", link.url));
    let args = UpArgs { slots: None, listen: None, labels: Vec::new() };
    up::run_beside(context, &args, Some(server)).await
}

/// Writes an example into its folder, and what is done there.
fn enter(outer: &Context, dir: &Path, example: &Example) -> Result<Context> {
    if outer.global.config.is_some() {
        return Err(CommandError::Usage {
            message: "`demo` brings a configuration of its own".to_owned(),
            hint: Some("leave out `--config`; `--dir` says where to put the example".to_owned()),
        });
    }
    write_example(&outer.folder.join(dir), example)?;
    let context = outer.within(dir)?;
    ensure_roots(&context.settings.tools.files.roots, &context.settings.root)?;
    Ok(context)
}

async fn receipts(outer: &Context, args: &DemoArgs) -> Result<(Context, ExitStatus)> {
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from("windlass-demo"));
    let entered = enter(outer, &dir, &EXAMPLE)?;
    let context = &entered;
    let service = context.open_or_create().await?;
    let workflow = deploy_example(context, &service).await?;

    let inputs_before = service.store.all_inputs(service.workspace, workflow).await?.len();
    let outputs_before = service.store.all_mutations(service.workspace, workflow).await?.len();
    greet(context, &dir, inputs_before);
    run_to_the_end(context, &service, workflow).await?;

    let afterwards = status::load(context, &service, workflow).await?;
    let inputs = service.store.all_inputs(service.workspace, workflow).await?;
    let outputs = service.store.all_mutations(service.workspace, workflow).await?;
    let file = dir.join("out/receipts.csv");
    let waits = afterwards.health.waits_for_person;
    context.output.print(&DemoOutput {
        new_inputs: inputs.len().saturating_sub(inputs_before),
        new_outputs: outputs.len().saturating_sub(outputs_before),
        lines: lines_of(&outer.folder.join(&file)),
        file,
        folder: dir,
        database: shown_database(outer, context),
        next: next_commands(context, &outputs),
        inputs,
        outputs,
        afterwards,
    })?;
    Ok((entered, if waits { ExitStatus::WaitsForPerson } else { ExitStatus::Done }))
}

/// Writes what is missing of the example; what is there stays as it is.
fn write_example(folder: &Path, example: &Example) -> Result<()> {
    let is_foreign = !folder.join(FILE_NAME).exists()
        && folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if is_foreign {
        return Err(CommandError::Refused {
            code: "folder_in_use",
            message: format!("`{}` contains something else", folder.display()),
            hint: "name another folder with `--dir`".to_owned(),
        });
    }
    // The configuration comes first: by it the folder is known again if this is interrupted.
    for part in example.parts {
        if let Some(file) = example.files.get_file(part) {
            write_missing(folder, file)?;
        }
        for file in example.files.get_dir(part).into_iter().flat_map(Dir::files) {
            write_missing(folder, file)?;
        }
    }
    Ok(())
}

fn write_missing(folder: &Path, file: &include_dir::File<'_>) -> Result<()> {
    let path = folder.join(file.path());
    if path.exists() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent).map_err(CommandError::file("make the folder", parent))?;
    std::fs::write(&path, file.contents()).map_err(CommandError::file("write", path))
}

async fn deploy_example(context: &Context, service: &Service) -> Result<WorkflowId> {
    let script = check::load(context, &context.settings.root.join("workflow.js")).await?;
    let deployment = Deployment {
        name: NAME.to_owned(),
        grant: script.tools.clone(),
        script,
        bump: Bump::Major,
        comment: "the example".to_owned(),
        activation: Activation::Later,
    };
    let report = service.deploy(deployment).await?;
    if !report.script.is_active {
        service.activate_script(report.workflow.id, report.script.id).await?;
    }
    Ok(report.workflow.id)
}

fn greet(context: &Context, folder: &Path, inputs_before: usize) {
    let again =
        if inputs_before == 0 { "" } else { " It ran here before, so nothing should be added." };
    context.output.progress(format_args!(
        "In {} a workflow reads the mails of inbox/ and keeps a ledger of what was paid.{again}",
        folder.display()
    ));
    context.output.progress("");
}

/// Runs sessions until nothing is due: one session has a limited number of runs.
async fn run_to_the_end(context: &Context, service: &Service, workflow: WorkflowId) -> Result<()> {
    run::require_runnable(context, service, workflow).await?;
    let engine = engine::assemble(
        context,
        Arc::clone(&service.store),
        progress::observer(&context.output),
        EngineOptions::from(&context.settings),
    )
    .await?;
    loop {
        let session = engine.run_session(service.workspace, workflow, &context.actor).await?;
        let due_at = service.store.overview(service.workspace, workflow).await?.workflow.due_at;
        let now = service.store.now().await?;
        let is_over = due_at.is_none_or(|due_at| due_at > now);
        if session.result != Some(SessionResult::Completed) || is_over {
            return Ok(());
        }
    }
}

fn lines_of(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The database as a person finds it from the current folder.
fn shown_database(outer: &Context, context: &Context) -> String {
    match context.settings.database_file() {
        Some(file) => file.strip_prefix(&outer.folder).unwrap_or(&file).display().to_string(),
        None => without_password(&context.settings.database),
    }
}

fn next_commands(context: &Context, outputs: &[Mutation]) -> Vec<NextCommand> {
    let command = |words: &str| context.hint.command(words);
    let mut next = vec![
        NextCommand { command: command("status receipts"), effect: "shows its state" },
        NextCommand { command: command("outputs receipts"), effect: "lists what went out" },
    ];
    if let Some(output) = outputs.first() {
        let command = command(&format!("show {}", output.id));
        next.push(NextCommand {
            command,
            effect: "shows one effect with its request and its cause",
        });
    }
    let effect = "runs it again, for example after you put another .eml file into inbox/";
    next.push(NextCommand { command: command("run receipts"), effect });
    next.push(NextCommand { command: command("up"), effect: "keeps it running, once a minute" });
    next
}

impl Printable for DemoOutput {
    fn write(&self, page: &mut TextPage) {
        // The lines of progress stand above.
        page.line("");
        page.line(format_args!(
            "What came in: {} mail(s), {} new",
            self.inputs.len(),
            self.new_inputs
        ));
        for input in &self.inputs {
            page.line(format_args!("  {}", crop_line(&input.title, 110)));
        }
        let others: Vec<_> = self.outputs.iter().filter(|output| !is_line(output)).collect();
        page.heading(format_args!(
            "What went out: {} line(s) in {} and {} notification(s), {} new",
            self.lines.len(),
            self.file.display(),
            others.len(),
            self.new_outputs
        ));
        for line in &self.lines {
            page.line(format_args!("  {}", crop_line(line, 110)));
        }
        for output in others {
            let mark = mutation_mark(output.status);
            page.line(format_args!("  {mark} {}", crop_line(&mutation_title(output), 110)));
        }
        if self.new_inputs == 0 && self.new_outputs == 0 {
            page.heading("Nothing new came in, and nothing was done twice.");
        }
        let name = &self.afterwards.overview.workflow.name;
        page.heading(format_args!("{name}: {}", self.afterwards.health.badge));
        self.afterwards.health.write(page);
        page.heading(format_args!("Everything that happened is recorded in {}", self.database));
        page.heading("Next steps");
        for next in &self.next {
            next.write(page);
        }
    }
}

/// Whether an effect is a line of the ledger, which is shown as such.
fn is_line(mutation: &Mutation) -> bool {
    mutation.tool_namespace == "Files"
}
