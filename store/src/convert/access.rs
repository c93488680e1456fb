//! Converts the rows of what callers from outside show.

use windlass_core::CredentialTimes;

use super::{instant, value};
use crate::model::Credential;
use crate::rows::CredentialRow;

impl From<CredentialRow> for Credential {
    fn from(row: CredentialRow) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind.0,
            name: row.name,
            actor: row.actor.0,
            workspace_id: value(row.workspace_id),
            scopes: row.scopes.0,
            created_by: row.created_by,
            times: CredentialTimes {
                created_at: row.created_at.0,
                expires_at: row.expires_at.0,
                last_used_at: instant(row.last_used_at),
                ended_at: instant(row.ended_at),
            },
            ended_by: row.ended_by,
        }
    }
}
