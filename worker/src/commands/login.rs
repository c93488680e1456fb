//! `login`: a link that signs a person in to the pages, once.

use std::net::SocketAddr;

use serde::Serialize;
use windlass_api::service::{CredentialRequest, Service};
use windlass_core::{Actor, CredentialKind, Scope, Timestamp};

use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
pub(super) struct SignInLink {
    pub(super) url: String,
    expires_at: Timestamp,
    #[serde(skip)]
    serve: String,
}

pub(crate) async fn run(context: &Context) -> Result<ExitStatus> {
    let service = context.open_or_create().await?;
    let link = link(context, &service, context.settings.server.listen).await?;
    context.output.print(&link)?;
    Ok(ExitStatus::Done)
}

/// A new link to the server that listens on `address`.
pub(super) async fn link(
    context: &Context,
    service: &Service,
    address: SocketAddr,
) -> Result<SignInLink> {
    let made = service
        .create_credential(CredentialRequest {
            kind: CredentialKind::SignIn,
            name: format!("{} at the command line", context.actor),
            actor: Actor::User(context.actor.clone()),
            // Who can open the database may do everything anyway.
            workspace: None,
            scopes: [Scope::Admin].into_iter().collect(),
            lifetime: None,
        })
        .await?;
    Ok(SignInLink {
        url: context.settings.server.url(address, &format!("/sign-in?code={}", made.token)),
        expires_at: made.expires_at,
        serve: context.hint.command("serve"),
    })
}

impl Printable for SignInLink {
    fn write(&self, page: &mut TextPage) {
        page.line(&self.url);
        let until = page.time(self.expires_at);
        page.line(format_args!(
            "It signs you in once, until {until}, where `{}` runs.",
            self.serve
        ));
    }
}
