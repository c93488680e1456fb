//! Mails through an SMTP server.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use secrecy::ExposeSecret as _;

use super::{DeliveryError, MailChannel, MailEncryption, Message, SEND_TIME};
use crate::secrets::Secrets;

pub(super) async fn send(
    config: &MailChannel,
    secrets: &Secrets,
    message: &Message,
) -> Result<(), DeliveryError> {
    let mail = compose(config, message)?;
    transport(config, secrets)?.send(mail).await.map_err(DeliveryError::refused)?;
    Ok(())
}

/// The mail: its message id is the message's key, so that a mail that comes twice is known as one.
fn compose(config: &MailChannel, message: &Message) -> Result<lettre::Message, DeliveryError> {
    let from = mailbox("from", &config.from)?;
    let domain = from.email.domain().to_owned();
    let mut builder: MessageBuilder = lettre::Message::builder()
        .from(from)
        .subject(&message.title)
        .message_id(Some(format!("<{}@{domain}>", message.key)))
        .header(ContentType::TEXT_PLAIN);
    for address in &config.to {
        builder = builder.to(mailbox("to", address)?);
    }
    builder.body(message.text.clone()).map_err(|error| setting("to", &error))
}

fn transport(
    config: &MailChannel,
    secrets: &Secrets,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, DeliveryError> {
    let (host, port) = match config.server.rsplit_once(':') {
        Some((host, port)) => {
            (host, Some(port.parse::<u16>().map_err(|error| setting("server", &error))?))
        }
        None => (config.server.as_str(), None),
    };
    let parameters =
        || TlsParameters::new(host.to_owned()).map_err(|error| setting("server", &error));
    let (tls, usual_port) = match config.encryption {
        MailEncryption::StartTls => (Tls::Required(parameters()?), 587),
        MailEncryption::Tls => (Tls::Wrapper(parameters()?), 465),
        MailEncryption::None => (Tls::None, 25),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(port.unwrap_or(usual_port))
        .tls(tls)
        .timeout(Some(SEND_TIME));
    if let (Some(user), Some(password)) = (&config.user, &config.password) {
        let password = secrets.fill(password)?.expose_secret().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}

fn mailbox(name: &'static str, text: &str) -> Result<Mailbox, DeliveryError> {
    text.parse().map_err(|error| setting(name, &error))
}

fn setting(setting: &'static str, error: &dyn std::fmt::Display) -> DeliveryError {
    DeliveryError::Setting { channel: "mail", setting, reason: error.to_string() }
}
