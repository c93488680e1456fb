//! What people read of workflows that wait.

use expect_test::expect;
use windlass_core::{Phase, Status};
use windlass_store::{EventCounts, Limit, LimitHolder, Run};

use super::{check, id, idle, in_seconds, judge, run};

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
        held_by: vec![LimitHolder { workflow: "mail".to_owned(), run: id(), worker: Some(id()) }],
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
fn a_back_off_says_when_it_ends() {
    let mut overview = idle();
    overview.workflow.transient_failures = 2;
    overview.workflow.backoff_until = Some(in_seconds(20));
    check(
        &overview,
        &expect![[r#"
        Idle
          the other side did not answer or asked to wait, 2 time(s) in a row; it tries again by itself at 2026-03-02 07:00:20 (in 20 s)

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
