//! `windlass journal`: what agents plan and do with tools of their own.

use std::io::Read as _;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use windlass_api::service::journal::{
    ActionInput, Cleanup, CleanupInput, DecisionInput, EventRow, ExecutionJournal, History,
    HistoryInput, Ledger, LedgerInput, PlanInput, QueryType, RecordedAction, RecordedDecision,
    RecordedPlanReport, RecordedStep, StartInput, StartedExecution, StepReport, StepRow,
    UndoCandidate,
};
use windlass_core::Actor;

use crate::cli::{ActArgs, JournalArgs, JournalCommand, StepArgs};
use crate::context::Context;
use crate::exit::{CommandError, ExitStatus, Result};
use crate::output::{Printable, TextPage};

/// Records or shows something, and prints the answer.
pub(super) async fn run(context: &Context, args: JournalArgs) -> Result<ExitStatus> {
    let JournalArgs { actor, command } = args;
    let service = context.open_or_create().await?;
    let journal = service.journal(actor.unwrap_or_else(|| Actor::User(context.actor.clone())));
    match command {
        JournalCommand::Record { file } => {
            print(context, &journal.record_plan(read_plan(&file)?).await?)
        }
        JournalCommand::Start { plan, notes } => {
            print(context, &journal.start(StartInput { plan_id: plan, notes }).await?)
        }
        JournalCommand::Step(args) => print(context, &step(&journal, args).await?),
        JournalCommand::Decide { execution, action, reason } => {
            let input = DecisionInput { execution_id: execution, action, reason, details: None };
            print(context, &journal.decide(input).await?)
        }
        JournalCommand::Act(args) => print(context, &act(&journal, args).await?),
        JournalCommand::Show { execution, steps, events } => {
            let input = LedgerInput {
                execution_id: execution,
                include_step_details: steps,
                include_events: events,
                ..LedgerInput::default()
            };
            print(context, &journal.ledger(&input).await?)
        }
        JournalCommand::History { status, limit } => {
            let input = HistoryInput {
                query_type: QueryType::Recent,
                status_filter: (!status.is_empty()).then_some(status),
                limit: Some(limit),
                offset: 0,
                include_plans: false,
                include_step_details: false,
            };
            print(context, &journal.history(&input).await?)
        }
        JournalCommand::Clean { what, older_than_days, yes } => {
            let older_than_days = Some(older_than_days);
            let input = CleanupInput { cleanup_type: what, older_than_days, dry_run: !yes };
            print(context, &journal.clean(&input).await?)
        }
    }
}

fn print(context: &Context, answer: &impl Printable) -> Result<ExitStatus> {
    context.output.print(answer)?;
    Ok(ExitStatus::Done)
}

async fn step(journal: &ExecutionJournal, args: StepArgs) -> Result<RecordedStep> {
    let StepArgs { execution, step, status, result, error } = args;
    let report = StepReport { execution_id: execution, step_id: step, status, result, error };
    Ok(journal.record_step(report).await?)
}

async fn act(journal: &ExecutionJournal, args: ActArgs) -> Result<RecordedAction> {
    let ActArgs { execution, action_type, description, step } = args;
    let input = ActionInput {
        execution_id: execution,
        step_id: step,
        action_type,
        description,
        details: None,
    };
    Ok(journal.act(input).await?)
}

/// Reads a plan: an object, or one that has it as `plan`.
fn read_plan(file: &Path) -> Result<PlanInput> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        let attempt = "read the plan from stdin";
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|source| CommandError::System { attempt, source })?;
        text
    } else {
        std::fs::read_to_string(file).map_err(CommandError::file("read", file))?
    };
    let parsed = serde_json::from_str::<Value>(&text).and_then(|value| {
        let plan = value.get("plan").filter(|plan| plan.is_object()).cloned();
        serde_json::from_value(plan.unwrap_or(value))
    });
    parsed.map_err(|error| CommandError::Usage {
        message: format!("`{}` is no plan: {error}", file.display()),
        hint: Some(
            "a plan is an object with `name` and `steps`; each step has `id`, `name` and `tool`"
                .to_owned(),
        ),
    })
}

impl Printable for RecordedPlanReport {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!(
            "{}: {} of {} step(s) recorded.",
            self.plan_id, self.name, self.steps_count
        ));
        page.line(&self.message);
    }
}

impl Printable for StartedExecution {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!("{}: {}", self.execution_id, self.message));
        page.field_if("next step", self.current_step.as_ref());
    }
}

impl Printable for RecordedStep {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!("{} ({}): {}", self.step_id, self.progress, self.message));
        let Some(failure) = &self.failure else { return };
        if let Some(policy) = &failure.failure_policy {
            json(page, "policy", policy);
        }
        page.field("affects", list(&failure.affected_steps));
    }
}

impl Printable for RecordedDecision {
    fn write(&self, page: &mut TextPage) {
        page.line(&self.message);
        let Some(candidates) = &self.undo_candidates else { return };
        for (label, steps) in [
            ("reversible", &candidates.reversible),
            ("partially", &candidates.partially_reversible),
            ("irreversible", &candidates.irreversible),
        ] {
            if !steps.is_empty() {
                let name = |step: &UndoCandidate| format!("{} ({})", step.step_id, step.tool_name);
                page.field(label, list(&steps.iter().map(name).collect::<Vec<_>>()));
            }
        }
    }
}

impl Printable for RecordedAction {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!("{}: {}", self.event_id, self.message));
    }
}

impl Printable for Ledger {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!("{}: {}", self.execution_id, self.message));
        page.field("plan", &self.plan_id);
        page.field("lead", &self.lead);
        page.field_if("next step", self.current_step.as_ref());
        page.field_if("notes", self.notes.as_ref());
        page.moment("began", Some(self.started_at));
        page.moment("ended", self.completed_at);
        page.field_if("because", self.error.as_ref());
        if let Some(steps) = &self.steps {
            page.heading("Steps");
            page.table(
                ["STEP", "STATUS", "TOOL", "CANCELLABLE", "OUTCOME"],
                steps.iter().map(step_row).collect(),
            );
        }
        if let Some(events) = &self.events {
            page.heading("Events");
            let rows = events.iter().map(|event| event_row(page, event)).collect();
            page.table(["SEQ", "AT", "WHAT", "STEP", "BY", "WHY"], rows);
        }
    }
}

fn step_row(step: &StepRow) -> [String; 5] {
    let result = step.result.as_ref().map(Value::to_string);
    [
        step.step_id.clone(),
        step.status.as_str().to_owned(),
        step.tool_name.clone(),
        step.cancellable.to_string(),
        step.error.clone().or(result).unwrap_or_else(|| "-".to_owned()),
    ]
}

fn event_row(page: &TextPage, event: &EventRow) -> [String; 6] {
    let text = |name: &str| event.data.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    [
        event.seq.to_string(),
        page.time(event.timestamp),
        event.event_type.clone(),
        text("step_id"),
        event.actor.clone(),
        text("reason"),
    ]
}

impl Printable for History {
    fn write(&self, page: &mut TextPage) {
        if self.executions.is_empty() {
            return page.line("No execution is recorded.");
        }
        let rows = self.executions.iter().map(|row| {
            let execution = &row.execution;
            [
                page.time(execution.started_at),
                execution.status.as_str().to_owned(),
                execution.progress.clone(),
                execution.plan_name.clone(),
                execution.lead.clone(),
                execution.execution_id.clone(),
            ]
        });
        let rows = rows.collect();
        page.table(["BEGAN", "STATUS", "PROGRESS", "PLAN", "LEAD", "ID"], rows);
        page.line(format_args!("{}.", self.message));
    }
}

impl Printable for Cleanup {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!("{}.", self.message));
        for id in self.executions.iter().chain(&self.plans) {
            page.line(format_args!("  {id}"));
        }
        if self.dry_run && self.executions_count + self.plans_count > 0 {
            page.line("`--yes` removes them.");
        }
    }
}

fn list(words: &[String]) -> String {
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn json(page: &mut TextPage, label: &str, value: &impl Serialize) {
    if let Ok(value) = serde_json::to_value(value) {
        page.json(label, &value);
    }
}
