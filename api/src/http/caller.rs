//! Who sends a request, and what they may do.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use windlass_core::{Actor, CredentialId, CredentialKind, Scope};
use windlass_store::{Credential, EndCredential, StoreError, Workspace};

use super::problem::Problem;
use super::state::HttpState;
use crate::service::{Service, digest_secret};

/// The cookie of a browser in which a person has signed in.
pub(crate) const COOKIE: &str = "windlass_session";

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// What the caller has shown.
    pub(crate) credential: Arc<Credential>,
}

impl Caller {
    /// The caller that [`authenticate`] has found, who has to have this scope.
    fn with(parts: &Parts, scope: Scope) -> Result<Self, Problem> {
        let caller: Self = parts.extensions.get().cloned().ok_or_else(Problem::unauthorized)?;
        let may = caller.credential.scopes.allow(scope);
        if may { Ok(caller) } else { Err(Problem::forbidden(scope)) }
    }

    /// The workspaces that are there for the caller, by name.
    async fn workspaces(&self, state: &HttpState) -> Result<Vec<Workspace>, Problem> {
        let mut known = state.store().workspaces().await?;
        if let Some(own) = self.credential.workspace_id {
            known.retain(|workspace| workspace.id == own);
        }
        Ok(known)
    }

    /// How the journal names the caller: a person by the name alone.
    fn journal_name(&self) -> String {
        match &self.credential.actor {
            Actor::User(name) => name.clone(),
            other @ (Actor::Agent(_) | Actor::Worker(_) | Actor::Windlass) => other.to_string(),
        }
    }
}

/// Finds out who sends a request, once for all routes. A request without a token or cookie goes on without a caller; one with an unknown,
/// ended or expired one is refused.
pub(crate) async fn authenticate(
    State(state): State<HttpState>,
    mut request: Request,
    next: Next,
) -> Response {
    match identify(&state, request.headers()).await {
        Ok(Some(caller)) => drop(request.extensions_mut().insert(caller)),
        Ok(None) => {}
        Err(problem) => return problem.into_response(),
    }
    next.run(request).await
}

async fn identify(state: &HttpState, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        let token = token.ok_or_else(Problem::unauthorized)?.trim();
        let found = look_up(state, token, CredentialKind::Token).await?;
        return found.map(Some).ok_or_else(Problem::unauthorized);
    }
    let cookies = CookieJar::from_headers(headers);
    match cookies.get(COOKIE) {
        // An ended session is no mistake of a browser's: its person signs in again.
        Some(cookie) => look_up(state, cookie.value(), CredentialKind::Browser).await,
        None => Ok(None),
    }
}

async fn look_up(
    state: &HttpState,
    secret: &str,
    kind: CredentialKind,
) -> Result<Option<Caller>, Problem> {
    let Some(found) = state.store().credential(&digest_secret(secret)).await? else {
        return Ok(None);
    };
    if found.credential.kind != kind {
        return Ok(None);
    }
    if found.is_stale {
        state.store().note_credential_use(found.credential.id).await?;
    }
    Ok(Some(Caller { credential: Arc::new(found.credential) }))
}

/// What a route needs its caller to be allowed.
pub(crate) trait Right {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! rights {
    ($($name:ident)+) => { $(
        /// The right that this scope gives.
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Right for $name {
            const SCOPE: Scope = Scope::$name;
        }
    )+ };
}

rights! { Read Run Settle Metrics }

/// The workspace of the path, for a caller who may do `R` there. Handlers reach the store only through this, so none forgets to ask.
#[derive(Debug)]
pub(crate) struct Tenant<R> {
    /// The operations, in that workspace and in the caller's name.
    pub(crate) service: Service,
    /// What the caller has shown.
    pub(crate) credential: CredentialId,
    right: PhantomData<R>,
}

impl<R: Right> FromRequestParts<HttpState> for Tenant<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let caller = Caller::with(parts, R::SCOPE)?;
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|rejection| Problem::bad_request(rejection.body_text()))?;
        let name = params.iter().find_map(|(key, name)| (key == "workspace").then_some(name));
        let name = name.unwrap_or_default();
        let known = caller.workspaces(state).await?;
        let found = known.iter().find(|workspace| workspace.name == name);
        let workspace = found.ok_or_else(|| StoreError::not_found("workspace", name))?.id;
        let service =
            Service { store: Arc::clone(state.store()), workspace, actor: caller.journal_name() };
        Ok(Self { service, credential: caller.credential.id, right: PhantomData })
    }
}

/// A caller who may do `R` in some workspace, and the one to begin with.
#[derive(Debug)]
pub(crate) struct Anywhere<R> {
    /// The name of the caller's own workspace, or of the first one.
    pub(crate) workspace: String,
    right: PhantomData<R>,
}

impl<R: Right> FromRequestParts<HttpState> for Anywhere<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Problem> {
        let caller = Caller::with(parts, R::SCOPE)?;
        let found = caller.workspaces(state).await?.into_iter().next();
        let found = found.ok_or_else(|| Problem::not_found("there is no workspace yet"))?;
        Ok(Self { workspace: found.name, right: PhantomData })
    }
}

/// A caller who may do `R` in all workspaces together.
#[derive(Debug)]
pub(crate) struct Everywhere<R>(PhantomData<R>);

impl<R: Right> FromRequestParts<HttpState> for Everywhere<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &HttpState) -> Result<Self, Problem> {
        let caller = Caller::with(parts, R::SCOPE)?;
        match caller.credential.workspace_id {
            None => Ok(Self(PhantomData)),
            Some(_) => Err(Problem::only_everywhere()),
        }
    }
}

/// Ends the session of a browser that shows this secret.
pub(crate) async fn end_session(state: &HttpState, secret: &str) -> Result<(), Problem> {
    let Some(caller) = look_up(state, secret, CredentialKind::Browser).await? else {
        return Ok(());
    };
    let (credential, actor) = (caller.credential.id, caller.journal_name());
    state.store().end_credential(EndCredential { workspace: None, credential, actor }).await?;
    Ok(())
}
