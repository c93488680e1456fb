use super::*;
use crate::failure::{Failure, FailureClass};
use crate::mutation::{MutationStatus, Outcome, Recourse};
use crate::retry::Backoff;
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

#[test]
fn whatever_ends_a_run_whose_effect_is_uncertain_leaves_it_in_doubt() {
    let backoff = Backoff::default();
    let uncertain = MutationStatus::ALL.iter().filter(|status| status.is_uncertain());
    for (mutation, recourse) in
        uncertain.flat_map(|it| Recourse::ALL.iter().map(move |by| (*it, *by)))
    {
        let run = mutating(mutation);
        let context =
            StopContext { transient_failures: 0, backoff: &backoff, jitter_seed: 0, recourse };
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
        let is_past = matches!(outcome, Some(Outcome::Success | Outcome::Skipped));

        assert_eq!(run.retry().is_ok(), has_stopped && is_past, "{} {outcome:?}", status.to_text());
    }
}
