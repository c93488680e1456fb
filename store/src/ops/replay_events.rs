//! A person has consumed events processed once more.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{EventId, EventStatus, MutationId, MutationStatus, RunId, Trial};

use super::advance::advance_workflow;
use super::dialect::RunQueryDsl;
use super::journal::{self, Entry};
use super::publish::mark_work;
use super::reads::rounds::{chosen, rounds};
use super::{BATCH, Operation, Tx};
use crate::error::{Result, StoreError};
use crate::model::{EventRounds, Round, SettledEvents};
use crate::params::{ReplayEvents, ReplaySelection};
use crate::rows::{At, Db, EventRoundRow, EventRow};
use crate::schema::{event_rounds, events, mutations};

impl Operation for ReplayEvents {
    type Output = SettledEvents;

    async fn run(self, tx: &Tx<'_>) -> Result<SettledEvents> {
        let (workflow, _) = chosen(tx.conn, self.workspace, self.selection).await?;
        let workflow = tx.lock(self.workspace, workflow).await?;
        // Read again under the lock: they may have changed.
        let found = rounds(tx.conn, self.workspace, self.selection).await?;
        let (consumed, left): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|it| it.event.status == EventStatus::Consumed);
        if consumed.is_empty() {
            return Err(none_is_consumed(self.selection, &left));
        }
        require_known(tx, &self, &consumed).await?;
        let ids: Vec<_> = consumed.iter().map(|it| Db(it.event.id)).collect();
        begin_rounds(tx, &ids).await?;
        for EventRounds { event, rounds } in &consumed {
            let details = json!({ "round": event.round + 1, "effects": effects(rounds) });
            let entry = Entry::by(&self.actor, "event.replayed", &event.id)
                .because(Some(self.reason.clone()))
                .with(details);
            journal::add(tx, &workflow, entry).await?;
        }
        let topics: BTreeSet<_> = consumed.iter().map(|it| it.event.topic.clone()).collect();
        mark_work(tx, workflow.id.0, &Vec::from_iter(topics)).await?;
        advance_workflow(tx, workflow).await?;
        Ok(SettledEvents { settled: consumed.len(), left: left.len() })
    }
}

fn none_is_consumed(selection: ReplaySelection, left: &[EventRounds]) -> StoreError {
    let only = "only consumed events are replayed";
    let (what, hint) = match (selection, left) {
        (ReplaySelection::Event(_), [EventRounds { event, .. }]) => (
            format!("`{}` is {}, and {only}", event.id, event.status),
            event.status.instead_of_replay().unwrap_or(only),
        ),
        (ReplaySelection::Event(event), _) => (format!("`{event}` is gone"), only),
        (ReplaySelection::Input(input), _) => {
            (format!("no event that `{input}` caused is consumed"), only)
        }
    };
    StoreError::NotNow { what, hint: hint.to_owned() }
}

fn effects(rounds: &[Round]) -> Vec<MutationId> {
    rounds.iter().filter_map(|round| round.mutation_id).collect()
}

/// Refuses where an earlier round has had an effect that the person does not know of.
async fn require_known(tx: &Tx<'_>, params: &ReplayEvents, consumed: &[EventRounds]) -> Result<()> {
    let made: BTreeSet<_> = consumed.iter().flat_map(|it| effects(&it.rounds)).collect();
    let unknown: Vec<_> =
        made.into_iter().filter(|id| !params.known_effects.contains(id)).map(Db).collect();
    for batch in unknown.chunks(BATCH) {
        let applied = mutations::table
            .filter(mutations::id.eq_any(batch))
            .filter(mutations::status.eq(Db(MutationStatus::Applied)))
            .order(mutations::id)
            .select(mutations::id);
        let applied: Option<Db<MutationId>> = applied.optional(tx.conn).await?;
        if let Some(Db(mutation)) = applied {
            return Err(StoreError::NotNow {
                what: format!("`{mutation}` has happened, and a replay lets it happen again"),
                hint: "look at it with `show`, then replay with `--repeat-effects`".to_owned(),
            });
        }
    }
    Ok(())
}

/// Keeps the rounds that these consumed events have behind them, and makes the events pending in their next round.
async fn begin_rounds(tx: &Tx<'_>, ids: &[Db<EventId>]) -> Result<()> {
    for batch in ids.chunks(BATCH) {
        let rows: Vec<EventRow> =
            EventRow::query().filter(events::id.eq_any(batch)).load(tx.conn).await?;
        let ended = rows.into_iter().filter_map(|event| {
            let (event_id, round, ended_at) = (event.id, event.round, event.updated_at);
            event.reserved_by_run_id.map(|run_id| EventRoundRow {
                event_id,
                round,
                run_id,
                ended_at,
            })
        });
        let ended: Vec<_> = ended.collect();
        insert_all!(tx, event_rounds::table, ended);
        diesel::update(events::table.filter(events::id.eq_any(batch)))
            .set((
                events::status.eq(Db(EventStatus::Pending)),
                events::reserved_by_run_id.eq(None::<Db<RunId>>),
                events::round.eq(events::round + 1),
                events::attempt_number.eq(events::attempt_number + 1),
                events::blamed.eq(0),
                events::suspected_in.eq(None::<Db<Trial>>),
                events::passed.eq(None::<Db<Trial>>),
                events::updated_at.eq(At(tx.now)),
            ))
            .execute(tx.conn)
            .await?;
    }
    Ok(())
}
