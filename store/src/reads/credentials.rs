//! Credentials.

use diesel::prelude::*;
use windlass_core::{CredentialId, WorkspaceId};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::keyset::CredentialsBefore;
use crate::model::Credential;
use crate::page::{CredentialCursor, Listed, Page, Position};
use crate::rows::{CredentialRow, Db};
use crate::schema::credentials;

/// The credential of a secret, good or not.
pub(in super::super) async fn of_digest(
    conn: &Conn,
    digest: &str,
) -> Result<Option<CredentialRow>> {
    CredentialRow::query().filter(credentials::digest.eq(digest)).optional(conn).await
}

/// A credential of a workspace, or any.
pub(in super::super) async fn of_id(
    conn: &Conn,
    workspace: Option<WorkspaceId>,
    credential: CredentialId,
) -> Result<Option<CredentialRow>> {
    let mut query = CredentialRow::query().filter(credentials::id.eq(Db(credential))).into_boxed();
    if let Some(workspace) = workspace {
        query = query.filter(credentials::workspace_id.eq(Db(workspace)));
    }
    query.optional(conn).await
}

/// The credentials of a workspace, or all, newest first.
pub(in super::super) async fn credentials(
    conn: &Conn,
    workspace: Option<WorkspaceId>,
    page: Page<CredentialCursor>,
) -> Result<Listed<Credential, CredentialCursor>> {
    let mut query = CredentialRow::query()
        .order((credentials::created_at.desc(), credentials::id.desc()))
        .limit(page.n_rows())
        .into_boxed();
    if let Some(workspace) = workspace {
        query = query.filter(credentials::workspace_id.eq(Db(workspace)));
    }
    if let Some(after) = &page.after {
        query = query.filter(CredentialsBefore::from(after));
    }
    let rows: Vec<CredentialRow> = query.load(conn).await?;
    let position = |row: &CredentialRow| Position { at: row.created_at.0, id: row.id.0 };
    Ok(page.of(rows, position, Credential::from))
}
