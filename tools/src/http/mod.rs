//! `Http`: requests to the servers that the configuration allows.

mod address;
mod allow;
mod charset;
mod configured_headers;
mod content_encoding;
mod endpoints;
mod failure;
mod outcome;
mod request;
mod response;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use percent_encoding::{CONTROLS, percent_encode};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderMap, LOCATION};
use reqwest::{Method as HttpMethod, Response, StatusCode, Url};
use tokio::time::Instant;
use windlass_core::{Age, Capability, DataFault, Failure, FailureClass, Sent};
use windlass_scheduler::{
    CommitPoint, Effect, MutationCall, Place, Subject, Tool, ToolCall, ToolError,
};

use self::configured_headers::ConfiguredHeaders;
pub(crate) use self::configured_headers::is_confidential;
use self::endpoints::{EndpointLookup, Endpoints, LookupMethod};
use self::failure::{body_failure, with_asked_wait};
use self::outcome::ResponseOutcome;
use self::request::{MutationInput, OutgoingRequest, ReadInput};
use self::response::{BodyError, BodyLimits, ScriptResponse};
use self::transport::{SystemResolver, Transport};
use super::config::{HttpConfig, ToolsConfigError, mib_to_bytes};
use super::method::{Method, MethodDescription, TypedTool};
use crate::secrets::Secrets;

/// How many redirects a read follows.
const MAX_REDIRECTS: usize = 5;

const GET_DOCS: &str = "\
Looks at a page or asks a service: `Http.get({url, headers?})` → `{status, headers, body}`.

A JSON body is parsed. Redirects are followed. An answer of 400 or more is a value like any other (check `status`), \
except 401, 402, 403, 408, 429, and 500 and more, which fail: someone must act, or time mends it.";

const HEAD_DOCS: &str =
    "Asks for the head of what `Http.get` would answer: `Http.head({url, headers?})`.";

const POST_DOCS: &str = "\
Tells a server something: `Http.post({url, headers?, body?})` → `{status, headers, body}`.

A `body` that is an object or array is sent as JSON, a string as it is. The request carries an `Idempotency-Key` header. \
An answer of 400 or more is a failure; so is a redirect other than 303: call the address it leads to. Where the answer \
is lost, or is 408, or 500 and more, nobody knows whether the server obeyed: that is found out where the configuration \
says how, else a person is asked. `note` in the answer tells where its body could not be read, or that it was found out.";

const PUT_DOCS: &str =
    "Puts something on a server, as `Http.post` does: `Http.put({url, headers?, body?})`.";
const PATCH_DOCS: &str =
    "Changes something on a server, as `Http.post` does: `Http.patch({url, headers?, body?})`.";
const DELETE_DOCS: &str =
    "Deletes something on a server, as `Http.post` does: `Http.delete({url, headers?, body?})`.";

/// The tools of this namespace.
pub(super) fn tools(
    config: &HttpConfig,
    secrets: &Arc<Secrets>,
) -> Result<Vec<Arc<dyn Tool>>, ToolsConfigError> {
    let allow = allow::AllowList::parse(&config.allow)?;
    let http = Arc::new(Http {
        endpoints: Endpoints::parse(&config.endpoints, &allow)?,
        transport: Transport::new(allow, Box::new(SystemResolver)),
        configured_headers: ConfiguredHeaders::parse(&config.headers, secrets)?,
        secrets: Arc::clone(secrets),
        max_body_bytes: mib_to_bytes(config.max_response_mib),
        timeout: Duration::from_millis(config.timeout_ms),
    });
    let read = |name, docs, method| -> Arc<dyn Tool> {
        Arc::new(TypedTool::new(ReadMethod { http: Arc::clone(&http), name, docs, method }))
    };
    let mutation = |name, docs, method| -> Arc<dyn Tool> {
        Arc::new(TypedTool::new(MutationMethod { http: Arc::clone(&http), name, docs, method }))
    };
    Ok(vec![
        read("get", GET_DOCS, HttpMethod::GET),
        read("head", HEAD_DOCS, HttpMethod::HEAD),
        mutation("post", POST_DOCS, HttpMethod::POST),
        mutation("put", PUT_DOCS, HttpMethod::PUT),
        mutation("patch", PATCH_DOCS, HttpMethod::PATCH),
        mutation("delete", DELETE_DOCS, HttpMethod::DELETE),
    ])
}

#[derive(Debug)]
struct Http {
    transport: Transport,
    configured_headers: ConfiguredHeaders,
    endpoints: Endpoints,
    secrets: Arc<Secrets>,
    max_body_bytes: u64,
    timeout: Duration,
}

#[derive(Debug)]
struct ReadMethod {
    http: Arc<Http>,
    name: &'static str,
    docs: &'static str,
    method: HttpMethod,
}

#[derive(Debug)]
struct MutationMethod {
    http: Arc<Http>,
    name: &'static str,
    docs: &'static str,
    method: HttpMethod,
}

#[async_trait]
impl Method for ReadMethod {
    type Input = ReadInput;
    type Output = ScriptResponse;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: "Http",
            method: self.name,
            docs: self.docs,
            effect: Effect::Read,
            input_types: &[("Http", "page")],
        }
    }

    fn subject(&self, input: &ReadInput) -> Subject {
        request::subject(&self.method, &input.url)
    }

    async fn read(&self, input: ReadInput, call: ToolCall) -> Result<ScriptResponse, Failure> {
        let outgoing = input.outgoing(self.method.clone())?;
        let limits = self.http.limits(&call);
        let may_read = |url: &Url| {
            let host = url.host_str().map(str::to_owned);
            call.require(&Capability::tool("Http", self.name).on(host))
        };
        self.http.read(outgoing, may_read, limits).await
    }
}

#[async_trait]
impl Method for MutationMethod {
    type Input = MutationInput;
    type Output = ScriptResponse;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: "Http",
            method: self.name,
            docs: self.docs,
            effect: Effect::Mutation,
            input_types: &[],
        }
    }

    fn subject(&self, input: &MutationInput) -> Subject {
        request::subject(&self.method, &input.url)
    }

    async fn mutate(
        &self,
        input: MutationInput,
        call: MutationCall,
    ) -> Result<ScriptResponse, ToolError> {
        let outgoing = input
            .outgoing(self.method.clone(), &call.key.idempotency_key)
            .map_err(ToolError::not_sent)?;
        self.http.mutate(outgoing, call.point, self.http.limits(&call.call)).await
    }

    async fn place(&self, input: &MutationInput) -> Result<Option<Place>, Failure> {
        // A request without a whole URL is refused.
        Ok(Url::parse(&input.url).ok().map(|url| self.http.endpoints.place(&url)))
    }

    fn absence_counts_after(&self, input: &MutationInput) -> Option<Duration> {
        let url = Url::parse(&input.url).ok()?;
        self.http.endpoints.of(&url).map(|endpoint| endpoint.absence_after)
    }

    fn keys_kept(&self, input: &MutationInput) -> Option<Age> {
        let url = Url::parse(&input.url).ok()?;
        match self.http.endpoints.of(&url)?.method {
            LookupMethod::Resend { keys_kept } => Some(keys_kept),
            LookupMethod::Query(_) => None,
        }
    }

    async fn reconcile(
        &self,
        input: MutationInput,
        call: MutationCall,
    ) -> Result<Option<ScriptResponse>, Failure> {
        let key = &call.key.idempotency_key;
        let outgoing = input.outgoing(self.method.clone(), key)?;
        let endpoint = self.http.endpoints.of(&outgoing.url).ok_or_else(|| {
            Failure::internal("this endpoint has no way to find out what became of a request")
        })?;
        let limits = self.http.limits(&call.call);
        match &endpoint.method {
            LookupMethod::Resend { .. } => self.http.resend(outgoing, call.point, limits).await,
            LookupMethod::Query(lookup) => self.http.query(lookup, key, limits).await,
        }
    }
}

impl Http {
    /// A tenth of the call's time is reserved for reporting what is known when the rest has passed.
    fn limits(&self, call: &ToolCall) -> BodyLimits {
        let time = self.timeout.min(call.time_limit * 9 / 10);
        BodyLimits { max_bytes: self.max_body_bytes, until: Instant::now() + time }
    }

    /// Reads, and follows redirects as far as `may_read` allows their targets.
    async fn read(
        &self,
        mut outgoing: OutgoingRequest,
        may_read: impl Fn(&Url) -> Result<(), Failure>,
        limits: BodyLimits,
    ) -> Result<ScriptResponse, Failure> {
        outgoing.configured = self.configured_headers.of(&outgoing)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.transport.send(&outgoing, None, limits.until).await;
            let mut response = response.map_err(|err| err.failure)?;
            if let Some(target) = redirect_target(&outgoing.url, &response) {
                may_read(&target)?;
                outgoing = redirected(outgoing, target);
                continue;
            }
            let status = response.status();
            let body = response::body(&mut response, limits).await;
            if let ResponseOutcome::Failure(class, _) = outcome::of_read(status) {
                let failure = self.refusal(&outgoing, status, class, &body.unwrap_or_default());
                return Err(with_asked_wait(failure, response.headers()));
            }
            return match body {
                Ok(body) => Ok(ScriptResponse::new(status, response.headers(), &body)),
                Err(err @ BodyError::Packed { .. }) => {
                    Ok(ScriptResponse::without_body(status, response.headers(), &err))
                }
                Err(err) => Err(body_failure(&outgoing, &err)),
            };
        }
        Err(Failure::logic(format!(
            "`{}` led to more than {MAX_REDIRECTS} redirects",
            outgoing.title()
        )))
    }

    async fn mutate(
        &self,
        outgoing: OutgoingRequest,
        point: CommitPoint,
        limits: BodyLimits,
    ) -> Result<ScriptResponse, ToolError> {
        let exchange = self.exchange(outgoing, Some(point), limits).await?;
        match outcome::of_mutation(exchange.status) {
            ResponseOutcome::Failure(class, sent) => {
                let failure = self.refused(&exchange, class);
                let is_refusal = sent == Sent::No && exchange.status.is_client_error();
                let data = is_refusal.then_some(DataFault::Refused);
                Err(ToolError { failure: Failure { data, ..failure }, sent })
            }
            ResponseOutcome::Response => Ok(exchange.script_response()),
        }
    }

    /// Sends a mutation again whose response was lost. The server recognises its key and does not repeat the effect.
    async fn resend(
        &self,
        outgoing: OutgoingRequest,
        point: CommitPoint,
        limits: BodyLimits,
    ) -> Result<Option<ScriptResponse>, Failure> {
        let exchange = self.exchange(outgoing, Some(point), limits).await;
        let exchange = exchange.map_err(|err| err.failure)?;
        match outcome::of_resend(exchange.status) {
            ResponseOutcome::Response => Ok(Some(exchange.script_response())),
            ResponseOutcome::Failure(_, Sent::No) => Ok(None),
            ResponseOutcome::Failure(class, Sent::Yes | Sent::Maybe) => {
                Err(self.refused(&exchange, class))
            }
        }
    }

    /// Queries whether the effect of `key` is there. Follows no redirect: a login page does not show an effect.
    async fn query(
        &self,
        lookup: &EndpointLookup,
        key: &str,
        limits: BodyLimits,
    ) -> Result<Option<ScriptResponse>, Failure> {
        let outgoing = OutgoingRequest::get(lookup.url(key)?);
        let exchange = self.exchange(outgoing, None, limits).await.map_err(|err| err.failure)?;
        if let ResponseOutcome::Failure(class, _) = outcome::of_read(exchange.status) {
            return Err(self.refused(&exchange, class));
        }
        if let Err(err) = &exchange.body {
            return Err(body_failure(&exchange.outgoing, err));
        }
        let response = exchange.script_response();
        match lookup.finds(exchange.status, response.body(), key) {
            Some(is_there) => Ok(is_there.then(|| response.with_lookup_note())),
            None => Err(self.refused(&exchange, FailureClass::Logic)),
        }
    }

    /// Sends a request, if `point` lets it pass, and reads the whole response.
    async fn exchange(
        &self,
        mut outgoing: OutgoingRequest,
        point: Option<CommitPoint>,
        limits: BodyLimits,
    ) -> Result<Exchange, ToolError> {
        outgoing.configured = self.configured_headers.of(&outgoing).map_err(ToolError::not_sent)?;
        let mut response = self.transport.send(&outgoing, point, limits.until).await?;
        let redirect = redirect_target(&outgoing.url, &response);
        let body = response::body(&mut response, limits).await;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Exchange { outgoing, status, headers, redirect, body })
    }
}

/// A request and its whole response.
#[derive(Debug)]
struct Exchange {
    outgoing: OutgoingRequest,
    status: StatusCode,
    headers: HeaderMap,
    /// The target, if it is a redirect.
    redirect: Option<Url>,
    body: Result<Vec<u8>, BodyError>,
}

impl Exchange {
    /// What the script gets. The request succeeded, even if the body could not be read.
    fn script_response(&self) -> ScriptResponse {
        match &self.body {
            Ok(body) => ScriptResponse::new(self.status, &self.headers, body),
            Err(err) => ScriptResponse::without_body(self.status, &self.headers, err),
        }
    }
}

/// The target of a redirect.
fn redirect_target(url: &Url, response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.as_bytes();
    // Browsers follow it too where it has other characters than a URL may have.
    let location = percent_encode(location, CONTROLS).to_string();
    url.join(&location).ok()
}

/// The same read at the target of a redirect. Headers that identify the caller are not sent to another server.
fn redirected(mut outgoing: OutgoingRequest, target: Url) -> OutgoingRequest {
    if target.origin() != outgoing.url.origin() {
        let kept = [ACCEPT, ACCEPT_LANGUAGE].map(|name| (outgoing.headers.remove(&name), name));
        outgoing.headers =
            kept.into_iter().filter_map(|(value, name)| Some((name, value?))).collect();
        outgoing.configured.clear();
    }
    OutgoingRequest { url: target, ..outgoing }
}
