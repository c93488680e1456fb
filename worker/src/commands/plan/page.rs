//! A plan as a page for people.

use serde::Serialize;
use windlass_api::service::{ApprovalView, PlanAnswer, PlanIncludes, PlanNode, PlanView};
use windlass_core::ApprovalStatus;
use windlass_core::graph::{NodeStatus, OwnerType, Severity};

use crate::context::Context;
use crate::hint::{CommandHint, quoted};
use crate::output::{Printable, TextPage};

/// What an operation on a plan answered, with what can be done next.
#[derive(Debug, Serialize)]
pub(in crate::commands) struct PlanPage {
    #[serde(flatten)]
    answer: PlanAnswer,
    /// What is shown of it besides.
    #[serde(skip)]
    shown: PlanIncludes,
    #[serde(skip)]
    hint: CommandHint,
}

impl PlanPage {
    pub(in crate::commands) fn new(context: &Context, answer: PlanAnswer) -> Self {
        Self { answer, shown: PlanIncludes::default(), hint: context.hint.clone() }
    }

    /// The same with what was asked for besides.
    pub(super) fn showing(self, shown: PlanIncludes) -> Self {
        Self { shown, ..self }
    }
}

impl Printable for PlanPage {
    fn write(&self, page: &mut TextPage) {
        page.line(&self.answer.message);
        for warning in &self.answer.warnings {
            page.line(format_args!("warning: {} [{}]", warning.message, warning.code));
        }
        if let Some(plan) = &self.answer.plan {
            write_plan(page, plan);
            write_besides(page, plan, self.shown);
            write_next(page, plan, &self.hint);
        }
    }
}

fn write_plan(page: &mut TextPage, plan: &PlanView) {
    let PlanView { run, spec, progress, .. } = plan;
    page.heading(format_args!("{} v{}: {}", spec.workstream, spec.version, spec.title));
    let held = if run.is_held { ", not started" } else { "" };
    page.field("status", format_args!("{}{held}", run.status));
    page.field("objective", &spec.objective);
    let is_done = |node: &&PlanNode| node.status.has_result() || node.status == NodeStatus::Skipped;
    let n_done = plan.nodes.iter().filter(is_done).count();
    page.field("progress", format_args!("{n_done} of {} node(s)", progress.total));
    page.field("lead", &run.lead_agent_id);
    page.field_if("ended by", run.error.as_ref());
    page.money("cost", run.cost);
    page.field("run", run.id);
    page.line("");
    let row = |node: &PlanNode| {
        [
            node.node_id.clone(),
            node.status.to_string(),
            owner(node),
            node.attempt_count.to_string(),
            node.blocked_reason.clone().unwrap_or_else(|| node.label.clone()),
        ]
    };
    let rows = plan.nodes.iter().map(row).collect();
    page.table(["NODE", "STATUS", "OWNER", "ATTEMPTS", "WHAT"], rows);
    if !plan.carried_nodes.is_empty() {
        page.heading("Done before, in the runs that it replaced");
        for node in &plan.carried_nodes {
            page.line(format_args!("  {} ({}): {}", node.node_id, node.status, node.label));
        }
    }
}

fn owner(node: &PlanNode) -> String {
    format!("{}:{}", node.owner.executor_type, node.owner.reference)
}

fn write_besides(page: &mut TextPage, plan: &PlanView, shown: PlanIncludes) {
    if let Some(events) = plan.events.as_ref().filter(|_| shown.events) {
        page.heading("What happened");
        for event in events {
            let (at, kind, by) =
                (page.time(event.created_at), &event.event_type, &event.emitted_by);
            page.line(format_args!("  {at} {kind}, by {by}: {}", event.message));
        }
    }
    if let Some(artifacts) = plan.artifacts.as_ref().filter(|_| shown.artifacts) {
        page.heading("What was made");
        for made in artifacts {
            let node = made.node_id.as_deref().unwrap_or("-");
            let (name, kind, version) = (&made.name, made.kind, made.version);
            page.line(format_args!(
                "  {name} ({kind}, version {version}, {}), by {node}",
                made.status
            ));
            if let Some(content) = &made.content {
                page.json("content", content);
            }
            page.field_if("pointer", made.pointer.as_ref());
        }
    }
    if let Some(approvals) = plan.approvals.as_ref().filter(|_| shown.approvals) {
        page.heading("What people were asked");
        for asked in approvals {
            page.line(format_args!(
                "  {} {} ({}): {}",
                asked.id, asked.kind, asked.status, asked.prompt
            ));
        }
    }
    if let Some(checkpoints) = plan.checkpoints.as_ref().filter(|_| shown.checkpoints) {
        page.heading("Checkpoints");
        for saved in checkpoints {
            let number = saved.state.get("sequence").cloned().unwrap_or_default();
            let at = page.time(saved.created_at);
            page.line(format_args!("  {number} {at} {} ({})", saved.reason, saved.id));
        }
    }
    if let Some(issues) = plan.validation_issues.as_ref().filter(|_| shown.issues) {
        page.heading("What the checks found");
        for issue in issues {
            let warning = if issue.severity == Severity::Warning { "warning: " } else { "" };
            let at = issue.node_id.as_deref().unwrap_or("plan");
            page.line(format_args!("  {warning}{at}: {} [{}]", issue.message, issue.code));
        }
    }
}

/// What somebody has to do, with the commands.
fn write_next(page: &mut TextPage, plan: &PlanView, hint: &CommandHint) {
    if plan.run.status.is_over() {
        return;
    }
    let workstream = quoted(&plan.spec.workstream);
    let pending = plan.approvals.iter().flatten();
    for asked in pending.filter(|asked| asked.status == ApprovalStatus::Pending) {
        page.heading(&asked.prompt);
        write_answers(page, asked, hint);
    }
    for node in &plan.nodes {
        let id = quoted(&node.node_id);
        let (command, effect) = match (node.status, node.owner.executor_type) {
            (NodeStatus::Running, OwnerType::Agent) => (
                format!(
                    "plan submit {workstream} {id} --result FILE --as {}",
                    quoted(&owner(node))
                ),
                "submits the result of the node",
            ),
            (NodeStatus::Running, OwnerType::System | OwnerType::Plugin) => {
                ("up".to_owned(), "lets workers do the node")
            }
            (NodeStatus::Blocked, _) => {
                (format!("plan resume {workstream}"), "goes on once the cause is repaired")
            }
            _ => continue,
        };
        page.heading(format_args!("Node `{}`: {}", node.node_id, node.label));
        page.line(format_args!("  {}", hint.command(&command)));
        page.line(format_args!("      {effect}"));
    }
}

/// Writes the commands that answer a question.
pub(in crate::commands) fn write_answers(
    page: &mut TextPage,
    asked: &ApprovalView,
    hint: &CommandHint,
) {
    let id = asked.id;
    let commands: &[(&str, &str)] = if asked.kind.is_yes_or_no() {
        &[("approve", ""), ("reject", " --edits TEXT")]
    } else {
        &[("answer", " TEXT")]
    };
    for (verb, rest) in commands {
        page.line(format_args!("  {}", hint.command(&format!("approval {verb} {id}{rest}"))));
    }
}
