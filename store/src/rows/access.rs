//! The rows of what callers from outside show.

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sqlite::Sqlite;
use windlass_core::{Actor, CredentialId, CredentialKind, Scopes, WorkspaceId};

use super::declare::rows;
use super::{At, Db};
use crate::schema::credentials;

rows! {
    /// A credential.
    credentials: CredentialRow {
        id: Db<CredentialId>,
        kind: Db<CredentialKind>,
        name: String,
        actor: Db<Actor>,
        scopes: Db<Scopes>,
        workspace_id: Option<Db<WorkspaceId>>,
        digest: String,
        created_by: String,
        created_at: At,
        expires_at: At,
        last_used_at: Option<At>,
        ended_at: Option<At>,
        ended_by: Option<String>,
    }
}
