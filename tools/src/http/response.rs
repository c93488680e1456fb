//! Converts the response of a server to the value that a script gets.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::{charset, content_encoding};
use crate::json;

/// The result of every method of `Http`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ScriptResponse {
    /// The status, for example 200.
    status: u16,
    /// Header lines by name, in lower case; lines of one name are joined by commas.
    headers: BTreeMap<String, String>,
    /// Where the content type is JSON, the value (null if empty); otherwise the text.
    body: Value,
    /// What is missing or wrong in this answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The limits for reading a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    pub(super) max_bytes: u64,
    pub(super) until: Instant,
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error(
        "the body is larger than the {max_mib} MiB that `[tools.http] max_response_mib` allows"
    )]
    TooLarge { max_mib: u64 },
    #[error("the body is packed as `{how}`, and could not be unpacked")]
    Packed { how: String },
    #[error("the body did not arrive in time")]
    TooLate,
    #[error("the connection broke before the end of the body")]
    Broken,
}

impl BodyError {
    pub(super) const fn too_large(max_bytes: u64) -> Self {
        Self::TooLarge { max_mib: max_bytes / (1024 * 1024) }
    }
}

impl ScriptResponse {
    /// A response with its body.
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let (body, note) = decode(headers, body);
        Self { note, ..Self::with_value(status, headers, body) }
    }

    /// The response to a request that succeeded, although its body could not be read.
    pub(super) fn without_body(status: StatusCode, headers: &HeaderMap, err: &BodyError) -> Self {
        Self { note: Some(err.to_string()), ..Self::with_value(status, headers, Value::Null) }
    }

    /// Adds the note that this is the response to a later look-up.
    pub(super) fn with_lookup_note(mut self) -> Self {
        let note = "the answer to the request was lost: this is what was found instead";
        self.note = Some(self.note.map_or_else(|| note.to_owned(), |it| format!("{note}; {it}")));
        self
    }

    pub(super) const fn body(&self) -> &Value {
        &self.body
    }

    fn with_value(status: StatusCode, headers: &HeaderMap, body: Value) -> Self {
        let mut lines: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            lines
                .entry(name.as_str().to_owned())
                .and_modify(|line| {
                    line.push_str(", ");
                    line.push_str(&value);
                })
                .or_insert_with(|| value.clone().into_owned());
        }
        Self { status: status.as_u16(), headers: lines, body, note: None }
    }
}

/// Reads the body of a response and unpacks it, within the limits.
pub(super) async fn body(
    response: &mut Response,
    limits: BodyLimits,
) -> Result<Vec<u8>, BodyError> {
    let packings = content_encoding::packings(response.headers());
    let mut body = Vec::new();
    loop {
        let chunk = tokio::time::timeout_at(limits.until, response.chunk());
        let chunk = chunk
            .await
            .map_err(|_elapsed| BodyError::TooLate)?
            .map_err(|_err| BodyError::Broken)?;
        let Some(chunk) = chunk else { break };
        if (body.len() + chunk.len()) as u64 > limits.max_bytes {
            return Err(BodyError::too_large(limits.max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    let packings = packings?;
    if packings.is_empty() {
        return Ok(body);
    }
    let unpacking = tokio::task::spawn_blocking(move || {
        content_encoding::unpack(&packings, body, limits.max_bytes)
    });
    tokio::time::timeout_at(limits.until, unpacking)
        .await
        .map_err(|_elapsed| BodyError::TooLate)?
        .map_err(|_panic| BodyError::Broken)?
}

fn decode(headers: &HeaderMap, body: &[u8]) -> (Value, Option<String>) {
    let content_type = headers.get(CONTENT_TYPE).map(|it| String::from_utf8_lossy(it.as_bytes()));
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_json =
        matches!(media_type, "application/json" | "text/json") || media_type.ends_with("+json");
    if is_json && body.is_empty() {
        return (Value::Null, None);
    }
    let charset = parts.find_map(|it| it.strip_prefix("charset")?.trim_start().strip_prefix('='));
    let charset = charset.map(|it| it.trim().trim_matches(['"', '\'']));
    let text = charset::text(media_type, charset, body);
    if !is_json {
        return (Value::String(text), None);
    }
    match json::read(&text) {
        Ok(read) => read,
        Err(err) => (
            Value::String(text),
            Some(format!("the body is not the JSON that its content type promises: {err}")),
        ),
    }
}
