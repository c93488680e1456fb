//! What went wrong with a server: whose fault it is, and whether a request was obeyed.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "these enums have many variants and get more: what nobody thought of is in doubt"
)]

use std::error::Error;
use std::io;

use reqwest::StatusCode;
use rmcp::ServiceError;
use rmcp::model::{ErrorCode, ErrorData};
use rmcp::service::ClientInitializeError;
use rmcp::transport::streamable_http_client::StreamableHttpError;
use windlass_core::{Failure, FailureClass, Sent, Service};
use windlass_scheduler::ToolError;

use super::config::ConnectorName;

type HttpError = StreamableHttpError<reqwest::Error>;

/// How much of a server's own words is shown.
const N_CHARS: usize = 500;

/// A failure that the server `name` has a part in.
pub(super) fn of_server(
    name: &ConnectorName,
    class: FailureClass,
    message: impl Into<String>,
) -> Failure {
    let service = Service { name: format!("mcp {name}"), account: None };
    Failure { service: Some(Box::new(service)), ..Failure::new(class, message) }
}

/// The beginning of what a server said, in one line.
pub(super) fn cropped(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(N_CHARS - 1) {
        Some((end, _)) if text.chars().count() > N_CHARS => {
            format!("{}…", text.get(..end).unwrap_or(&text))
        }
        _ => text,
    }
}

/// A server that could not be started: nothing was asked of it.
pub(super) fn of_spawn(name: &ConnectorName, command: &str, error: &io::Error) -> Failure {
    let (class, advice) = match error.kind() {
        io::ErrorKind::NotFound => {
            (FailureClass::Internal, format!("install it, or correct `[mcp.{name}]`"))
        }
        io::ErrorKind::PermissionDenied => {
            (FailureClass::Permission, "let this user execute it".to_owned())
        }
        _ => (FailureClass::Network, "see what the system lacks".to_owned()),
    };
    of_server(name, class, format!("could not start `{command}` ({error}): {advice}"))
}

/// A server with which no connection came to be: nothing was asked of it.
pub(super) fn of_start(name: &ConnectorName, error: &ClientInitializeError) -> Failure {
    if let Some(http) = http_error(error_of_start(error)) {
        let (class, _, message) = of_http(http);
        return of_server(name, class, format!("could not connect to `{name}`: {message}"));
    }
    let (class, message) = match error {
        ClientInitializeError::ConnectionClosed(_)
        | ClientInitializeError::TransportError { .. }
        | ClientInitializeError::Cancelled => (
            FailureClass::Network,
            format!("`{name}` ended before it was ready: `WINDLASS_LOG=debug` shows what it said"),
        ),
        ClientInitializeError::JsonRpcError(refusal) => (
            FailureClass::Internal,
            format!("`{name}` refused the connection: {}", cropped(&refusal.message)),
        ),
        _ => (FailureClass::Internal, format!("`{name}` does not speak MCP as it should: {error}")),
    };
    of_server(name, class, message)
}

fn error_of_start(error: &ClientInitializeError) -> &(dyn Error + 'static) {
    if let ClientInitializeError::TransportError { error, .. } = error {
        error.error.as_ref()
    } else {
        error
    }
}

/// What is known of a request that got no answer, or an error for one.
///
/// `checks_output` says that the server promises what it answers: several servers report an answer that breaks the promise
/// as if the request had been wrong, after the tool has acted.
pub(super) fn of_call(
    name: &ConnectorName,
    error: &ServiceError,
    checks_output: bool,
) -> ToolError {
    let (class, sent, message) = match error {
        ServiceError::McpError(refusal) => of_refusal(refusal, checks_output),
        ServiceError::TransportSend(transport) => match http_error(transport.error.as_ref()) {
            Some(http) => of_http(http),
            // A line that was not written to its end is none: its end is what a server waits for.
            None => (FailureClass::Network, Sent::No, "it does not take requests".to_owned()),
        },
        ServiceError::TransportClosed => {
            (FailureClass::Network, Sent::Maybe, "the connection was lost".to_owned())
        }
        other => (FailureClass::Internal, Sent::Maybe, other.to_string()),
    };
    ToolError { failure: of_server(name, class, format!("`{name}`: {message}")), sent }
}

/// Whether the server has forgotten the session.
pub(super) fn is_session_lost(error: &ServiceError) -> bool {
    let ServiceError::TransportSend(transport) = error else { return false };
    matches!(http_error(transport.error.as_ref()), Some(HttpError::SessionExpired))
}

fn of_refusal(refusal: &ErrorData, checks_output: bool) -> (FailureClass, Sent, String) {
    let message = format!("{} (error {})", cropped(&refusal.message), refusal.code.0);
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

fn of_http(error: &HttpError) -> (FailureClass, Sent, String) {
    let status = |code: u16| of_status(StatusCode::from_u16(code).unwrap_or_default());
    match error {
        HttpError::Client(error) if error.is_connect() || error.is_builder() => {
            (FailureClass::Network, Sent::No, format!("could not connect: {}", innermost(error)))
        }
        HttpError::Client(error) => (FailureClass::Network, Sent::Maybe, innermost(error)),
        HttpError::AuthRequired(_) => status(401),
        HttpError::InsufficientScope(_) => status(403),
        HttpError::HttpStatus(error) => status(error.status),
        HttpError::SessionExpired => (
            FailureClass::Network,
            Sent::No,
            "the server has forgotten this session; the next call begins another".to_owned(),
        ),
        // The library keeps other statuses in its text alone.
        HttpError::UnexpectedServerResponse(text) => match status_in(text) {
            Some(code) => of_status(code),
            None => (FailureClass::Internal, Sent::Maybe, cropped(text)),
        },
        HttpError::ReservedHeaderConflict(name) => (
            FailureClass::Internal,
            Sent::No,
            format!("the header `{name}` is not for configurations: leave it out"),
        ),
        other => (FailureClass::Network, Sent::Maybe, other.to_string()),
    }
}

fn status_in(text: &str) -> Option<StatusCode> {
    text.strip_prefix("HTTP ")?.get(..3)?.parse().ok()
}

/// A refusal (4xx) and a redirect, which is not followed, are definite; what a gateway or a server in trouble says is not.
fn of_status(status: StatusCode) -> (FailureClass, Sent, String) {
    let (class, sent) = match status.as_u16() {
        401 => (FailureClass::Auth, Sent::No),
        402 => (FailureClass::Balance, Sent::No),
        403 => (FailureClass::Permission, Sent::No),
        429 => (FailureClass::Network, Sent::No),
        408 => (FailureClass::Network, Sent::Maybe),
        301 | 307 | 308 | 400..500 => (FailureClass::Internal, Sent::No),
        _ => (FailureClass::Network, Sent::Maybe),
    };
    (class, sent, format!("the server answered {status}"))
}

/// What happened at the bottom. What is above it may show the URL with its query.
fn innermost(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
