//! The tools of the journal of executions.

use super::refusal::Refusal;
use super::tool::{About, AgentTool, Caller, Effect, tool};
use crate::service::journal::{
    ActionInput, Cleanup, CleanupInput, DecisionInput, ExecutionJournal, History, HistoryInput,
    Ledger, LedgerInput, PlanInput, RecordedAction, RecordedDecision, RecordedPlanReport,
    RecordedStep, StartInput, StartedExecution, StepReport,
};

const RECORD_PLAN: About = About {
    name: "record_plan",
    title: "Record a plan",
    docs: "Records what you are going to do: calls of your tools, one after the other, and how far each can be undone. Nothing is carried out. \
           Record a plan before you begin, then begin an execution of it with record_execution_start.",
    effect: Effect::Adds,
    wrapper: Some("plan"),
};

const RECORD_EXECUTION_START: About = About {
    name: "record_execution_start",
    title: "Begin an execution",
    docs: "Records that you begin with a recorded plan. Nothing is carried out: you call the tools, and report each step with record_step. \
           A plan may have several executions.",
    effect: Effect::Adds,
    wrapper: None,
};

const RECORD_STEP: About = About {
    name: "record_step",
    title: "Report a step",
    docs: "Records that a step runs, is completed or failed. Report `running` before you call its tool, and what became of it at once after. \
           Steps are done in order. A failed step ends the execution as failed: its failure policy and the affected steps are shown, and never \
           applied. The same report again changes nothing.",
    effect: Effect::Sets,
    wrapper: None,
};

const QUERY_LEDGER: About = About {
    name: "query_ledger",
    title: "Look into an execution",
    docs: "Shows how far an execution has come. With `include_step_details` it lists the steps with their results, and with `include_events` \
           everything that was recorded: the audit trail.",
    effect: Effect::Reads,
    wrapper: None,
};

const RECORD_DECISION: About = About {
    name: "record_decision",
    title: "Record a decision",
    docs: "Records that you stop or go on, and why. `stop` gives up every step that is not done, and lists what is done and could be undone. \
           `continue` changes nothing, and never reopens an execution that is over. Nothing is undone for you.",
    effect: Effect::Sets,
    wrapper: None,
};

const RECORD_ACTION: About = About {
    name: "record_action",
    title: "Record an action",
    docs: "Records something that you did beside the steps: you undid one, tidied up or told somebody. It changes nothing else, and may be \
           recorded after the end of an execution.",
    effect: Effect::Adds,
    wrapper: None,
};

const QUERY_HISTORY: About = About {
    name: "query_history",
    title: "List executions",
    docs: "Lists executions, those that began last first. `incomplete` lists those that are under way: look for yours there after an interruption.",
    effect: Effect::Reads,
    wrapper: None,
};

const CLEANUP_HISTORY: About = About {
    name: "cleanup_history",
    title: "Remove old executions",
    docs: "Removes old executions that are over, with their steps and events, or plans without executions. It only says what would be removed, \
           unless `dry_run` is false.",
    effect: Effect::Removes,
    wrapper: None,
};

/// The tools.
pub(super) fn tools() -> Vec<AgentTool> {
    vec![
        tool(RECORD_PLAN, record_plan),
        tool(RECORD_EXECUTION_START, record_execution_start),
        tool(RECORD_STEP, record_step),
        tool(QUERY_LEDGER, query_ledger),
        tool(RECORD_DECISION, record_decision),
        tool(RECORD_ACTION, record_action),
        tool(QUERY_HISTORY, query_history),
        tool(CLEANUP_HISTORY, cleanup_history),
    ]
}

fn journal(caller: Caller) -> ExecutionJournal {
    caller.service.journal(caller.actor)
}

async fn record_plan(caller: Caller, plan: PlanInput) -> Result<RecordedPlanReport, Refusal> {
    Ok(journal(caller).record_plan(plan).await?)
}

async fn record_execution_start(
    caller: Caller,
    start: StartInput,
) -> Result<StartedExecution, Refusal> {
    Ok(journal(caller).start(start).await?)
}

async fn record_step(caller: Caller, report: StepReport) -> Result<RecordedStep, Refusal> {
    Ok(journal(caller).record_step(report).await?)
}

async fn query_ledger(caller: Caller, which: LedgerInput) -> Result<Ledger, Refusal> {
    Ok(journal(caller).ledger(&which).await?)
}

async fn record_decision(
    caller: Caller,
    decision: DecisionInput,
) -> Result<RecordedDecision, Refusal> {
    Ok(journal(caller).decide(decision).await?)
}

async fn record_action(caller: Caller, action: ActionInput) -> Result<RecordedAction, Refusal> {
    Ok(journal(caller).act(action).await?)
}

async fn query_history(caller: Caller, which: HistoryInput) -> Result<History, Refusal> {
    Ok(journal(caller).history(&which).await?)
}

async fn cleanup_history(caller: Caller, what: CleanupInput) -> Result<Cleanup, Refusal> {
    Ok(journal(caller).clean(&what).await?)
}
