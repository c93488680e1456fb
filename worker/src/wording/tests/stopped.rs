//! What people read of workflows that stopped.

use expect_test::expect;
use windlass_api::service::Badge;
use windlass_core::{FailureClass, MutationStatus, Phase, ScriptPosition, Status, WorkflowStatus};
use windlass_store::Run;

use super::{check, id, idle, judge, mutation, run};

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
        auth: Needs attention a service refuses these credentials: refused -> renew them, or give them the rights that this needs | then continues
        permission: Needs attention it is not allowed to do what it wants: refused -> grant it: in the configuration (for example `[tools.files] roots`), with the script, or by accepting what a connector offers | then continues
        network: Needs attention the other side did not answer or asked to wait, too often in a row: refused -> see that the other side can be reached from here, and that it is not asked too often | then continues
        logic: Needs attention its script failed: refused -> repair the script and deploy it | then continues
        internal: Needs attention windlass or one of its tools failed: refused -> see what the error says; where it is no fault of this machine, report it | then continues
        api_key: Needs attention a provider does not accept its key: refused -> set a key that it accepts | then continues
        balance: Needs attention a provider wants to be paid first: refused -> pay the provider | then continues
    "#]].assert_eq(&texts.collect::<String>());
}
