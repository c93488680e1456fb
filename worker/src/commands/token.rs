//! `token`: makes, lists and ends the tokens of programs.

use std::time::Duration;

use serde::Serialize;
use windlass_api::service::{CredentialRequest, NewCredential};
use windlass_core::{Actor, CredentialId, CredentialKind};
use windlass_store::{Credential, EndCredential, Page};

use crate::cli::{TokenCommand, TokenCreate};
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

/// How many are listed.
const LISTED: u32 = 1_000;

pub(crate) async fn run(context: &Context, command: TokenCommand) -> Result<ExitStatus> {
    match command {
        TokenCommand::Create(args) => create(context, args).await,
        TokenCommand::List => list(context).await,
        TokenCommand::Revoke { id } => revoke(context, id).await,
    }
}

async fn create(context: &Context, args: TokenCreate) -> Result<ExitStatus> {
    let service = context.open_or_create().await?;
    let person = || Actor::User(context.actor.clone());
    let request = CredentialRequest {
        kind: CredentialKind::Token,
        name: args.name,
        actor: args.agent.map_or_else(person, Actor::Agent),
        workspace: context.global.workspace.as_ref().map(|_| service.workspace),
        scopes: args.scopes.into_iter().collect(),
        lifetime: Some(Duration::from_secs(u64::from(args.days) * 24 * 60 * 60)),
    };
    let made = service.create_credential(request).await?;
    context.output.print(&NewToken(made))?;
    Ok(ExitStatus::Done)
}

async fn list(context: &Context) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let workspace = context.global.workspace.as_ref().map(|_| service.workspace);
    let listed = service.store.credentials(workspace, Page::first(LISTED)).await?;
    context.output.print(&Credentials(listed.items))?;
    Ok(ExitStatus::Done)
}

async fn revoke(context: &Context, credential: CredentialId) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let workspace = context.global.workspace.as_ref().map(|_| service.workspace);
    let ended = service
        .store
        .end_credential(EndCredential { workspace, credential, actor: context.actor.clone() })
        .await?;
    context.output.print(&Ended(ended))?;
    Ok(ExitStatus::Done)
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct NewToken(NewCredential);

impl Printable for NewToken {
    fn write(&self, page: &mut TextPage) {
        let Self(made) = self;
        page.line(&made.token);
        let until = page.time(made.expires_at);
        page.line(format_args!(
            "Token {} ({}) is good until {until}. It is not shown again.",
            made.id, made.scopes
        ));
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Credentials(Vec<Credential>);

impl Printable for Credentials {
    fn write(&self, page: &mut TextPage) {
        let rows = self.0.iter().map(|it| {
            [
                it.id.to_string(),
                it.kind.to_string(),
                it.name.clone(),
                it.actor.to_string(),
                it.scopes.to_string(),
                page.time(it.times.expires_at),
                it.times.last_used_at.map_or_else(|| "-".to_owned(), |at| page.distance(at)),
                it.times.ended_at.map_or_else(|| "-".to_owned(), |at| page.distance(at)),
            ]
        });
        let rows = rows.collect();
        page.table(["ID", "KIND", "NAME", "FOR", "MAY", "UNTIL", "USED", "ENDED"], rows);
    }
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Ended(Credential);

impl Printable for Ended {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!("`{}` is good no longer.", self.0.name));
    }
}
