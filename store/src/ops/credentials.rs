//! Credentials: they are made, used, redeemed and ended, and removed long after they are over.

use std::time::Duration;

use diesel::prelude::*;
use serde_json::json;
use windlass_core::{CredentialId, CredentialKind, Text as _};

use super::dialect::{self, Conn, RunQueryDsl};
use super::journal::{self, Entry};
use super::reads::credentials::{of_digest, of_id};
use super::{Operation, Staged, Tx, workspace};
use crate::cached::CacheStatement;
use crate::error::{Result, StoreError};
use crate::model::{Credential, GoodCredential};
use crate::params::{CreateCredential, EndCredential, RedeemSignIn};
use crate::rows::{At, CredentialRow, Db, storable};
use crate::schema::credentials;

/// How long a credential is kept after it ended or expired.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How many credentials are removed at a time.
const REMOVED_AT_ONCE: u32 = 100;

impl Operation for CreateCredential {
    type Output = Credential;

    async fn run(self, tx: &Tx<'_>) -> Result<Credential> {
        self.scopes.check_for(&self.actor)?;
        if let Some(workspace) = self.workspace {
            let name = workspace::name(tx.conn, workspace).await?;
            name.ok_or_else(|| StoreError::not_found("workspace", &workspace))?;
        }
        let wanted = CredentialRow {
            id: Db(tx.mint()),
            kind: Db(self.kind),
            name: storable(self.name),
            actor: Db(self.actor),
            scopes: Db(self.scopes),
            workspace_id: self.workspace.map(Db),
            digest: self.digest,
            created_by: self.created_by,
            created_at: At(tx.now),
            expires_at: At(tx.now.after(self.lifetime)),
            last_used_at: None,
            ended_at: None,
            ended_by: None,
        };
        if !insert(tx, &wanted).await? {
            return made_before(tx, &wanted).await;
        }
        let entry = Entry::by(&wanted.created_by, "credential.created", &wanted.id.0);
        write_down(tx, &wanted, entry).await?;
        remove_over(tx).await?;
        Ok(wanted.into())
    }
}

/// Inserts a credential, unless there is one of the same secret.
async fn insert(tx: &Tx<'_>, row: &CredentialRow) -> Result<bool> {
    let inserted = diesel::insert_into(credentials::table)
        .values(row)
        .on_conflict(credentials::digest)
        .do_nothing()
        .execute(tx.conn)
        .await?;
    Ok(inserted > 0)
}

/// The credential that the same call has made before.
async fn made_before(tx: &Tx<'_>, wanted: &CredentialRow) -> Result<Credential> {
    let found = of_digest(tx.conn, &wanted.digest).await?;
    let found = found.filter(|found| found.created_by == wanted.created_by);
    let found = found.filter(|found| found.kind == wanted.kind && is_alike(found, wanted));
    found.map(Credential::from).ok_or_else(|| in_use(&wanted.name))
}

/// Whether two credentials let the same holder do the same.
fn is_alike(one: &CredentialRow, other: &CredentialRow) -> bool {
    one.name == other.name
        && one.actor == other.actor
        && one.scopes == other.scopes
        && one.workspace_id == other.workspace_id
}

fn in_use(name: &str) -> StoreError {
    StoreError::NotNow {
        what: format!("the secret of `{name}` belongs to another credential"),
        hint: "make another secret".to_owned(),
    }
}

/// Adds an entry to the journal of the credential's workspace, with what the credential is. The whole instance has no journal.
async fn write_down(tx: &Tx<'_>, row: &CredentialRow, entry: Entry<'_>) -> Result<()> {
    let Some(workspace) = row.workspace_id else { return Ok(()) };
    let details = json!({
        "id": row.id.0,
        "kind": row.kind.0,
        "name": row.name,
        "actor": row.actor.0,
        "scopes": row.scopes.0,
    });
    journal::add_to_workspace(tx, workspace, entry.with(details)).await
}

/// Removes some of the credentials that have long been over.
async fn remove_over(tx: &Tx<'_>) -> Result<()> {
    let before = tx.now.before(KEPT);
    let over = dialect::lock_over_credentials(tx.conn, before, REMOVED_AT_ONCE).await?;
    if !over.is_empty() {
        let over = credentials::table.filter(credentials::id.eq_any(over));
        diesel::delete(over).execute(tx.conn).await?;
    }
    Ok(())
}

/// The credential of a digest, if it is good. Its row does not depend on the time, so it is read together with it.
#[derive(Clone)]
pub(in super::super) struct FindCredential {
    pub(in super::super) digest: String,
}

impl Staged for FindCredential {
    type Output = Option<GoodCredential>;
    type Preloaded = Option<CredentialRow>;

    async fn preload(&self, conn: &Conn) -> Result<Option<CredentialRow>> {
        of_digest(conn, &self.digest).await
    }

    async fn execute(
        self,
        tx: &Tx<'_>,
        found: Option<CredentialRow>,
    ) -> Result<Option<GoodCredential>> {
        let good = found.map(Credential::from).filter(|credential| credential.is_good(tx.now));
        let with_use = |credential: Credential| {
            let is_stale = credential.times.are_stale(tx.now);
            GoodCredential { credential, is_stale }
        };
        Ok(good.map(with_use))
    }
}

/// Notes that a credential is used now.
#[derive(Clone)]
pub(in super::super) struct NoteUse {
    pub(in super::super) credential: CredentialId,
}

impl Operation for NoteUse {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let found = of_id(tx.conn, None, self.credential).await?.map(Credential::from);
        let is_due = found.is_some_and(|it| it.is_good(tx.now) && it.times.are_stale(tx.now));
        if !is_due {
            return Ok(());
        }
        diesel::update(credentials::table.find(Db(self.credential)))
            .set(credentials::last_used_at.eq(At(tx.now)))
            .cached()
            .execute(tx.conn)
            .await
    }
}

impl Operation for RedeemSignIn {
    type Output = Option<Credential>;

    async fn run(self, tx: &Tx<'_>) -> Result<Option<Credential>> {
        let Some(link) = of_digest(tx.conn, &self.digest).await? else { return Ok(None) };
        let is_good = Credential::from(link.clone()).is_good(tx.now);
        let actor = link.actor.0.to_text();
        if link.kind.0 != CredentialKind::SignIn || !is_good || !end(tx, link.id.0, &actor).await? {
            return redeemed_before(tx, &self).await;
        }
        let browser = CredentialRow {
            id: Db(tx.mint()),
            kind: Db(CredentialKind::Browser),
            digest: self.browser_digest,
            created_by: actor.clone(),
            created_at: At(tx.now),
            expires_at: At(tx.now.after(self.lifetime)),
            last_used_at: None,
            ..link
        };
        if !insert(tx, &browser).await? {
            return Err(in_use(&browser.name));
        }
        let entry = Entry::by(&actor, "credential.redeemed", &link.id.0);
        write_down(tx, &browser, entry).await?;
        Ok(Some(browser.into()))
    }
}

/// The browser's credential that the same call has made before: it was made when the link was used up, and of the link.
async fn redeemed_before(tx: &Tx<'_>, redeem: &RedeemSignIn) -> Result<Option<Credential>> {
    let link = of_digest(tx.conn, &redeem.digest).await?;
    let browser = of_digest(tx.conn, &redeem.browser_digest).await?;
    let Some((link, browser)) = link.zip(browser) else { return Ok(None) };
    let is_redeemed =
        link.kind.0 == CredentialKind::SignIn && link.ended_at == Some(browser.created_at);
    let is_of_link = browser.kind.0 == CredentialKind::Browser && is_alike(&link, &browser);
    Ok((is_redeemed && is_of_link).then(|| browser.into()))
}

impl Operation for EndCredential {
    type Output = Credential;

    async fn run(self, tx: &Tx<'_>) -> Result<Credential> {
        let missing = || StoreError::not_found("credential", &self.credential);
        let found = of_id(tx.conn, self.workspace, self.credential).await?.ok_or_else(missing)?;
        if end(tx, found.id.0, &self.actor).await? {
            let entry = Entry::by(&self.actor, "credential.ended", &found.id.0);
            write_down(tx, &found, entry).await?;
        }
        let ended = of_id(tx.conn, self.workspace, self.credential).await?.ok_or_else(missing)?;
        Ok(ended.into())
    }
}

/// Ends a credential that has not ended; the second of two who try at once ends nothing.
async fn end(tx: &Tx<'_>, credential: CredentialId, actor: &str) -> Result<bool> {
    let open = credentials::table
        .filter(credentials::id.eq(Db(credential)).and(credentials::ended_at.is_null()));
    let ended = diesel::update(open)
        .set((credentials::ended_at.eq(At(tx.now)), credentials::ended_by.eq(actor)))
        .execute(tx.conn)
        .await?;
    Ok(ended > 0)
}
