//! `login`: a link that signs a person in to the pages, once.

use serde::Serialize;
use windlass_api::service::CredentialRequest;
use windlass_core::{Actor, CredentialKind, Scope, Timestamp};

use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
struct SignInLink {
    url: String,
    expires_at: Timestamp,
    #[serde(skip)]
    serve: String,
}

pub(crate) async fn run(context: &Context) -> Result<ExitStatus> {
    let service = context.open_or_create().await?;
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
    let url = context.settings.server.url(&format!("/sign-in?code={}", made.token));
    let serve = context.hint.command("serve");
    context.output.print(&SignInLink { url, expires_at: made.expires_at, serve })?;
    Ok(ExitStatus::Done)
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
