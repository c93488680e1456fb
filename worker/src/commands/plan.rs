//! `plan`: plans of agents, people and tools.

mod lists;
mod page;

use std::fs::File;
use std::io::{self, Read, stdin};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use windlass_api::service::{
    PlanAnswer, PlanCheck, PlanChecker, PlanIncludes, PlanRestart, PlanStart, PlanView, Service,
    ServiceError, draft_schema, read_draft, read_result, require_known_tools,
};
use windlass_core::graph::{Finding, GraphStatus, NodeStatus, Severity};
use windlass_core::{Actor, Grant, SessionId};
use windlass_store::{GraphText, Replaced};

pub(super) use self::page::{PlanPage, write_answers};
use super::engine::described_registry;
use super::granting::{has_person, require_allowed};
use crate::cli::{self, BeginArgs, GrantArgs, PlanArgs, PlanCommand};
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};

/// How often a plan that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(200);

pub(crate) async fn run(context: &Context, args: &PlanArgs) -> Result<ExitStatus> {
    match &args.command {
        PlanCommand::Check(args) => check(context, &args.file).await,
        PlanCommand::Create(args) => create(context, args).await,
        PlanCommand::Replace(args) => replace(context, args).await,
        PlanCommand::Show(args) => show(context, args).await,
        PlanCommand::List(args) => lists::plans(context, args.limit).await,
        PlanCommand::Submit(args) => submit(context, args).await,
        PlanCommand::Inbox(args) => lists::inbox(context, &args.owner).await,
        PlanCommand::Resume(args) => {
            let (service, run) = active(context, &args.workstream).await?;
            done(context, service.resume_plan(run, args.force).await?)
        }
        PlanCommand::Restart(args) => {
            let (service, run) = active(context, &args.workstream).await?;
            let restart = PlanRestart {
                node: args.node.clone(),
                downstream: args.downstream,
                repeat_effects: args.repeat_effects,
                discard_edits: args.discard_edits,
            };
            done(context, service.restart_plan(run, restart).await?)
        }
        PlanCommand::Cancel(args) => {
            let (service, run) = active(context, &args.workstream).await?;
            done(context, service.cancel_plan(run, &args.reason).await?)
        }
        PlanCommand::Schema => {
            context.output.print(&Schema(draft_schema()))?;
            Ok(ExitStatus::Done)
        }
    }
}

fn done(context: &Context, answer: PlanAnswer) -> Result<ExitStatus> {
    context.output.print(&PlanPage::new(context, answer))?;
    Ok(ExitStatus::Done)
}

/// The active run of a workstream.
async fn active(context: &Context, workstream: &str) -> Result<(Service, SessionId)> {
    let service = context.open_existing().await?;
    let run = service.active_run(workstream).await?;
    Ok((service, run))
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Schema(serde_json::Value);

impl Printable for Schema {
    fn write(&self, page: &mut TextPage) {
        page.document(&format!("{:#}", self.0));
    }
}

#[derive(Debug, Serialize)]
struct CheckOutput {
    #[serde(flatten)]
    check: PlanCheck,
    #[serde(skip)]
    file: String,
}

async fn check(context: &Context, file: &Path) -> Result<ExitStatus> {
    let checked = read_plan(context, file, None).await?;
    let check = PlanCheck::from(&checked);
    let ending = if check.ok { ExitStatus::Done } else { ExitStatus::Failed };
    context.output.print(&CheckOutput { check, file: file.display().to_string() })?;
    Ok(ending)
}

impl Printable for CheckOutput {
    fn write(&self, page: &mut TextPage) {
        for finding in &self.check.findings {
            let warning = if finding.severity == Severity::Warning { "warning: " } else { "" };
            let at = if finding.path.is_empty() {
                self.file.clone()
            } else {
                format!("{} {}", self.file, finding.path)
            };
            page.line(format_args!("{warning}{at}: {} [{}]", finding.message, finding.code));
        }
        if self.check.ok {
            page.line(format_args!("{} is a valid plan.", self.file));
        } else {
            let n_blocking =
                self.check.findings.iter().filter(|it| it.severity == Severity::Blocking);
            page.heading(format_args!("{} problem(s).", n_blocking.count()));
        }
    }
}

/// Reads a draft and checks it; everything that was found where something of it stops.
pub(super) async fn read_plan(
    context: &Context,
    file: &Path,
    parallel: Option<u32>,
) -> Result<Result<GraphText, Vec<Finding>>> {
    let checker = PlanChecker::new(&described_registry(context).await?);
    let read = read_draft(open(file)?).map_err(CommandError::file("read", file))?;
    let name = file.file_name().map_or_else(|| "-".into(), |name| name.to_string_lossy());
    Ok(match read {
        Ok(source) => checker.check(&name, source, parallel),
        Err(finding) => Err(vec![finding]),
    })
}

/// A file, or stdin where it is called `-`.
fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(stdin()));
    }
    let file = File::open(path).map_err(CommandError::file("read", path))?;
    Ok(Box::new(io::BufReader::new(file)))
}

/// A plan that can be begun, with what a person allows it.
async fn plan_to_begin(
    context: &Context,
    (workstream, file): (&str, &Path),
    args: &BeginArgs,
) -> Result<PlanStart> {
    if !args.grant.allow.is_empty() {
        require_known_tools(&described_registry(context).await?, &args.grant.allow)?;
    }
    let checked = read_plan(context, file, args.parallel).await?;
    let text = checked.map_err(|findings| ServiceError::InvalidPlan { findings })?;
    let grant = choose_grant(context, &args.grant, text.graph.tools())?;
    Ok(PlanStart { workstream: workstream.to_owned(), text, grant, idempotency_key: None })
}

/// What the plan may call: what `--allow` names, else all that it calls, once `--yes` or the person at the terminal confirms it.
fn choose_grant(context: &Context, args: &GrantArgs, calls: Grant) -> Result<Grant> {
    if !args.allow.is_empty() {
        return Ok(args.allow.iter().cloned().collect());
    }
    if !args.yes && !calls.is_empty() {
        if !has_person(context) {
            return Err(ServiceError::PlanGrantNotConfirmed { calls }.into());
        }
        require_allowed(context, "The plan calls", &calls)?;
    }
    Ok(calls)
}

async fn create(context: &Context, args: &cli::PlanCreate) -> Result<ExitStatus> {
    let plan = (args.workstream.as_str(), args.draft.file.as_path());
    let start = plan_to_begin(context, plan, &args.begin).await?;
    let service = context.open_or_create().await?;
    let answer = service.create_plan(start).await?;
    begun(context, &service, answer, &args.begin).await
}

async fn replace(context: &Context, args: &cli::PlanReplace) -> Result<ExitStatus> {
    let plan = (args.workstream.as_str(), args.draft.file.as_path());
    let start = plan_to_begin(context, plan, &args.begin).await?;
    let service = context.open_existing().await?;
    let run = match &args.run {
        Some(run) => Some(service.find_plan_run(run).await?),
        None => None,
    };
    let replaced = Replaced { run, reason: args.reason.clone(), is_fresh: args.fresh };
    let answer = service.replace_plan(start, replaced).await?;
    begun(context, &service, answer, &args.begin).await
}

/// Prints a plan that has begun, with `--wait` once it does not go on by itself.
async fn begun(
    context: &Context,
    service: &Service,
    answer: PlanAnswer,
    args: &BeginArgs,
) -> Result<ExitStatus> {
    let Some(run) = answer.plan.as_ref().map(|plan| plan.run.id).filter(|_run| args.wait) else {
        return done(context, answer);
    };
    let plan = wait(service, run, PlanIncludes::ALL).await?;
    let status = plan.run.status;
    context.output.print(&PlanPage::new(context, answer.with_plan(plan)))?;
    Ok(exit_status(status))
}

/// What a run came to, as an exit code.
pub(super) const fn exit_status(status: GraphStatus) -> ExitStatus {
    match status {
        GraphStatus::Completed | GraphStatus::Running => ExitStatus::Done,
        GraphStatus::Failed | GraphStatus::Aborted => ExitStatus::Failed,
        GraphStatus::AwaitingHuman | GraphStatus::Blocked => ExitStatus::WaitsForPerson,
    }
}

/// Waits until a run is over, or until an agent or a person has to act.
pub(super) async fn wait(
    service: &Service,
    run: SessionId,
    includes: PlanIncludes,
) -> Result<PlanView> {
    loop {
        let plan = service.plan_of_run(run, includes).await?;
        if !goes_on_by_itself(&plan) && !service.has_lookup(run).await? {
            // A look-up may have ended just now, and what it found lets the plan go on.
            let plan = service.plan_of_run(run, includes).await?;
            if !goes_on_by_itself(&plan) {
                return Ok(plan);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether workers have something to do in it.
fn goes_on_by_itself(plan: &PlanView) -> bool {
    let has = |status: NodeStatus| {
        plan.nodes.iter().any(|node| node.status == status && node.owner.executor_type.is_worker())
    };
    let may_begin = plan.run.status == GraphStatus::Running;
    has(NodeStatus::Running) || (may_begin && has(NodeStatus::Ready))
}

async fn show(context: &Context, args: &cli::PlanShow) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let shown = PlanIncludes {
        events: args.events,
        artifacts: args.artifacts,
        approvals: args.approvals,
        checkpoints: args.checkpoints,
        issues: args.issues,
    };
    // A page says how to answer what is asked.
    let approvals = shown.approvals || !context.output.is_json();
    let answer = service.plan(&args.name_or_run, PlanIncludes { approvals, ..shown }).await?;
    context.output.print(&PlanPage::new(context, answer).showing(shown))?;
    Ok(ExitStatus::Done)
}

async fn submit(context: &Context, args: &cli::PlanSubmit) -> Result<ExitStatus> {
    let read =
        read_result(open(&args.result)?).map_err(CommandError::file("read", &args.result))?;
    let result = read?;
    let (service, run) = active(context, &args.workstream).await?;
    let service = acting(service, args.who.actor.as_ref());
    done(context, service.submit_node(run, &args.node, result).await?)
}

/// The service for whoever is named, else for the person at the command line.
pub(super) fn acting(service: Service, actor: Option<&Actor>) -> Service {
    match actor {
        Some(actor) => Service { actor: actor.to_string(), ..service },
        None => service,
    }
}
