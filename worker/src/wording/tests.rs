//! What people read of workflows that do not move.

mod stopped;
mod waiting;

use std::collections::BTreeMap;

use expect_test::Expect;
use serde_json::json;
use windlass_api::service::{HealthInputs, MutationInDoubt, judge_health, mutations_in_doubt};
use windlass_api::text::TimeFormat;
use windlass_core::{
    FailureClass, HandlerKind, Id, InputId, MutationId, MutationStatus, Phase, RunId, Schedule,
    ScriptId, SessionId, Status, Timestamp, WorkflowId, WorkflowKind, WorkflowStatus, WorkspaceId,
};
use windlass_store::{HandlerState, Input, InputStatus, Mutation, Run, Workflow, WorkflowOverview};

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_772_434_800_000_000);

const TIMES: TimeFormat = TimeFormat { zone: chrono_tz::Tz::UTC, now: NOW };

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_micros(NOW.as_micros() + seconds * 1_000_000)
}

/// An id that is the same in every test run.
fn id<T: Id>() -> T {
    T::parse_text(&format!("{}_{:032x}", T::PREFIX, 7)).unwrap()
}

/// A workflow that waits for its schedule.
fn idle() -> WorkflowOverview {
    let workflow = Workflow {
        id: id(),
        workspace_id: id::<WorkspaceId>(),
        name: "receipts".to_owned(),
        kind: WorkflowKind::Script,
        title: String::new(),
        status: WorkflowStatus::Active,
        error: None,
        error_class: None,
        maintenance: false,
        contradicted_mutation_id: None,
        stopped_by_run_id: None,
        pending_retry_run_id: None,
        active_script_id: Some(id::<ScriptId>()),
        label: None,
        priority: 0,
        transient_failures: 0,
        backoff_until: None,
        due_at: Some(in_seconds(40)),
        created_at: in_seconds(-600),
    };
    let inbox = HandlerState {
        kind: HandlerKind::Producer,
        name: "inbox".to_owned(),
        state: None,
        has_work: false,
        wake_at: None,
        schedule: Some(Schedule::interval("1m").unwrap()),
        next_run_at: Some(in_seconds(40)),
        last_run_at: None,
    };
    WorkflowOverview {
        workflow,
        active_version: Some("1.0".to_owned()),
        latest_version: Some("1.0".to_owned()),
        grant: None,
        effects_paused_until: None,
        limits: Vec::new(),
        handlers: vec![inbox],
        open_run: None,
        stopped_by: None,
        in_doubt: Vec::new(),
        events: BTreeMap::new(),
        pending_inputs: 0,
        last_session: None,
    }
}

fn run(phase: Phase, status: Status) -> Run {
    Run {
        id: id::<RunId>(),
        workflow_id: id::<WorkflowId>(),
        session_id: id::<SessionId>(),
        script_id: id(),
        kind: HandlerKind::Consumer,
        handler: "record".to_owned(),
        phase,
        status,
        retry_of: None,
        mutation_id: None,
        mutation_outcome: None,
        prepare_result: None,
        input_state: None,
        output_state: None,
        error: None,
        error_class: None,
        error_at: None,
        cost: 0,
        claimed_by: None,
        fence: 1,
        created_at: in_seconds(-60),
        started_at: Some(in_seconds(-60)),
        ended_at: None,
    }
}

fn mutation(status: MutationStatus) -> Mutation {
    Mutation {
        id: id::<MutationId>(),
        workflow_id: id(),
        handler_run_id: id(),
        tool_namespace: "Http".to_owned(),
        tool_method: "post".to_owned(),
        params: json!({"url": "https://api.example.com/orders", "body": {"amount": "14.43"}}),
        params_digest: String::new(),
        target: "POST https://api.example.com/orders".to_owned(),
        operation_id: String::new(),
        idempotency_key: String::new(),
        status,
        result: None,
        error: Some("no answer came within 30 s".to_owned()),
        error_class: Some(FailureClass::Network),
        reconcilable: false,
        reconcile_attempts: 0,
        next_reconcile_at: None,
        resolved_by: None,
        resolved_at: None,
        ui_title: "Order beans".to_owned(),
        late_evidence: None,
        cost: 0,
        inputs: vec![id()],
        created_at: in_seconds(-60),
        updated_at: in_seconds(-30),
    }
}

fn input() -> Input {
    Input {
        id: id::<InputId>(),
        workflow_id: id(),
        source: "Mail".to_owned(),
        input_type: "message".to_owned(),
        external_id: "1@example.com".to_owned(),
        title: "Please order, from Ann".to_owned(),
        status: InputStatus::Pending,
        created_by_run_id: Some(id()),
        created_at: in_seconds(-120),
    }
}

fn judge(overview: &WorkflowOverview) -> HealthText {
    let doubt =
        |mutation: &Mutation| MutationInDoubt { mutation: mutation.clone(), inputs: vec![input()] };
    let doubts: Vec<_> = mutations_in_doubt(overview).map(doubt).collect();
    let health = judge_health(HealthInputs {
        overview,
        doubts: &doubts,
        unread: &[],
        known_ahead: None,
        times: TIMES,
    });
    HealthText::new(health, &CommandHint::plain())
}

fn check(overview: &WorkflowOverview, expected: &Expect) {
    let health = judge(overview);
    let mut page = TextPage::new(TIMES);
    page.line(health.badge);
    health.write(&mut page);
    expected.assert_eq(&page.into_text());
}
