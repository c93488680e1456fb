//! Notes of agents about a run, which may be over.

use diesel::prelude::*;
use serde_json::{Value, json};

use super::super::dialect::RunQueryDsl;
use super::super::{Operation, Tx};
use super::{advance, journal, load};
use crate::error::Result;
use crate::model::JournalEntry;
use crate::params::{AddNote, NoteKind};
use crate::rows::JournalRow;
use crate::schema::journal as entries;

impl Operation for AddNote {
    type Output = JournalEntry;

    async fn run(self, tx: &Tx<'_>) -> Result<JournalEntry> {
        let mut locked = load::lock(tx, self.workspace, self.session).await?;
        if let Some(node) = &self.node {
            locked.position(node)?;
        }
        let (action, mut details) = match self.kind {
            NoteKind::Decision => {
                ("decision.recorded", json!({ "action": "continue", "reason": self.reason }))
            }
            NoteKind::Action => ("action.taken", json!({ "description": self.reason })),
        };
        if let Some(fields) = details.as_object_mut() {
            if let Some(node) = &self.node {
                fields.insert("nodeId".to_owned(), json!(node));
            }
            if let Value::Object(more) = self.details {
                fields.extend(more);
            } else if !self.details.is_null() {
                fields.insert("details".to_owned(), self.details);
            }
            fields.insert("message".to_owned(), json!(self.reason));
        }
        journal::add(tx, &mut locked, (action, &self.actor), Some(self.reason), details);
        let id = locked.entries.last().map(|entry| entry.id);
        advance::save(tx, &mut locked, "noted").await?;
        let row = JournalRow::query().filter(entries::id.nullable().eq(id));
        let row: JournalRow = row.first(tx.conn).await?;
        Ok(row.into())
    }
}
