//! What people read of workflows that do not move.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use serde_json::json;
use windlass_api::service::{HealthInputs, MutationInDoubt, judge_health, mutations_in_doubt};
use windlass_api::text::TimeFormat;
use windlass_core::{
    FailureClass, HandlerKind, Id, InputId, MutationId, MutationStatus, Phase, RunId, Schedule,
    ScriptId, ScriptPosition, SessionId, Status, Timestamp, WorkflowId, WorkflowStatus,
    WorkspaceId,
};
use windlass_store::{
    EventCounts, HandlerState, Holder, Input, InputStatus, Limit, Mutation, Run, Workflow,
    WorkflowOverview,
};

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
        title: String::new(),
        status: WorkflowStatus::Active,
        error: None,
        error_class: None,
        maintenance: false,
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
    let health = judge_health(HealthInputs { overview, doubts: &doubts, times: TIMES });
    HealthText::new(health, &CommandHint::plain())
}

fn check(overview: &WorkflowOverview, expected: &Expect) {
    let health = judge(overview);
    let mut page = TextPage::new(TIMES);
    page.line(health.badge);
    health.write(&mut page);
    expected.assert_eq(&page.into_text());
}

#[test]
fn a_waiting_workflow_says_for_what() {
    check(
        &idle(),
        &expect![[r#"
        Idle
          it waits for the schedule (every 1m) of `inbox` until 2026-03-02 07:00:40 (in 40 s)
    "#]],
    );
}

#[test]
fn a_run_that_a_limit_holds_back_says_which_and_who_has_it() {
    let mut overview = idle();
    overview.open_run = Some(Run { started_at: None, ..run(Phase::Pending, Status::Queued) });
    overview.limits = vec![Limit {
        key: "connector:Http".to_owned(),
        at_once: Some(1),
        rate: Some(60),
        per_s: Some(3600),
        begun: Some(7),
        running: 1,
        queued: 2,
        is_full: true,
        held_by: vec![Holder { workflow: "mail".to_owned(), run: id(), worker: Some(id()) }],
    }];
    check(
        &overview,
        &expect![[r#"
        Idle
          consumer `record` waits, because of the limit of `connector:Http`
          limit         1 of 1 run, 7 of 60 began within 3600 s
          held by       mail on wrk_00000000000000000000000000000007
          waiting       2 run(s), each in its turn
          since         2026-03-02 06:59:00 (60 s ago)

          What to do
            windlass limit connector:Http
                shows it; `--at-once N`, `--rate N/TIME` or `--none` change it
            windlass run receipts
                runs this one now, whatever the limit says
    "#]],
    );
}

#[test]
fn a_limit_with_a_free_place_holds_nobody_back() {
    let mut overview = idle();
    overview.open_run = Some(run(Phase::Pending, Status::Queued));
    overview.workflow.label = Some("gpu".to_owned());
    overview.limits = vec![Limit {
        key: "workflow:receipts".to_owned(),
        at_once: Some(1),
        rate: None,
        per_s: None,
        begun: None,
        running: 0,
        queued: 1,
        is_full: false,
        held_by: Vec::new(),
    }];
    check(
        &overview,
        &expect![[r#"
        Idle
          consumer `record` waits for a worker with the label `gpu` since 2026-03-02 06:59:00 (60 s ago): it seems that none is running

          What to do
            windlass up --labels gpu
                starts a worker, which keeps all workflows running
            windlass run receipts
                runs this one once
    "#]],
    );
}

#[test]
fn a_controlled_workflow_says_how_to_start_it() {
    let mut overview = idle();
    overview.open_run = Some(run(Phase::Preparing, Status::Active));
    overview.workflow.status = WorkflowStatus::Paused;
    check(
        &overview,
        &expect![[r#"
        Stopped
          it is paused
          still         the handler that is under way finishes

          What to do
            windlass resume receipts
                continues where it stopped
    "#]],
    );
}

#[test]
fn a_doubt_shows_what_was_attempted_and_what_each_choice_does() {
    let mut overview = idle();
    overview.in_doubt = vec![mutation(MutationStatus::Indeterminate)];
    overview.workflow.error = Some("unknown".to_owned());
    check(
        &overview,
        &expect![[r#"
            Needs attention
              nobody knows whether `Order beans` happened; until that is settled nothing else runs
              output        mut_00000000000000000000000000000007
              tool          Http.post
              target        POST https://api.example.com/orders
              attempted     {"url":"https://api.example.com/orders","body":{"amount":"14.43"}}
              at            2026-03-02 06:59:00 (60 s ago)
              because of    Please order, from Ann (inp_00000000000000000000000000000007)
              why unknown   no answer came within 30 s
              to find out   its tool cannot look it up: only you can

              What to do
                find out at the target whether it happened, then say so:
                windlass resolve mut_00000000000000000000000000000007 --did-not-happen
                    its events are pending again and a new run prepares afresh; if it did happen after all, this does it twice
                windlass resolve mut_00000000000000000000000000000007 --skip
                    leaves it as it is, whatever happened: its events are skipped for good, and `next` runs once
                windlass resolve mut_00000000000000000000000000000007 --happened RESULT
                    it happened, and RESULT (JSON) is what the tool answered: `next` continues with it
        "#]],
    );
}

#[test]
fn a_request_under_way_is_no_doubt() {
    let mut overview = idle();
    overview.in_doubt = vec![mutation(MutationStatus::InFlight)];
    overview.open_run = Some(run(Phase::Mutating, Status::Active));

    assert_eq!(judge(&overview).badge, Badge::Running);

    overview.open_run = None;
    assert_eq!(judge(&overview).badge, Badge::NeedsAttention);
}

#[test]
fn a_failed_script_is_shown_with_its_line() {
    let mut overview = idle();
    overview.workflow.maintenance = true;
    overview.workflow.pending_retry_run_id = Some(id());
    overview.stopped_by = Some(Run {
        error: Some("TypeError: x is not a function".to_owned()),
        error_class: Some(FailureClass::Logic),
        error_at: Some(ScriptPosition {
            file: "workflow.js".to_owned(),
            line: 12,
            column: 7,
            source_line: Some("      x();".to_owned()),
        }),
        ..run(Phase::Emitting, Status::FailedLogic)
    });
    check(
        &overview,
        &expect![[r#"
            Fixing
              its script failed and has to be repaired
              error         TypeError: x is not a function
              handler       consumer record in phase emitting
              at            workflow.js:12:7
              source        x();
              run           run_00000000000000000000000000000007
              afterwards    run_00000000000000000000000000000007 continues after its effect, which is not repeated

              What to do
                windlass deploy FILE --name receipts --fix --activate
                    deploys a fixed version; what was reserved or already done is kept
                windlass resume receipts
                    tries the same version once more, where the cause was outside the script
        "#]],
    );
}

#[test]
fn every_class_of_error_says_who_must_act() {
    let texts = FailureClass::ALL.iter().map(|class| {
        let mut overview = idle();
        overview.workflow.error = Some("refused".to_owned());
        overview.workflow.error_class = Some(*class);
        let health = judge(&overview);
        let effects: Vec<_> = health.to_do.iter().map(|advice| advice.effect.as_str()).collect();
        format!("{class}: {} {} -> {}\n", health.badge, health.why, effects.join(" | "))
    });

    expect![[r#"
        auth: Needs attention a service does not accept the credentials: refused -> renew the credentials of that service | then continues
        permission: Needs attention it is not allowed to do what it wants: refused -> grant it: in the configuration (for example `[tools.files] roots`), with the script, or by accepting what a connector offers | then continues
        network: Needs attention the network failed too often in a row: refused -> see that the other side can be reached from here | then continues
        logic: Needs attention its script failed: refused -> repair the script and deploy it | then continues
        internal: Needs attention windlass or one of its tools failed: refused -> see what the error says; where it is no fault of this machine, report it | then continues
        api_key: Needs attention a provider does not accept its key: refused -> set a key that it accepts | then continues
        balance: Needs attention a provider wants to be paid first: refused -> pay the provider | then continues
    "#]].assert_eq(&texts.collect::<String>());
}

#[test]
fn a_back_off_says_when_it_ends() {
    let mut overview = idle();
    overview.workflow.transient_failures = 2;
    overview.workflow.backoff_until = Some(in_seconds(20));
    check(
        &overview,
        &expect![[r#"
        Idle
          the network failed 2 time(s) in a row; it tries again by itself at 2026-03-02 07:00:20 (in 20 s)

          What to do
            windlass run receipts
                tries now
    "#]],
    );
}

#[test]
fn what_no_worker_takes_says_so_only_when_it_is_late() {
    let mut overview = idle();
    overview.workflow.due_at = Some(in_seconds(-3));
    assert!(!judge(&overview).why.contains("none is running"));

    overview.workflow.due_at = Some(in_seconds(-300));
    check(
        &overview,
        &expect![[r#"
        Idle
          it is due and waits for a worker since 2026-03-02 06:55:00 (5 min ago): it seems that none is running

          What to do
            windlass up
                starts a worker, which keeps all workflows running
            windlass run receipts
                runs this one once
    "#]],
    );
}

#[test]
fn events_that_wait_for_later_are_no_mystery() {
    let mut overview = idle();
    overview.events.insert("mail".to_owned(), EventCounts { pending: 3, ..EventCounts::default() });
    overview.handlers.clear();
    overview.workflow.due_at = None;
    check(
        &overview,
        &expect![[r#"
        Idle
          nothing is due, and nothing is scheduled any more
          pending       3 event(s) that its consumers leave for a later event or a later time
    "#]],
    );
}
