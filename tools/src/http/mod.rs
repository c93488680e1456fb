//! `Http`: asks and tells the servers that the configuration allows.

mod added;
mod address;
mod allow;
mod answer;
mod endpoints;
mod request;
mod verdict;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderMap, LOCATION};
use reqwest::{Method as HttpMethod, Response, StatusCode, Url};
use tokio::time::Instant;
use windlass_core::{Failure, FailureClass, Sent};
use windlass_scheduler::{Effect, Subject, Tool, ToolCall, ToolError};

use self::added::AddedHeaders;
use self::answer::{Answer, BodyError, BodyLimits};
use self::endpoints::{EndpointQuestion, Endpoints, Way};
use self::request::{ChangeInput, LookInput, Outgoing, without_query};
use self::verdict::Verdict;
use self::wire::{SystemLookup, Wire};
use super::config::{HttpConfig, ToolsConfigError, mib_to_bytes};
use super::method::{Description, Method, Typed};
use super::notify::identity;
use crate::secrets::{MIN_SECRET_BYTES, Secrets};

/// How many redirects a look follows.
const MAX_REDIRECTS: usize = 5;

/// How much of a refusal a message quotes, in characters.
const QUOTED_CHARS: usize = 300;

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
        wire: Wire::new(allow, Box::new(SystemLookup)),
        added: AddedHeaders::parse(&config.headers, secrets)?,
        secrets: Arc::clone(secrets),
        max_body_bytes: mib_to_bytes(config.max_response_mib),
        timeout: Duration::from_millis(config.timeout_ms),
    });
    let look = |name, docs, method| -> Arc<dyn Tool> {
        Arc::new(Typed::new(Look { http: Arc::clone(&http), name, docs, method }))
    };
    let change = |name, docs, method| -> Arc<dyn Tool> {
        Arc::new(Typed::new(Change { http: Arc::clone(&http), name, docs, method }))
    };
    Ok(vec![
        look("get", GET_DOCS, HttpMethod::GET),
        look("head", HEAD_DOCS, HttpMethod::HEAD),
        change("post", POST_DOCS, HttpMethod::POST),
        change("put", PUT_DOCS, HttpMethod::PUT),
        change("patch", PATCH_DOCS, HttpMethod::PATCH),
        change("delete", DELETE_DOCS, HttpMethod::DELETE),
    ])
}

#[derive(Debug)]
struct Http {
    wire: Wire,
    added: AddedHeaders,
    endpoints: Endpoints,
    secrets: Arc<Secrets>,
    max_body_bytes: u64,
    timeout: Duration,
}

#[derive(Debug)]
struct Look {
    http: Arc<Http>,
    name: &'static str,
    docs: &'static str,
    method: HttpMethod,
}

#[derive(Debug)]
struct Change {
    http: Arc<Http>,
    name: &'static str,
    docs: &'static str,
    method: HttpMethod,
}

#[async_trait]
impl Method for Look {
    type Input = LookInput;
    type Output = Answer;

    fn description(&self) -> Description {
        Description {
            namespace: "Http",
            method: self.name,
            docs: self.docs,
            effect: Effect::Read,
            input_types: &[("Http", "page")],
        }
    }

    fn subject(&self, input: &LookInput) -> Subject {
        request::subject(&self.method, &input.url)
    }

    async fn call(&self, input: LookInput, call: ToolCall) -> Result<Answer, ToolError> {
        let outgoing = input.outgoing(self.method.clone()).map_err(ToolError::not_sent)?;
        // Whatever a look comes to, it changes nothing.
        self.http.look(outgoing, self.http.limits(&call)).await.map_err(ToolError::not_sent)
    }
}

#[async_trait]
impl Method for Change {
    type Input = ChangeInput;
    type Output = Answer;

    fn description(&self) -> Description {
        Description {
            namespace: "Http",
            method: self.name,
            docs: self.docs,
            effect: Effect::Mutation,
            input_types: &[],
        }
    }

    fn subject(&self, input: &ChangeInput) -> Subject {
        request::subject(&self.method, &input.url)
    }

    async fn call(&self, input: ChangeInput, call: ToolCall) -> Result<Answer, ToolError> {
        let outgoing = identity(&call)
            .and_then(|key| input.outgoing(self.method.clone(), &key.idempotency_key))
            .map_err(ToolError::not_sent)?;
        self.http.change(outgoing, self.http.limits(&call)).await
    }

    fn absence_counts_after(&self, input: &ChangeInput) -> Option<Duration> {
        let url = Url::parse(&input.url).ok()?;
        self.http.endpoints.of(&url).map(|endpoint| endpoint.absence_after)
    }

    async fn reconcile(
        &self,
        input: ChangeInput,
        call: ToolCall,
    ) -> Result<Option<Answer>, Failure> {
        let key = &identity(&call)?.idempotency_key;
        let outgoing = input.outgoing(self.method.clone(), key)?;
        let endpoint = self.http.endpoints.of(&outgoing.url).ok_or_else(|| {
            Failure::internal("this endpoint has no way to find out what became of a request")
        })?;
        let limits = self.http.limits(&call);
        match &endpoint.way {
            Way::SendAgain => self.http.send_again(outgoing, limits).await,
            Way::Ask(question) => self.http.ask(question, key, limits).await,
        }
    }
}

impl Http {
    /// A tenth of the call's time is kept back, to tell what is known when the rest is over.
    fn limits(&self, call: &ToolCall) -> BodyLimits {
        let time = self.timeout.min(call.time_limit * 9 / 10);
        BodyLimits { max_bytes: self.max_body_bytes, until: Instant::now() + time }
    }

    async fn look(&self, mut outgoing: Outgoing, limits: BodyLimits) -> Result<Answer, Failure> {
        outgoing.added = self.added.of(&outgoing)?;
        for _ in 0..=MAX_REDIRECTS {
            let mut response =
                self.wire.send(&outgoing, limits.until).await.map_err(|err| err.failure)?;
            if let Some(target) = redirect_target(&outgoing.url, &response) {
                outgoing = redirected(outgoing, target);
                continue;
            }
            let status = response.status();
            let body = answer::body(&mut response, limits).await;
            if let Verdict::Failure(class, _) = verdict::of_look(status) {
                return Err(self.refusal(&outgoing, status, class, &body.unwrap_or_default()));
            }
            let body = body.map_err(|err| unread(&outgoing, &err))?;
            return Ok(Answer::new(status, response.headers(), &body));
        }
        Err(Failure::logic(format!(
            "`{}` led to more than {MAX_REDIRECTS} redirects",
            outgoing.title()
        )))
    }

    async fn change(&self, outgoing: Outgoing, limits: BodyLimits) -> Result<Answer, ToolError> {
        let exchange = self.exchange(outgoing, limits).await?;
        match verdict::of_change(exchange.status) {
            Verdict::Failure(class, sent) => {
                Err(ToolError { failure: self.refused(&exchange, class), sent })
            }
            Verdict::Answer => Ok(exchange.answer()),
        }
    }

    /// Sends a change whose answer was lost again: the server knows its key, and does nothing twice.
    async fn send_again(
        &self,
        outgoing: Outgoing,
        limits: BodyLimits,
    ) -> Result<Option<Answer>, Failure> {
        let exchange = self.exchange(outgoing, limits).await.map_err(|err| err.failure)?;
        match verdict::of_repetition(exchange.status) {
            Verdict::Answer => Ok(Some(exchange.answer())),
            Verdict::Failure(_, Sent::No) => Ok(None),
            Verdict::Failure(class, Sent::Yes | Sent::Maybe) => Err(self.refused(&exchange, class)),
        }
    }

    /// Asks whether the effect of `key` is there. Follows no redirect: a page to log in is no effect.
    async fn ask(
        &self,
        question: &EndpointQuestion,
        key: &str,
        limits: BodyLimits,
    ) -> Result<Option<Answer>, Failure> {
        let outgoing = Outgoing::look(question.url(key)?);
        let exchange = self.exchange(outgoing, limits).await.map_err(|err| err.failure)?;
        if let Verdict::Failure(class, _) = verdict::of_look(exchange.status) {
            return Err(self.refused(&exchange, class));
        }
        if let Err(err) = &exchange.body {
            return Err(unread(&exchange.outgoing, err));
        }
        let answer = exchange.answer();
        match question.finds(exchange.status, answer.body(), key) {
            Some(is_there) => Ok(is_there.then(|| answer.found_again())),
            None => Err(self.refused(&exchange, FailureClass::Logic)),
        }
    }

    /// Sends a request and takes in the whole answer.
    async fn exchange(
        &self,
        mut outgoing: Outgoing,
        limits: BodyLimits,
    ) -> Result<Exchange, ToolError> {
        outgoing.added = self.added.of(&outgoing).map_err(ToolError::not_sent)?;
        let mut response = self.wire.send(&outgoing, limits.until).await?;
        let elsewhere = redirect_target(&outgoing.url, &response);
        let body = answer::body(&mut response, limits).await;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Exchange { outgoing, status, headers, elsewhere, body })
    }

    /// The failure of a request that was not obeyed, or not yet.
    fn refused(&self, exchange: &Exchange, class: FailureClass) -> Failure {
        let Exchange { outgoing, status, elsewhere, body, .. } = exchange;
        let said = body.as_deref().unwrap_or_default();
        let mut failure = self.refusal(outgoing, *status, class, said);
        if let Some(target) = elsewhere {
            let target = without_query(target.clone());
            failure.message.push_str(&format!("; it points to `{target}`"));
        }
        failure
    }

    /// A failure that tells what the server said, without what the request kept secret.
    fn refusal(
        &self,
        outgoing: &Outgoing,
        status: StatusCode,
        class: FailureClass,
        body: &[u8],
    ) -> Failure {
        let said = answer::text(None, body);
        // Before it is cropped: of a secret that is cut in two neither half would be known again.
        let said = self.secrets.redact(&said);
        let mut said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in outgoing.secrets().iter().filter(|it| it.len() >= MIN_SECRET_BYTES) {
            said = said.replace(secret, "…");
        }
        let said: String = said.chars().take(QUOTED_CHARS).collect();
        let colon = if said.is_empty() { "" } else { ": " };
        let message = format!("`{}` was answered with {status}{colon}{said}", outgoing.title());
        wire::of_server(host(outgoing), class, message)
    }
}

/// A request and its whole answer.
#[derive(Debug)]
struct Exchange {
    outgoing: Outgoing,
    status: StatusCode,
    headers: HeaderMap,
    /// Where it points, where that is elsewhere.
    elsewhere: Option<Url>,
    body: Result<Vec<u8>, BodyError>,
}

impl Exchange {
    /// What the script gets: the request was obeyed, whatever became of the words about it.
    fn answer(&self) -> Answer {
        match &self.body {
            Ok(body) => Answer::new(self.status, &self.headers, body),
            Err(err) => Answer::unread(self.status, &self.headers, err),
        }
    }
}

/// Where an answer sends a look, if it does.
fn redirect_target(url: &Url, response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    url.join(location).ok()
}

/// The same look elsewhere. What identifies the caller to one server is no business of another.
fn redirected(mut outgoing: Outgoing, target: Url) -> Outgoing {
    if target.origin() != outgoing.url.origin() {
        let harmless = [ACCEPT, ACCEPT_LANGUAGE].map(|name| (outgoing.headers.remove(&name), name));
        outgoing.headers =
            harmless.into_iter().filter_map(|(value, name)| Some((name, value?))).collect();
        outgoing.added.clear();
    }
    Outgoing { url: target, ..outgoing }
}

fn unread(outgoing: &Outgoing, err: &BodyError) -> Failure {
    let class = match err {
        BodyError::TooLarge { .. } => FailureClass::Logic,
        BodyError::TooLate | BodyError::Broken => FailureClass::Network,
    };
    wire::of_server(host(outgoing), class, format!("`{}`: {err}", outgoing.title()))
}

fn host(outgoing: &Outgoing) -> &str {
    outgoing.url.host_str().unwrap_or_default()
}
