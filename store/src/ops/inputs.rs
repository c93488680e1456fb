//! The input ledger: the outside things that cause work, each registered once.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use windlass_core::InputId;

use super::dialect::RunQueryDsl;
use super::locked_run::LockedRun;
use super::{BATCH, Tx};
use crate::error::{Result, StoreError};
use crate::params::{NewEvent, NewInput};
use crate::rows::{At, Db, InputRow, storable};
use crate::schema::{inputs, past_inputs};

/// Maps each id that the script was given to the id in the ledger: an existing input keeps its own id and title.
pub(super) struct Registered(HashMap<InputId, InputId>);

/// Registers the inputs that the workflow does not have yet.
pub(super) async fn register(
    tx: &Tx<'_>,
    locked: &LockedRun,
    wanted: Vec<NewInput>,
) -> Result<Registered> {
    let wanted: Vec<NewInput> = wanted.into_iter().map(storable_input).collect();
    let mut ids = HashMap::with_capacity(wanted.len());
    for batch in wanted.chunks(BATCH) {
        let rows: Vec<InputRow> = batch.iter().map(|input| row(tx, locked, input)).collect();
        diesel::insert_into(inputs::table)
            .values(&rows)
            .on_conflict((
                inputs::workflow_id,
                inputs::source,
                inputs::input_type,
                inputs::external_id,
            ))
            .do_nothing()
            .execute(tx.conn)
            .await?;
        let registered = registered(tx, locked, batch).await?;
        for input in batch {
            let id = registered
                .get(&natural_key(input))
                .ok_or_else(|| StoreError::not_found("input", &input.id))?;
            ids.insert(input.id, *id);
        }
    }
    Ok(Registered(ids))
}

/// Drops inputs that were pruned already and that cause no new event.
pub(super) async fn drop_unused_inputs(
    tx: &Tx<'_>,
    locked: &LockedRun,
    wanted: Vec<NewInput>,
    events: &[NewEvent],
) -> Result<Vec<NewInput>> {
    let causes: HashSet<InputId> =
        events.iter().flat_map(|event| event.caused_by.iter().copied()).collect();
    let (mut needed, others): (Vec<_>, Vec<_>) =
        wanted.into_iter().map(storable_input).partition(|input| causes.contains(&input.id));
    for batch in others.chunks(BATCH) {
        let names = batch.iter().map(|input| &input.external_id);
        let past = past_inputs::table
            .filter(past_inputs::workflow_id.eq(locked.workflow.id))
            .filter(past_inputs::external_id.eq_any(names))
            .select((past_inputs::source, past_inputs::input_type, past_inputs::external_id));
        let past: Vec<NaturalKey> = past.load(tx.conn).await?;
        let past: HashSet<NaturalKey> = past.into_iter().collect();
        needed.extend(batch.iter().filter(|input| !past.contains(&natural_key(input))).cloned());
    }
    Ok(needed)
}

fn natural_key(input: &NewInput) -> NaturalKey {
    (input.source.clone(), input.input_type.clone(), input.external_id.clone())
}

impl Registered {
    /// Replaces the ids that the script was given by those in the ledger.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where an event names an input that the workflow does not have.
    pub(super) async fn translate(
        &mut self,
        tx: &Tx<'_>,
        locked: &LockedRun,
        events: &mut [NewEvent],
    ) -> Result<()> {
        for cause in events.iter_mut().flat_map(|event| &mut event.caused_by) {
            if !self.0.contains_key(cause) {
                self.0.insert(*cause, existing(tx, locked, *cause).await?);
            }
            *cause = self.0.get(cause).copied().unwrap_or(*cause);
        }
        Ok(())
    }
}

fn storable_input(input: NewInput) -> NewInput {
    NewInput {
        id: input.id,
        source: storable(input.source),
        input_type: storable(input.input_type),
        external_id: storable(input.external_id),
        title: storable(input.title),
    }
}

fn row(tx: &Tx<'_>, locked: &LockedRun, input: &NewInput) -> InputRow {
    InputRow {
        id: Db(input.id),
        workflow_id: locked.workflow.id,
        source: input.source.clone(),
        input_type: input.input_type.clone(),
        external_id: input.external_id.clone(),
        title: input.title.clone(),
        created_by_run_id: Some(locked.run.id),
        past_status: None,
        created_at: At(tx.now),
    }
}

type NaturalKey = (String, String, String);

async fn registered(
    tx: &Tx<'_>,
    locked: &LockedRun,
    batch: &[NewInput],
) -> Result<HashMap<NaturalKey, InputId>> {
    // By all columns of the key, or else every input of the workflow is read. It may find more inputs than those of the batch.
    let sources: BTreeSet<&String> = batch.iter().map(|input| &input.source).collect();
    let types: BTreeSet<&String> = batch.iter().map(|input| &input.input_type).collect();
    let names = batch.iter().map(|input| &input.external_id);
    let found = InputRow::query()
        .filter(inputs::workflow_id.eq(locked.workflow.id))
        .filter(inputs::source.eq_any(sources))
        .filter(inputs::input_type.eq_any(types))
        .filter(inputs::external_id.eq_any(names));
    let found: Vec<InputRow> = found.load(tx.conn).await?;
    Ok(found
        .into_iter()
        .map(|row| ((row.source, row.input_type, row.external_id), row.id.0))
        .collect())
}

async fn existing(tx: &Tx<'_>, locked: &LockedRun, input: InputId) -> Result<InputId> {
    let its_own = inputs::table
        .filter(inputs::id.eq(Db(input)).and(inputs::workflow_id.eq(locked.workflow.id)))
        .select(inputs::id);
    let found: Option<Db<InputId>> = its_own.optional(tx.conn).await?;
    found.map(|Db(id)| id).ok_or_else(|| StoreError::not_found("input", &input))
}
