use super::*;
use crate::blame::{Blame, OnFailure, Suspects, Trial};
use crate::failure::{Failure, FailureClass};
use crate::mutation::{MutationStatus, Outcome, Recourse};
use crate::policy::EventPolicy;
use crate::retry::Backoff;
use crate::session::SessionResult;
use crate::text::Text as _;

/// A consumer's run that has begun a mutation, which has this status.
const fn mutating(mutation: MutationStatus) -> RunState {
    RunState {
        kind: HandlerKind::Consumer,
        phase: Phase::Mutating,
        status: Status::Active,
        outcome: None,
        mutation: Some(mutation),
    }
}

/// A failed call that was about this many events.
const fn suspects(policy: &EventPolicy, events: usize) -> Suspects<'_> {
    let on_failure = OnFailure::Park;
    Suspects { events, untried: events, parked_in_a_row: 0, on_failure, policy }
}

/// What a failure of class logic changes for a run in this state that was about `events` events.
fn failed(run: RunState, events: usize) -> Changes {
    let (backoff, policy) = (Backoff::default(), EventPolicy::default());
    let context = StopContext {
        transient_failures: 0,
        backoff: &backoff,
        jitter_seed: 0,
        recourse: Recourse::Ask,
        suspects: suspects(&policy, events),
    };
    run.stop(None, &Failure::logic("no amount"), context).unwrap()
}

#[test]
fn a_failure_about_events_stops_the_run_and_not_the_workflow() {
    let preparing = RunState::queued(HandlerKind::Consumer).claim().unwrap().run;
    let refused = RunState {
        phase: Phase::Mutated,
        outcome: Some(Outcome::Failure),
        ..mutating(MutationStatus::Failed)
    };
    for (run, trial) in [(preparing, Trial::Prepare), (refused, Trial::Run)] {
        for (events, blame) in [(1, Blame::Event), (2, Blame::OneOf(trial))] {
            let changes = failed(run, events);

            assert_eq!(changes.run.status, Status::FailedLogic);
            assert_eq!(changes.reservations, Reservations::Release { blame });
            assert_eq!((changes.workflow, changes.session), (WorkflowChange::Keep, None));
        }
    }
}

#[test]
fn a_failure_that_no_event_explains_is_the_scripts() {
    let past = RunState {
        phase: Phase::Emitting,
        outcome: Some(Outcome::Success),
        ..mutating(MutationStatus::Applied)
    };
    let producing = RunState::queued(HandlerKind::Producer).claim().unwrap().run;
    let preparing = RunState::queued(HandlerKind::Consumer).claim().unwrap().run;
    for (run, events) in [(past, 1), (producing, 1), (preparing, 0)] {
        let changes = failed(run, events);

        assert!(matches!(changes.workflow, WorkflowChange::Maintenance(_)), "{changes:?}");
        assert_eq!(changes.session, Some(SessionResult::Failed));
    }
}

#[test]
fn whatever_ends_a_run_whose_effect_is_uncertain_leaves_it_in_doubt() {
    let (backoff, policy) = (Backoff::default(), EventPolicy::default());
    let uncertain = MutationStatus::ALL.iter().filter(|status| status.is_uncertain());
    for (mutation, recourse) in
        uncertain.flat_map(|it| Recourse::ALL.iter().map(move |by| (*it, *by)))
    {
        let run = mutating(mutation);
        let suspects = suspects(&policy, 1);
        let context = StopContext {
            transient_failures: 0,
            backoff: &backoff,
            jitter_seed: 0,
            recourse,
            suspects,
        };
        let mut ends =
            vec![run.crash(recourse), run.doubt_mutation(&Failure::network("lost"), recourse)];
        ends.extend(
            FailureClass::ALL
                .iter()
                .map(|class| run.stop(None, &Failure::new(*class, "x"), context)),
        );
        for end in ends {
            let changes = end.unwrap();
            assert_eq!(
                (changes.run.status, changes.run.phase),
                (Status::PausedReconciliation, run.phase)
            );
            assert!(changes.run.is_uncertain() && changes.run.outcome.is_none(), "{changes:?}");
            assert_ne!(changes.run.mutation, Some(MutationStatus::InFlight), "somebody settles it");
            assert_eq!(changes.reservations, Reservations::Keep);
            assert_eq!(changes.pending_retry, PendingRetry::Set);
            assert!(
                matches!(changes.workflow, WorkflowChange::LookUp(_) | WorkflowChange::Block(_)),
                "{changes:?}"
            );
        }
    }
}

#[test]
fn only_a_run_that_stopped_after_its_effect_is_retried() {
    let outcomes = Outcome::ALL.iter().copied().map(Some).chain([None]);
    for (outcome, status) in
        outcomes.flat_map(|it| Status::ALL.iter().map(move |status| (it, *status)))
    {
        let run = RunState { status, outcome, ..mutating(MutationStatus::Applied) };
        let has_stopped = !matches!(status, Status::Queued | Status::Active | Status::Committed);
        let is_past =
            matches!(outcome, Some(Outcome::Success | Outcome::Skipped | Outcome::Refused));

        assert_eq!(run.retry().is_ok(), has_stopped && is_past, "{} {outcome:?}", status.to_text());
    }
}

#[test]
fn a_refusal_that_is_expected_goes_forward_and_consumes_its_events() {
    let refused = mutating(MutationStatus::InFlight).refuse_mutation().unwrap();

    assert_eq!(refused.run.outcome, Some(Outcome::Refused));
    assert_eq!(refused.run.mutation, Some(MutationStatus::Failed));
    assert_eq!((refused.run.status, refused.reservations), (Status::Active, Reservations::Keep));
    assert_eq!((&refused.workflow, refused.session), (&WorkflowChange::Keep, None));
    let crashed = refused.run.crash(Recourse::Ask).unwrap();
    assert_eq!(crashed.pending_retry, PendingRetry::Set, "it is not sent again");
    assert_eq!(crashed.run.retry().unwrap().phase, Phase::Emitting);
    assert_eq!(refused.run.commit().unwrap().reservations, Reservations::Consume);
    for status in [MutationStatus::Applied, MutationStatus::Indeterminate] {
        assert!(mutating(status).refuse_mutation().is_err(), "{status}");
    }
}
