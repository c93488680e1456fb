//! Converts the input of a script to the request that is sent.

use std::collections::BTreeMap;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use windlass_core::Failure;
use windlass_scheduler::Subject;

/// Input of `get` and `head`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadInput {
    /// `http` or `https`, of a server that the configuration allows.
    pub(super) url: String,
    /// Header lines by name.
    headers: Option<BTreeMap<String, String>>,
}

/// Input of the other methods.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MutationInput {
    /// `http` or `https`, of a server that the configuration allows.
    pub(super) url: String,
    /// Header lines by name.
    headers: Option<BTreeMap<String, String>>,
    /// A string is sent as it is, null not at all, anything else as JSON.
    body: Option<Value>,
}

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct OutgoingRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The headers from the script.
    pub(super) headers: HeaderMap,
    /// The headers from the configuration, for this server only.
    pub(super) configured: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

/// The headers that only Windlass sets. They belong to the connection or to the ledger.
const RESERVED: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl ReadInput {
    pub(super) fn outgoing(self, method: Method) -> Result<OutgoingRequest, Failure> {
        let (url, headers) = (url(&self.url)?, headers(self.headers)?);
        Ok(OutgoingRequest { method, url, headers, configured: HeaderMap::new(), body: None })
    }
}

impl MutationInput {
    pub(super) fn outgoing(
        self,
        method: Method,
        idempotency_key: &str,
    ) -> Result<OutgoingRequest, Failure> {
        let mut headers = headers(self.headers)?;
        headers.insert(
            HeaderName::from_static("idempotency-key"),
            header_value("Idempotency-Key", idempotency_key)?,
        );
        let (body, content_type) = match self.body {
            None | Some(Value::Null) => (None, None),
            Some(Value::String(text)) => {
                (Some(text.into_bytes()), Some("text/plain; charset=utf-8"))
            }
            Some(json) => (Some(json.to_string().into_bytes()), Some("application/json")),
        };
        if let Some(content_type) = content_type {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        }
        Ok(OutgoingRequest {
            method,
            url: url(&self.url)?,
            headers,
            configured: HeaderMap::new(),
            body,
        })
    }
}

impl OutgoingRequest {
    /// A `GET` of Windlass itself, without headers of a script.
    pub(super) fn get(url: Url) -> Self {
        let (headers, configured) = (HeaderMap::new(), HeaderMap::new());
        Self { method: Method::GET, url, headers, configured, body: None }
    }

    /// Method and URL for messages, without the query, which may contain secrets.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.method, without_query(self.url.clone()))
    }

    /// The header and query values that messages must not repeat.
    pub(super) fn secrets(&self) -> Vec<String> {
        let headers =
            self.headers.values().filter_map(|value| value.to_str().ok()).map(str::to_owned);
        let query = self.url.query_pairs().map(|(_, value)| value.into_owned());
        headers
            .flat_map(|it| it.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
            .chain(query)
            .collect()
    }
}

/// The subject of a request to the URL `text`. A grant can be limited to one server.
pub(super) fn subject(method: &Method, text: &str) -> Subject {
    match Url::parse(text) {
        Ok(url) => {
            let scope = url.host_str().map(str::to_owned);
            Subject { place: format!("{method} {}", without_query(url)), scope }
        }
        Err(_) => Subject { place: format!("{method} of no URL"), scope: None },
    }
}

/// A URL for messages.
pub(super) fn without_query(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn url(text: &str) -> Result<Url, Failure> {
    Url::parse(text).map_err(|err| {
        Failure::logic(format!("`url` is not a whole URL, such as `https://example.com/x`: {err}"))
    })
}

fn headers(headers: Option<BTreeMap<String, String>>) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.unwrap_or_default() {
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_wrong| {
            Failure::logic(format!("`{}` is no name of a header", name.escape_debug()))
        })?;
        if is_reserved(&header) {
            return Err(Failure::logic(format!(
                "the header `{name}` is set by Windlass: leave it out"
            )));
        }
        map.insert(header, header_value(&name, &value)?);
    }
    Ok(map)
}

/// Whether only Windlass may set the header.
pub(super) fn is_reserved(header: &HeaderName) -> bool {
    RESERVED.contains(&header.as_str())
}

/// The error does not contain the value, which may be a secret.
pub(super) fn header_value(name: &str, value: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(value).map_err(|_wrong| {
        Failure::logic(format!(
            "the value of the header `{name}` has a character that no header may have"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}
