//! What must hold after every step.

use std::collections::BTreeSet;

use windlass_core::{EventStatus, FailureClass, MutationStatus, NextStep, Outcome, Phase, Status};

use crate::invariants::command::Command;
use crate::invariants::world::{Event, Run, World};

type Broken = Result<(), String>;

/// Every invariant that a single step can break. Some compare the world with the one `before` the `command`.
pub(crate) fn all(before: &World, command: &Command, after: &World) -> Broken {
    at_most_one_run_is_open(after)?;
    phases_only_move_forward(before, after)?;
    committed_is_a_phase_and_a_status(after)?;
    every_reserved_event_has_an_owner_that_answers_for_it(after)?;
    a_run_has_at_most_one_ledger_row(after)?;
    no_effect_happens_twice(after)?;
    a_settled_mutation_stays_settled(before, after)?;
    state_is_written_by_commits_only(before, command, after)?;
    events_change_as_the_core_allows(before, after)?;
    publishing_again_changes_nothing(before, command, after)?;
    what_a_run_publishes_is_caused_by_all_it_reserved(after)?;
    an_idle_workflow_begins_nothing(before, command, after)?;
    only_the_person_moves_the_control(before, command, after)?;
    a_stop_keeps_or_releases_by_the_boundary(after)?;
    a_refused_request_has_no_effect_and_is_sent_no_more(before, after)?;
    an_open_session_has_an_open_run(after)?;
    a_trial_touches_one_event(after)?;
    a_failure_parks_at_most_one_event(before, command, after)?;
    every_stop_is_visible_or_continued(after)
}

fn holds(condition: bool, broken: impl FnOnce() -> String) -> Broken {
    if condition { Ok(()) } else { Err(broken()) }
}

fn at_most_one_run_is_open(world: &World) -> Broken {
    let open = world.runs.iter().filter(|run| run.state.status.is_open()).count();
    holds(open <= 1, || format!("{open} open runs"))
}

fn phases_only_move_forward(before: &World, after: &World) -> Broken {
    for old in &before.runs {
        let new = after.run(old.id).ok_or("a run vanished")?;
        holds(new.state.phase.order() >= old.state.phase.order(), || {
            format!("{} moved back", old.id)
        })?;
    }
    Ok(())
}

fn committed_is_a_phase_and_a_status(world: &World) -> Broken {
    let differs = |run: &&Run| {
        (run.state.status == Status::Committed) != (run.state.phase == Phase::Committed)
    };
    holds(!world.runs.iter().any(|run| differs(&run)), || "committed in one place only".to_owned())
}

fn every_reserved_event_has_an_owner_that_answers_for_it(world: &World) -> Broken {
    for event in world.events.iter().filter(|event| event.status == EventStatus::Reserved) {
        let owner = event
            .owner
            .and_then(|id| world.run(id))
            .ok_or_else(|| format!("no owner: {event:?}"))?;
        let answers = owner.state.status.is_open()
            || world.pending_retry == Some(owner.id)
            || owner.state.status == Status::PausedReconciliation;
        holds(answers, || format!("an event is stuck with {owner:?}"))?;
    }
    Ok(())
}

fn a_run_has_at_most_one_ledger_row(world: &World) -> Broken {
    holds(world.runs.iter().all(|run| run.ledger_rows <= 1), || "two ledger rows".to_owned())
}

fn no_effect_happens_twice(world: &World) -> Broken {
    let doubled: Vec<_> =
        world.effects_per_event().into_iter().filter(|(_, count)| *count > 1).collect();
    holds(doubled.is_empty(), || format!("effects happened twice: {doubled:?}"))
}

fn a_settled_mutation_stays_settled(before: &World, after: &World) -> Broken {
    let settled = [Some(MutationStatus::Applied), Some(MutationStatus::Failed)];
    for old in before.runs.iter().filter(|run| settled.contains(&run.state.mutation)) {
        let new = after.run(old.id).map(|run| run.state.mutation);
        holds(new == Some(old.state.mutation), || format!("{} was settled twice", old.id))?;
    }
    Ok(())
}

fn state_is_written_by_commits_only(before: &World, command: &Command, after: &World) -> Broken {
    let writes =
        |world: &World| world.consumers.iter().map(|consumer| consumer.state_writes).sum::<u32>();
    let may_write = matches!(command, Command::Commit { .. });
    holds(may_write || writes(before) == writes(after), || {
        "state changed without a commit".to_owned()
    })
}

fn events_change_as_the_core_allows(before: &World, after: &World) -> Broken {
    for (old, new) in before.events.iter().zip(&after.events) {
        let is_same =
            |old: &Event, new: &Event| (old.topic, old.message_id) == (new.topic, new.message_id);
        holds(is_same(old, new), || "an event vanished".to_owned())?;
        let legal = old.status == new.status || old.status.can_become(new.status);
        holds(legal, || format!("{:?} became {:?}", old.status, new.status))?;
        let is_release = old.status == EventStatus::Reserved
            && matches!(new.status, EventStatus::Pending | EventStatus::Parked);
        let is_replay = old.status == EventStatus::Consumed && new.status == EventStatus::Pending;
        holds(new.round() == old.round() + usize::from(is_replay), || {
            "rounds are miscounted".to_owned()
        })?;
        holds(new.attempt == old.attempt + u32::from(is_release || is_replay), || {
            "attempts are miscounted".to_owned()
        })?;
    }
    Ok(())
}

/// A poll that overlaps with the last one changes no event's status.
fn publishing_again_changes_nothing(before: &World, command: &Command, after: &World) -> Broken {
    let mut ids: Vec<_> =
        after.events.iter().map(|event| (event.topic, event.message_id)).collect();
    ids.sort_unstable();
    let n_events = ids.len();
    ids.dedup();
    holds(ids.len() == n_events, || "one message id stands for two events".to_owned())?;
    let Command::Commit { .. } = command else { return Ok(()) };
    let run = before.open_run().map(|run| run.id);
    for (old, new) in before.events.iter().zip(&after.events).filter(|(old, _)| old.owner != run) {
        holds((old.status, old.attempt) == (new.status, new.attempt), || {
            format!("published again, {old:?} became {new:?}")
        })?;
    }
    Ok(())
}

fn what_a_run_publishes_is_caused_by_all_it_reserved(world: &World) -> Broken {
    for event in world.events.iter().filter(|event| event.topic == 1) {
        let publisher = world.run(event.published_by).ok_or("nobody published an event")?;
        let chain = world.chain(publisher.id);
        let reserved = world.events.iter().filter(|it| it.was_of(&chain));
        let causes: BTreeSet<u32> = reserved.flat_map(|it| it.caused_by.iter().copied()).collect();
        holds(event.caused_by == causes, || {
            format!("caused by {:?}, but its run reserved {causes:?}", event.caused_by)
        })?;
    }
    Ok(())
}

/// If nothing is due, polling begins no run.
fn an_idle_workflow_begins_nothing(before: &World, command: &Command, after: &World) -> Broken {
    let looked = matches!(command, Command::Enqueue);
    let was_idle = !matches!(before.next_step(), NextStep::Run(_));
    holds(
        !(looked && was_idle)
            || (before.sessions, before.runs.len()) == (after.sessions, after.runs.len()),
        || "an idle workflow began a session".to_owned(),
    )
}

fn only_the_person_moves_the_control(before: &World, command: &Command, after: &World) -> Broken {
    let by_person = matches!(command, Command::Control { .. });
    holds(by_person || before.status == after.status, || {
        "the system moved the person's control".to_owned()
    })
}

fn a_stop_keeps_or_releases_by_the_boundary(world: &World) -> Broken {
    for run in world
        .runs
        .iter()
        .filter(|run| !run.state.status.is_open() && run.state.status != Status::Committed)
    {
        let reserved = world
            .events
            .iter()
            .filter(|e| e.owner == Some(run.id) && e.status == EventStatus::Reserved)
            .count();
        let is_past_effect = run.state.outcome.is_some_and(|outcome| outcome != Outcome::Failure);
        if !is_past_effect && !run.state.is_uncertain() {
            holds(reserved == 0, || {
                format!("stopped before its effect and keeps events: {run:?}")
            })?;
        } else {
            let is_continued = world.runs.iter().any(|later| later.retry_of == Some(run.id));
            let is_marked = world.pending_retry == Some(run.id);
            holds(is_marked != is_continued, || {
                format!("past its effect, and nobody continues it: {run:?}")
            })?;
        }
    }
    Ok(())
}

/// Its events go forward with the run: no other run is given them.
fn a_refused_request_has_no_effect_and_is_sent_no_more(before: &World, after: &World) -> Broken {
    for run in after.runs.iter().filter(|run| run.state.outcome == Some(Outcome::Refused)) {
        let mut effects = after.effects.iter();
        let happened = effects.any(|effect| effect.run == run.id);
        holds(!happened, || format!("refused, and yet it happened: {run:?}"))?;
        for (old, new) in before.events.iter().zip(&after.events) {
            let was_its = old.owner == Some(run.id) && old.status == EventStatus::Reserved;
            let goes_forward = matches!(new.status, EventStatus::Reserved | EventStatus::Consumed);
            holds(!was_its || goes_forward, || format!("given back after a refusal: {new:?}"))?;
        }
    }
    Ok(())
}

fn an_open_session_has_an_open_run(world: &World) -> Broken {
    holds(!world.open_session || world.open_run().is_some(), || {
        "a session is open without a run".to_owned()
    })
}

fn a_trial_touches_one_event(world: &World) -> Broken {
    for run in &world.runs {
        let Some((tried, _)) = run.trial else { continue };
        let mut owned = world.events.iter().filter(|event| event.owner == Some(run.id));
        holds(owned.all(|event| event.key() == tried), || {
            format!("a trial took another event: {run:?}")
        })?;
    }
    Ok(())
}

/// A failure of class logic parks no event beside the one that it is about. A lost run may park all that it had.
fn a_failure_parks_at_most_one_event(before: &World, command: &Command, after: &World) -> Broken {
    let (Command::Stop { class: FailureClass::Logic, .. }
    | Command::Fail { class: FailureClass::Logic }) = command
    else {
        return Ok(());
    };
    let n_parked = |world: &World| {
        world.events.iter().filter(|event| event.status == EventStatus::Parked).count()
    };
    holds(n_parked(after) <= n_parked(before) + 1, || "one failure parked several".to_owned())
}

/// If work is left, a run is open, a time is set, or a person is asked.
fn every_stop_is_visible_or_continued(world: &World) -> Broken {
    let work_is_left =
        world.pending_retry.is_some() || world.events.iter().any(|event| event.status.is_open());
    let asks_person = world.error.is_some()
        || world.maintenance
        || world.status != windlass_core::WorkflowStatus::Active;
    let goes_on = world.open_run().is_some() || world.next_step() != NextStep::Idle;
    holds(!work_is_left || asks_person || goes_on, || {
        "work is left, and nothing brings it on".to_owned()
    })
}
