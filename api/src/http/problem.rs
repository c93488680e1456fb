//! What is answered where something cannot be done: problem details, as RFC 9457 defines them.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response as ResponseDoc, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};
use windlass_core::Scope;
use windlass_store::StoreError;

use crate::service::{ServiceError, store_error_code};

/// Why a request was not done.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Details>);

/// A problem as it is answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Details {
    /// Names the kind of problem: a path with its code.
    #[serde(rename = "type")]
    kind: String,
    /// The status of the answer, in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What was attempted and what went wrong.
    detail: String,
    /// A stable word for the kind of problem.
    code: &'static str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The errors that caused it, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    /// The same as `detail`, for readers of the member `error`.
    error: String,
}

impl Problem {
    /// A problem of this kind.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self(Box::new(Details {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            code,
            hint: None,
            causes: Vec::new(),
            error: detail.clone(),
            detail,
        }))
    }

    /// The same, with what to do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Nobody is named by the request, or nobody that is known.
    pub(crate) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "the request names nobody who may do this",
        )
        .hint("send a token as `Authorization: Bearer TOKEN`, or sign in")
    }

    /// The caller may not do what needs this scope.
    pub(crate) fn forbidden(scope: Scope) -> Self {
        let detail = format!("this needs the scope `{scope}`, which the caller does not have");
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// The caller may do it in one workspace, and it is about all of them.
    pub(crate) fn only_everywhere() -> Self {
        let detail = "this is about all workspaces, and the caller is known in one of them only";
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// There is no such thing for the caller.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// The request can be read, and asks for what makes no sense.
    pub(crate) fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "usage", detail)
    }

    /// The request cannot be read.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    /// What a page showed has changed since.
    pub(crate) fn changed_since(what: &str, now: &str) -> Self {
        let detail = format!("{what} has changed since the page was shown: it is {now} now");
        Self::new(StatusCode::CONFLICT, "changed", detail).hint("look at it again, then decide")
    }

    /// A sign-in link counts no longer.
    pub(crate) fn used_up() -> Self {
        let detail = "this sign-in link was used before, or is too old";
        Self::new(StatusCode::FORBIDDEN, "used_up", detail)
            .hint("make another one with the command `login` of the program")
    }

    /// Whether the request named nobody who is known.
    pub(crate) fn is_unauthorized(&self) -> bool {
        self.status() == StatusCode::UNAUTHORIZED
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The status in words.
    pub(crate) fn title(&self) -> &'static str {
        self.0.title
    }

    /// What went wrong.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What to do about it.
    pub(crate) fn what_to_do(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    fn of(
        status: StatusCode,
        code: &'static str,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        let causes = std::iter::successors(error.source(), |error| error.source());
        let mut problem = Self::new(status, code, error.to_string());
        problem.0.causes = causes.map(ToString::to_string).collect();
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, Json(&self.0)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = store_status(&error);
        if status.is_server_error() {
            tracing::error!(%error, "a request cannot be done");
        }
        let mut problem = Self::of(status, store_error_code(&error), &error);
        if let StoreError::NotNow { what, hint } = error {
            problem.0.error.clone_from(&what);
            problem.0.detail = what;
            problem.hint(hint)
        } else if let StoreError::ActionRefused(refused) = error {
            problem.hint(refused.hint)
        } else {
            problem
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let ServiceError::Store(error) = error else {
            return Self::of(service_status(&error), error.code(), &error);
        };
        error.into()
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(rejection.status(), "bad_request", rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

fn store_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::NotFound { .. } => StatusCode::NOT_FOUND,
        StoreError::Ambiguous { .. }
        | StoreError::ActionRefused(_)
        | StoreError::NotNow { .. }
        | StoreError::NotRunning { .. }
        | StoreError::WaitsForPerson { .. }
        | StoreError::InDoubt { .. }
        | StoreError::ClaimLost { .. }
        | StoreError::ReservationRefused { .. }
        | StoreError::Steer(_)
        | StoreError::Answer(_)
        | StoreError::Illegal(_) => StatusCode::CONFLICT,
        StoreError::AnswerInvalid(_) | StoreError::Scopes(_) => StatusCode::UNPROCESSABLE_ENTITY,
        StoreError::MigrationPending { .. }
        | StoreError::NewerSchema { .. }
        | StoreError::Unavailable { .. }
        | StoreError::DiskFull
        | StoreError::ReadOnly { .. }
        | StoreError::Replaced { .. }
        | StoreError::Moved { .. } => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::BadUrl { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Unreadable { .. }
        | StoreError::Stopped
        | StoreError::Database(_)
        | _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn service_status(error: &ServiceError) -> StatusCode {
    match error.code() {
        "not_found" => StatusCode::NOT_FOUND,
        "usage" | "invalid_plan" => StatusCode::UNPROCESSABLE_ENTITY,
        "engine" | "system" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::CONFLICT,
    }
}

/// The problems that any operation may answer with, for the document of the API.
#[derive(Debug)]
pub(super) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<ResponseDoc>> {
        const RANGES: [(&str, &str); 2] = [
            ("4XX", "It cannot be done as it is asked for: `code` and `detail` say why."),
            ("5XX", "It cannot be done now: the server or its database does not work."),
        ];
        let problem = |(range, words): (&str, &str)| {
            let schema = Ref::from_schema_name("Problem");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new()
                .description(words)
                .content("application/problem+json", content)
                .build();
            (range.to_owned(), response.into())
        };
        RANGES.into_iter().map(problem).collect()
    }
}
