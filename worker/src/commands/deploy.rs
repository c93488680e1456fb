//! `deploy`: saves a script as a new version of a workflow.

use serde::Serialize;
use windlass_api::service::{
    Activation, Confirmation, DeployReport, Deployment, GrantProposal, UnreadTopic,
    check_workflow_name, require_known_tools,
};
use windlass_core::{Capability, Grant};
use windlass_store::Bump;

use super::check::{self, write_grant};
use super::control;
use super::engine::described_registry;
use super::granting::{confirm, has_person, require_allowed};
use super::limit::require_no_port;
use crate::cli::DeployArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::hint::quoted;
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct DeployOutput {
    #[serde(flatten)]
    report: DeployReport,
    /// How many parked events are pending again.
    put_back: usize,
    #[serde(skip)]
    notes: Vec<String>,
    /// Whether the version is active and nothing stops it.
    #[serde(skip)]
    runs: bool,
    #[serde(skip)]
    next: String,
}

pub(crate) async fn run(context: &Context, args: &DeployArgs) -> Result<ExitStatus> {
    check_workflow_name(&args.name)?;
    if !args.allow.is_empty() {
        require_known_tools(&described_registry(context).await?, &args.allow)?;
        let of_http = args.allow.iter().filter(|it| it.namespace() == "Http");
        of_http.filter_map(Capability::scope).try_for_each(require_no_port)?;
    }
    let script = check::load(context, &args.file).await?;
    let service = context.open_or_create().await?;
    let earlier = service.current_grant(&args.name).await?;
    let proposal = GrantProposal::new(&script.tools, earlier.as_ref());
    let deployment = Deployment {
        name: args.name.clone(),
        script,
        bump: if args.fix { Bump::Minor } else { Bump::Major },
        comment: args.comment.clone(),
        grant: choose_grant(context, args, proposal)?,
        activation: if args.activate { Activation::Now } else { Activation::Later },
    };
    let report = service.deploy(deployment).await?;
    let put_back = if wants_parked_back(context, args, &report)? {
        service.put_back_parked(report.workflow.id).await?
    } else {
        0
    };
    let notes = notes(context, &report, put_back);
    let left = if report.script.is_active {
        control::what_is_left(context, &service, report.workflow.id).await?
    } else {
        None
    };
    let runs = report.script.is_active && left.is_none();
    let next = left.unwrap_or_else(|| next_command(context, &report));
    context.output.print(&DeployOutput { report, put_back, notes, runs, next })?;
    Ok(ExitStatus::Done)
}

/// Whether the events that the version before a repair parked are put back: as `--put-back` says, or the person at the terminal.
fn wants_parked_back(context: &Context, args: &DeployArgs, report: &DeployReport) -> Result<bool> {
    let is_repair = args.fix && report.script.is_active && report.parked > 0;
    if !is_repair || args.put_back || !has_person(context) {
        return Ok(is_repair && args.put_back);
    }
    confirm(context, &format!("{} event(s) are parked. Put them back?", report.parked))
}

/// What a person should know of the events that were there before.
fn notes(context: &Context, report: &DeployReport, put_back: usize) -> Vec<String> {
    let name = quoted(&report.workflow.name);
    let mut notes = Vec::new();
    for UnreadTopic { topic, pending } in &report.unread {
        let skip = format!("event --workflow {name} --topic {} --skip", quoted(topic));
        notes.push(format!(
            "warning: {pending} event(s) of topic `{topic}` wait for ever, because no consumer subscribes to it any more: `{}` skips them.",
            context.hint.command(&skip)
        ));
    }
    if put_back > 0 {
        notes.push(format!("{put_back} parked event(s) are pending again."));
    } else if report.parked > 0 {
        let command = context.hint.command(&format!("event --workflow {name} --put-back"));
        notes.push(format!("{} event(s) are parked: `{command}` puts them back.", report.parked));
    }
    notes
}

fn next_command(context: &Context, report: &DeployReport) -> String {
    let name = quoted(&report.workflow.name);
    if report.script.is_active {
        format!(
            "`{}` runs it once; `{}` keeps it running.",
            context.hint.command(&format!("run {name}")),
            context.hint.command("up")
        )
    } else {
        let version = &report.script.version;
        format!("`{}` lets it run.", context.hint.command(&format!("activate {name}@{version}")))
    }
}

/// Decides what a version may call: what `--allow` names, else what is proposed, once it is confirmed by `--yes` or by the person at
/// the terminal.
fn choose_grant(context: &Context, args: &DeployArgs, proposal: GrantProposal) -> Result<Grant> {
    if !args.allow.is_empty() {
        return Ok(args.allow.iter().cloned().collect());
    }
    if args.yes {
        return Ok(proposal.grant);
    }
    if !has_person(context) {
        return Ok(proposal.without_person()?);
    }
    match &proposal.confirmation {
        Confirmation::Nothing => {}
        Confirmation::FirstVersion(grant) => require_allowed(context, "It calls", grant)?,
        Confirmation::Wider(beyond) => require_allowed(context, "It newly calls", beyond)?,
    }
    Ok(proposal.grant)
}

impl Printable for DeployOutput {
    fn write(&self, page: &mut TextPage) {
        let DeployReport { workflow, script, .. } = &self.report;
        let name = &workflow.name;
        if script.is_new {
            page.line(format_args!("Saved version {} of `{name}`.", script.version));
        } else {
            page.line(format_args!(
                "`{name}` already has this script: version {}.",
                script.version
            ));
        }
        write_grant(page, "may call", &script.grant);
        if !script.refused.is_empty() {
            write_grant(page, "calls, but may not", &script.refused);
        }
        if script.is_active {
            let state = if self.runs { "runs now" } else { "is active" };
            page.line(format_args!("Version {} {state}.", script.version));
        }
        for note in &self.notes {
            page.line(note);
        }
        page.line(&self.next);
    }
}
