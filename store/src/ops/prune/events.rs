//! Old events and inputs, and the keys that they leave.

use std::collections::{HashMap, HashSet};

use diesel::dsl::{count_star, not};
use diesel::prelude::*;
use windlass_core::{EventId, EventStatus, InputId, RunId, WorkflowId};

use super::super::dialect::RunQueryDsl;
use super::super::{BATCH, Tx};
use super::{Mode, Step, cursor_after, old_records, references};
use crate::error::Result;
use crate::literals::IsOver;
use crate::params::{PruneCursor, PruneStep};
use crate::rows::{At, Db};
use crate::schema::{event_inputs, events, inputs, past_events, past_inputs, run_inputs};

/// Prunes consumed and skipped events.
pub(super) async fn events(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let found: Vec<(Db<EventId>, At, Db<WorkflowId>)> =
        old_records!(tx, step, events.updated_at where IsOver, events::workflow_id);
    let locked = step.lock(tx, found.iter().map(|(.., workflow)| *workflow)).await?;
    let free = found.iter().filter(|(.., workflow)| locked.contains(workflow));
    let ids: Vec<_> = free.map(|(id, ..)| *id).collect();
    if step.mode == Mode::Remove {
        for batch in ids.chunks(BATCH) {
            remove_events(tx, batch).await?;
        }
    }
    let last = found.last().and_then(|(id, at, _)| cursor_after(id, Some(*at)));
    Ok(step.pruned(ids.len(), found.len(), last))
}

async fn remove_events(tx: &Tx<'_>, ids: &[Db<EventId>]) -> Result<()> {
    // Consumed last: an input counts as skipped only if all its events were skipped.
    for status in [EventStatus::Skipped, EventStatus::Consumed] {
        let caused = event_inputs::table
            .inner_join(events::table)
            .filter(events::id.eq_any(ids).and(events::status.eq(Db(status))))
            .select(event_inputs::input_id);
        let open =
            inputs::past_status.is_null().or(inputs::past_status.ne(Db(EventStatus::Consumed)));
        diesel::update(inputs::table.filter(inputs::id.eq_any(caused)).filter(open))
            .set(inputs::past_status.eq(Some(Db(status))))
            .execute(tx.conn)
            .await?;
    }
    let names = events::table.filter(events::id.eq_any(ids)).select((
        events::topic_id,
        events::message_id,
        At(tx.now).into_sql::<diesel::sql_types::BigInt>(),
    ));
    diesel::insert_into(past_events::table)
        .values(names)
        .into_columns((past_events::topic_id, past_events::message_id, past_events::pruned_at))
        .execute(tx.conn)
        .await?;
    diesel::delete(event_inputs::table.filter(event_inputs::event_id.eq_any(ids)))
        .execute(tx.conn)
        .await?;
    diesel::delete(events::table.filter(events::id.eq_any(ids))).execute(tx.conn).await?;
    Ok(())
}

/// Id, time and workflow of an input, and the status that its pruned events left.
type OldInput = (Db<InputId>, At, Db<WorkflowId>, Option<Db<EventStatus>>);

/// Prunes inputs that had an event, and of which neither an event nor a run is kept.
pub(super) async fn inputs(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let found: Vec<OldInput> = old_records!(tx, step, inputs.created_at where inputs::id.is_not_null(),
                                    inputs::workflow_id, inputs::past_status);
    let locked = step.lock(tx, found.iter().map(|(_, _, workflow, _)| *workflow)).await?;
    let mut ids = Vec::new();
    for batch in found.chunks(BATCH) {
        let all: Vec<_> = batch.iter().map(|(id, ..)| *id).collect();
        let needed = needed(tx, step, &all).await?;
        let had_events = had_events(tx, step, &all).await?;
        let over = batch.iter().filter(|(id, _, workflow, past)| {
            let had_any = past.is_some() || had_events.contains(id);
            had_any && locked.contains(workflow) && !needed.contains(id)
        });
        let over: Vec<_> = over.map(|(id, ..)| *id).collect();
        if step.mode == Mode::Remove {
            remove_inputs(tx, &over).await?;
        }
        ids.extend(over);
    }
    let last = found.last().and_then(|(id, at, ..)| cursor_after(id, Some(*at)));
    Ok(step.pruned(ids.len(), found.len(), last))
}

/// The inputs that a kept event or run refers to.
async fn needed(tx: &Tx<'_>, step: &Step<'_>, ids: &[Db<InputId>]) -> Result<HashSet<Db<InputId>>> {
    let of_events = event_inputs::table
        .inner_join(events::table)
        .filter(event_inputs::input_id.eq_any(ids))
        .filter(not(IsOver.and(events::updated_at.le(step.removed.events))))
        .select(event_inputs::input_id)
        .distinct();
    let of_events: Vec<Db<InputId>> = of_events.load(tx.conn).await?;
    let mut needed: HashSet<_> = of_events.into_iter().collect();
    let of_runs = run_inputs::table
        .filter(run_inputs::input_id.eq_any(ids))
        .select((run_inputs::run_id, run_inputs::input_id));
    let of_runs: Vec<(Db<RunId>, Db<InputId>)> = of_runs.load(tx.conn).await?;
    let mut inputs_of: HashMap<Db<RunId>, Vec<Db<InputId>>> = HashMap::new();
    for (run, input) in of_runs {
        inputs_of.entry(run).or_default().push(input);
    }
    let runs: Vec<_> = inputs_of.keys().copied().collect();
    for run in references::kept_runs(tx, &step.removed, &runs).await? {
        needed.extend(inputs_of.remove(&run).unwrap_or_default());
    }
    Ok(needed)
}

/// The inputs whose events still exist but count as removed.
async fn had_events(
    tx: &Tx<'_>,
    step: &Step<'_>,
    ids: &[Db<InputId>],
) -> Result<HashSet<Db<InputId>>> {
    if step.mode == Mode::Remove {
        return Ok(HashSet::new());
    }
    let had = event_inputs::table
        .filter(event_inputs::input_id.eq_any(ids))
        .select(event_inputs::input_id)
        .distinct();
    let had: Vec<Db<InputId>> = had.load(tx.conn).await?;
    Ok(had.into_iter().collect())
}

async fn remove_inputs(tx: &Tx<'_>, ids: &[Db<InputId>]) -> Result<()> {
    let names = inputs::table.filter(inputs::id.eq_any(ids)).select((
        inputs::workflow_id,
        inputs::external_id,
        inputs::source,
        inputs::input_type,
    ));
    let names: Vec<(Db<WorkflowId>, String, String, String)> = names.load(tx.conn).await?;
    let rows: Vec<_> = names
        .into_iter()
        .map(|(workflow, external_id, source, input_type)| {
            (
                past_inputs::workflow_id.eq(workflow),
                past_inputs::external_id.eq(external_id),
                past_inputs::source.eq(source),
                past_inputs::input_type.eq(input_type),
                past_inputs::pruned_at.eq(At(tx.now)),
            )
        })
        .collect();
    // An input that was pruned, and registered again because it caused a new event, has left its key already.
    diesel::insert_into(past_inputs::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(tx.conn)
        .await?;
    diesel::delete(inputs::table.filter(inputs::id.eq_any(ids))).execute(tx.conn).await?;
    Ok(())
}

/// Prunes the keys of events and inputs that were pruned long ago.
pub(super) async fn keys(tx: &Tx<'_>, step: &Step<'_>) -> Result<PruneStep> {
    let mut count = 0;
    let mut next = None;
    macro_rules! prune_keys {
        ($table:ident) => {
            let old = || $table::table.filter($table::pruned_at.le(step.cutoff));
            if step.mode == Mode::Count {
                let all: i64 = old().select(count_star()).first(tx.conn).await?;
                count += usize::try_from(all).unwrap_or_default();
            } else {
                let some = old().order($table::pruned_at).limit(i64::from(step.params.limit));
                let some: Vec<At> = some.select($table::pruned_at).load(tx.conn).await?;
                if let Some(last) = some.last() {
                    // With all keys of the same time: one step has left only a few of them.
                    let until = $table::table.filter($table::pruned_at.le(*last));
                    count += diesel::delete(until).execute(tx.conn).await?;
                    next = Some(PruneCursor { at: last.0, id: String::new() });
                }
            }
        };
    }
    prune_keys!(past_events);
    prune_keys!(past_inputs);
    Ok(PruneStep { count: u64::try_from(count).unwrap_or(u64::MAX), next })
}
