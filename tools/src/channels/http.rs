//! Requests to an HTTP endpoint.

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Url, redirect, retry};
use secrecy::ExposeSecret as _;

use super::{DeliveryError, HttpChannel, Message, SEND_TIME, fill_all};
use crate::error_text::innermost_message;
use crate::secrets::Secrets;
use crate::tls;

pub(super) async fn send(
    config: &HttpChannel,
    secrets: &Secrets,
    message: &Message,
) -> Result<(), DeliveryError> {
    let url = secrets.fill(&config.url)?;
    // The URL may hold a secret: no error shows it.
    let url = Url::parse(url.expose_secret()).map_err(|error| setting("url", &error))?;
    let body = serde_json::to_string(message).map_err(DeliveryError::refused)?;
    let is_encrypted = url.scheme() == "https";
    let mut request = client(is_encrypted)?
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", &message.key);
    for (name, value) in fill_all(secrets, &config.headers)? {
        let name = HeaderName::try_from(name).map_err(|error| setting("headers", &error))?;
        let mut value = HeaderValue::try_from(value.expose_secret())
            .map_err(|error| setting("headers", &error))?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await;
    let answer =
        answer.map_err(|error| DeliveryError::refused(innermost_message(&error.without_url())))?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(DeliveryError::refused(format!("the endpoint answered {status}"))),
    }
}

fn client(is_encrypted: bool) -> Result<Client, DeliveryError> {
    let tls = tls::client_config(is_encrypted);
    let tls = tls.map_err(|failure| DeliveryError::refused(failure.message))?;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(SEND_TIME)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .user_agent(concat!("windlass/", env!("CARGO_PKG_VERSION")))
        .build();
    client.map_err(|error| DeliveryError::refused(innermost_message(&error)))
}

fn setting(setting: &'static str, error: &dyn std::fmt::Display) -> DeliveryError {
    DeliveryError::Setting { channel: "http", setting, reason: error.to_string() }
}
