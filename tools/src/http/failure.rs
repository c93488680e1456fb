//! Failures of requests that were answered.

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use windlass_core::{Clock as _, DataFault, Failure, FailureClass, SystemClock};

use super::request::{OutgoingRequest, without_query};
use super::response::BodyError;
use super::{Exchange, Http, transport};
use crate::retry_after::asked_wait;
use crate::secrets::MIN_SECRET_BYTES;

/// How much of a server's response a failure quotes, in characters.
const QUOTED_CHARS: usize = 300;

impl Http {
    /// The failure for an exchange, with the target of a redirect.
    pub(super) fn refused(&self, exchange: &Exchange, class: FailureClass) -> Failure {
        let Exchange { outgoing, status, redirect, body, .. } = exchange;
        let said = body.as_deref().unwrap_or_default();
        let mut failure = self.refusal(outgoing, *status, class, said);
        if let Some(target) = redirect {
            let target = without_query(target.clone());
            failure.message.push_str(&format!("; it points to `{target}`"));
        }
        with_asked_wait(failure, &exchange.headers)
    }

    /// A failure that quotes the server, without the secrets of the request.
    pub(super) fn refusal(
        &self,
        outgoing: &OutgoingRequest,
        status: StatusCode,
        class: FailureClass,
        body: &[u8],
    ) -> Failure {
        let said = String::from_utf8_lossy(body);
        // Redacted before it is cropped: half a secret would not be recognised.
        let said = self.secrets.redact(&said);
        let mut said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in outgoing.secrets().iter().filter(|it| it.len() >= MIN_SECRET_BYTES) {
            said = said.replace(secret, "…");
        }
        let said: String = said.chars().take(QUOTED_CHARS).collect();
        let colon = if said.is_empty() { "" } else { ": " };
        let message = format!("`{}` was answered with {status}{colon}{said}", outgoing.title());
        transport::server_failure(host(outgoing), class, message)
    }
}

/// Adds how long the server asks to wait, to a failure that waiting mends.
pub(super) fn with_asked_wait(failure: Failure, headers: &HeaderMap) -> Failure {
    let header = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let wait = header(RETRY_AFTER).and_then(|it| asked_wait(it, header(DATE), SystemClock.now()));
    match wait.filter(|_| failure.class == FailureClass::Network) {
        Some(wait) => failure.asked_to_wait(wait, SystemClock.now()),
        None => failure,
    }
}

pub(super) fn body_failure(outgoing: &OutgoingRequest, err: &BodyError) -> Failure {
    let (class, data) = match err {
        BodyError::TooLarge { .. } => (FailureClass::Logic, Some(DataFault::TooBig)),
        BodyError::Packed { .. } => (FailureClass::Logic, Some(DataFault::Unreadable)),
        BodyError::TooLate | BodyError::Broken => (FailureClass::Network, None),
    };
    let message = format!("`{}`: {err}", outgoing.title());
    Failure { data, ..transport::server_failure(host(outgoing), class, message) }
}

fn host(outgoing: &OutgoingRequest) -> &str {
    outgoing.url.host_str().unwrap_or_default()
}
