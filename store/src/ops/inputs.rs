//! The input ledger: the outside things that cause work, each entered once.

use std::collections::HashMap;

use diesel::prelude::*;
use windlass_core::InputId;

use super::dialect::RunQueryDsl;
use super::held::Held;
use super::{BATCH, Tx};
use crate::error::{Result, StoreError};
use crate::params::{NewEvent, NewInput};
use crate::rows::{At, Db, InputRow, storable};
use crate::schema::inputs;

/// Which input each id stands for that the script was given: an entry that was there before keeps its own id and title.
pub(super) struct Registered(HashMap<InputId, InputId>);

/// Enters the inputs that the workflow does not have yet.
pub(super) async fn register(
    tx: &mut Tx<'_>,
    held: &Held,
    wanted: Vec<NewInput>,
) -> Result<Registered> {
    let wanted: Vec<NewInput> = wanted.into_iter().map(storable_input).collect();
    let mut ids = HashMap::with_capacity(wanted.len());
    for batch in wanted.chunks(BATCH) {
        let rows: Vec<InputRow> = batch.iter().map(|input| row(tx, held, input)).collect();
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
        let entered = entered(tx, held, batch).await?;
        for input in batch {
            let key = (input.source.clone(), input.input_type.clone(), input.external_id.clone());
            let id = entered.get(&key).ok_or_else(|| StoreError::not_found("input", &input.id))?;
            ids.insert(input.id, *id);
        }
    }
    Ok(Registered(ids))
}

impl Registered {
    /// Replaces the ids that the script was given by those that count.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where an event names an input that the workflow does not have.
    pub(super) async fn translate(
        &mut self,
        tx: &mut Tx<'_>,
        held: &Held,
        events: &mut [NewEvent],
    ) -> Result<()> {
        for cause in events.iter_mut().flat_map(|event| &mut event.caused_by) {
            if !self.0.contains_key(cause) {
                self.0.insert(*cause, existing(tx, held, *cause).await?);
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

fn row(tx: &Tx<'_>, held: &Held, input: &NewInput) -> InputRow {
    InputRow {
        id: Db(input.id),
        workflow_id: held.workflow.id,
        source: input.source.clone(),
        input_type: input.input_type.clone(),
        external_id: input.external_id.clone(),
        title: input.title.clone(),
        created_by_run_id: held.run.id,
        created_at: At(tx.now),
    }
}

type NaturalKey = (String, String, String);

async fn entered(
    tx: &mut Tx<'_>,
    held: &Held,
    batch: &[NewInput],
) -> Result<HashMap<NaturalKey, InputId>> {
    let names = batch.iter().map(|input| &input.external_id);
    let found = InputRow::query()
        .filter(inputs::workflow_id.eq(held.workflow.id).and(inputs::external_id.eq_any(names)));
    let found: Vec<InputRow> = found.load(tx.conn).await?;
    Ok(found
        .into_iter()
        .map(|row| ((row.source, row.input_type, row.external_id), row.id.0))
        .collect())
}

async fn existing(tx: &mut Tx<'_>, held: &Held, input: InputId) -> Result<InputId> {
    let its_own = inputs::table
        .filter(inputs::id.eq(Db(input)).and(inputs::workflow_id.eq(held.workflow.id)))
        .select(inputs::id);
    let found: Option<Db<InputId>> = its_own.first(tx.conn).await.optional()?;
    found.map(|Db(id)| id).ok_or_else(|| StoreError::not_found("input", &input))
}
