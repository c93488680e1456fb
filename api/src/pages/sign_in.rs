//! How a person gets in, with a link that counts once, and out.

use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use maud::{Markup, html};
use serde::Deserialize;
use windlass_core::CredentialKind;
use windlass_store::RedeemSignIn;

use super::frame::bare;
use super::refused::Refused;
use crate::http::{COOKIE, HttpState, Problem, end_session};
use crate::service::{ServiceError, digest_secret, new_secret};

/// The secret of a sign-in link.
#[derive(Debug, Deserialize)]
pub(super) struct Code {
    #[serde(default)]
    code: String,
}

/// Asks whether to sign in: a program that only looks at the link uses nothing up.
pub(super) async fn ask(Query(Code { code }): Query<Code>) -> Markup {
    bare(
        "Sign in",
        &html! {
            h1 { "Sign in" }
            p { "This link signs you in to Windlass in this browser, once." }
            form method="post" action="/sign-in" {
                input type="hidden" name="code" value=(code);
                button { "Sign in" }
            }
        },
    )
}

/// Uses the link up, and signs this browser in.
pub(super) async fn sign_in(
    State(state): State<HttpState>,
    jar: CookieJar,
    Form(Code { code }): Form<Code>,
) -> Result<Response, Refused> {
    let secret = new_secret().map_err(|error| Problem::from(ServiceError::from(error)))?;
    let redeem = RedeemSignIn {
        digest: digest_secret(&code),
        browser_digest: digest_secret(&secret),
        lifetime: CredentialKind::Browser.lifetime(),
    };
    if state.store().redeem_sign_in(redeem).await?.is_none() {
        return Err(Problem::used_up().into());
    }
    let mut cookie = Cookie::new(COOKIE, secret);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_secure(state.is_encrypted());
    Ok((jar.add(cookie), Redirect::to("/")).into_response())
}

/// Ends the session of this browser.
pub(super) async fn sign_out(
    State(state): State<HttpState>,
    jar: CookieJar,
) -> Result<Response, Refused> {
    if let Some(cookie) = jar.get(COOKIE) {
        end_session(&state, cookie.value()).await?;
    }
    let mut cookie = Cookie::from(COOKIE);
    cookie.set_path("/");
    Ok((jar.remove(cookie), Redirect::to("/")).into_response())
}
