//! Classifies failures of servers: who must act, and whether a failed request may have had an effect.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "these enums have many variants and get more: an unknown one counts as a possible effect"
)]

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use rmcp::ServiceError;
use rmcp::model::{ErrorCode, ErrorData};
use rmcp::service::ClientInitializeError;
use rmcp::transport::streamable_http_client::StreamableHttpError;
use windlass_core::{Clock as _, Failure, FailureClass, Sent, Service, SystemClock, crop};
use windlass_scheduler::{Refused, ToolError};

use super::config::ConnectorName;
use super::output::UNREADABLE;
use crate::error_text::innermost_message;
use crate::pass_connected::refusal;
use crate::retry_after::asked_wait;
use crate::secrets::Secrets;

type HttpError = StreamableHttpError<reqwest::Error>;

/// The longest part of a server's message that is shown, in characters.
const MAX_MESSAGE_CHARS: usize = 500;

/// A failure that names the server as its service.
pub(super) fn server_failure(
    name: &ConnectorName,
    class: FailureClass,
    message: impl Into<String>,
) -> Failure {
    let service = Service { name: format!("mcp {name}"), account: None };
    Failure { service: Some(Box::new(service)), ..Failure::new(class, message) }
}

/// The beginning of a server's message, in one line and without secrets. They are removed first: half a secret would not be recognised.
pub(super) fn message_line(secrets: &Secrets, text: &str) -> String {
    let redacted = secrets.redact(text);
    let line = redacted.split_whitespace().collect::<Vec<_>>().join(" ");
    crop(&line, MAX_MESSAGE_CHARS)
}

/// The failure of a process that could not be started. Nothing was sent.
pub(super) fn spawn_failure(name: &ConnectorName, command: &str, error: &io::Error) -> Failure {
    let (class, advice) = match error.kind() {
        io::ErrorKind::NotFound => {
            (FailureClass::Internal, format!("install it, or correct `[mcp.{name}]`"))
        }
        io::ErrorKind::PermissionDenied => {
            (FailureClass::Permission, "let this user execute it".to_owned())
        }
        _ => (FailureClass::Network, "see what the system lacks".to_owned()),
    };
    server_failure(name, class, format!("could not start `{command}` ({error}): {advice}"))
}

/// The failure of a connection that could not be made. Nothing was sent.
pub(super) fn connect_failure(
    name: &ConnectorName,
    secrets: &Secrets,
    error: &ClientInitializeError,
) -> Failure {
    if let Some(http) = http_error(transport_error(error)) {
        let (class, _, message) = http_failure(secrets, http);
        let message = format!("could not connect to `{name}`: {message}");
        return with_asked_wait(server_failure(name, class, message), Some(http));
    }
    let (class, message) = match error {
        ClientInitializeError::ConnectionClosed(_)
        | ClientInitializeError::TransportError { .. }
        | ClientInitializeError::Cancelled => (
            FailureClass::Network,
            format!("`{name}` ended before it was ready: a log at level debug shows what it said"),
        ),
        ClientInitializeError::JsonRpcError(refusal) => (
            FailureClass::Internal,
            format!("`{name}` refused the connection: {}", message_line(secrets, &refusal.message)),
        ),
        _ => (FailureClass::Internal, format!("`{name}` does not speak MCP as it should: {error}")),
    };
    server_failure(name, class, message)
}

fn transport_error(error: &ClientInitializeError) -> &(dyn Error + 'static) {
    if let ClientInitializeError::TransportError { error, .. } = error {
        error.error.as_ref()
    } else {
        error
    }
}

/// The error of a request without a result, and whether it may have had an effect.
///
/// `checks_output` means that the tool has an output schema. Several servers report a result that does not fit the schema as
/// if the request had been invalid, although the tool has already acted.
pub(super) fn call_error(
    name: &ConnectorName,
    secrets: &Secrets,
    error: &ServiceError,
    checks_output: bool,
) -> ToolError {
    let (class, sent, message) = match error {
        ServiceError::McpError(refusal) => error_response(secrets, refusal, checks_output),
        ServiceError::TransportSend(transport) if refusal(transport.error.as_ref()).is_some() => {
            return Refused.into();
        }
        ServiceError::TransportSend(transport) => match http_error(transport.error.as_ref()) {
            Some(http) => http_failure(secrets, http),
            // The line was not written completely. A server acts only on complete lines.
            None => (FailureClass::Network, Sent::No, "it does not take requests".to_owned()),
        },
        ServiceError::TransportClosed => {
            (FailureClass::Network, Sent::Maybe, "the connection was lost".to_owned())
        }
        other => (FailureClass::Internal, Sent::Maybe, other.to_string()),
    };
    let failure = server_failure(name, class, format!("`{name}`: {message}"));
    let http = match error {
        ServiceError::TransportSend(transport) => http_error(transport.error.as_ref()),
        _ => None,
    };
    ToolError { failure: with_asked_wait(failure, http), sent }
}

/// Whether the server no longer knows the session.
pub(super) fn is_session_expired(error: &ServiceError) -> bool {
    let ServiceError::TransportSend(transport) = error else { return false };
    matches!(http_error(transport.error.as_ref()), Some(HttpError::SessionExpired))
}

fn error_response(
    secrets: &Secrets,
    refusal: &ErrorData,
    checks_output: bool,
) -> (FailureClass, Sent, String) {
    if refusal.code == ErrorCode(UNREADABLE) {
        return (FailureClass::Internal, Sent::Yes, message_line(secrets, &refusal.message));
    }
    let message = format!("{} (error {})", message_line(secrets, &refusal.message), refusal.code.0);
    let (class, sent) = match refusal.code {
        ErrorCode::INVALID_PARAMS if checks_output => (FailureClass::Logic, Sent::Maybe),
        ErrorCode::INVALID_PARAMS => (FailureClass::Logic, Sent::No),
        ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_REQUEST => {
            (FailureClass::Internal, Sent::No)
        }
        _ => (FailureClass::Internal, Sent::Maybe),
    };
    (class, sent, message)
}

fn http_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a HttpError> {
    error.downcast_ref().or_else(|| http_error(error.source()?))
}

fn http_failure(secrets: &Secrets, error: &HttpError) -> (FailureClass, Sent, String) {
    let status = |code: u16| status_failure(StatusCode::from_u16(code).unwrap_or_default());
    match error {
        HttpError::Client(error) if error.is_connect() || error.is_builder() => (
            FailureClass::Network,
            Sent::No,
            format!("could not connect: {}", innermost_message(error)),
        ),
        HttpError::Client(error) => (FailureClass::Network, Sent::Maybe, innermost_message(error)),
        HttpError::AuthRequired(_) => status(401),
        HttpError::InsufficientScope(_) => status(403),
        HttpError::HttpStatus(error) => status(error.status),
        HttpError::SessionExpired => (
            FailureClass::Network,
            Sent::No,
            "the server has forgotten this session; the next call begins another".to_owned(),
        ),
        // For other statuses the library has only a text.
        HttpError::UnexpectedServerResponse(text) => match status_in(text) {
            Some(code) => status_failure(code),
            None => (FailureClass::Internal, Sent::Maybe, message_line(secrets, text)),
        },
        HttpError::ReservedHeaderConflict(name) => (
            FailureClass::Internal,
            Sent::No,
            format!("the header `{name}` is not for configurations: leave it out"),
        ),
        other => (FailureClass::Network, Sent::Maybe, other.to_string()),
    }
}

/// Adds how long the server asks to wait.
fn with_asked_wait(failure: Failure, error: Option<&HttpError>) -> Failure {
    let Some(HttpError::HttpStatus(status)) = error else { return failure };
    match status.retry_after.as_deref().and_then(|it| asked_wait(it, None, SystemClock.now())) {
        Some(wait) => failure.asked_to_wait(wait, SystemClock.now()),
        None => failure,
    }
}

fn status_in(text: &str) -> Option<StatusCode> {
    text.strip_prefix("HTTP ")?.get(..3)?.parse().ok()
}

/// After a refusal (4xx) or a redirect, which is not followed, there is certainly no effect. After an error of a gateway or
/// server (5xx) there may be one.
fn status_failure(status: StatusCode) -> (FailureClass, Sent, String) {
    let (class, sent) = match status.as_u16() {
        401 | 403 => (FailureClass::Auth, Sent::No),
        402 => (FailureClass::Balance, Sent::No),
        429 => (FailureClass::Network, Sent::No),
        408 => (FailureClass::Network, Sent::Maybe),
        301 | 307 | 308 | 400..500 => (FailureClass::Internal, Sent::No),
        _ => (FailureClass::Network, Sent::Maybe),
    };
    (class, sent, format!("the server answered {status}"))
}
