//! `Mail.parse`: reads a mail file (`.eml`) or a mailbox (mbox).

use std::sync::Arc;

use async_trait::async_trait;
use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{
    Addr, Address, DateTime, HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::{Failure, Timestamp};
use windlass_scheduler::{Effect, Subject, Tool, ToolCall};

use super::files::{Roots, read_limited};
use super::method::{Method, MethodDescription, TypedTool, off_thread};

/// The tool of the namespace `Mail`.
pub(super) fn tool(roots: &Arc<Roots>, max_read_bytes: u64) -> Arc<dyn Tool> {
    Arc::new(TypedTool::new(Parse { roots: Arc::clone(roots), max_read_bytes }))
}

#[derive(Debug)]
struct Parse {
    roots: Arc<Roots>,
    max_read_bytes: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ParseInput {
    /// The file, for example `inbox/a.eml`.
    path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
struct Mail {
    /// Without the angle brackets; null where the mail has none.
    message_id: Option<String>,
    /// `Name <address>`, or the address alone; empty where the mail does not say.
    from: String,
    /// The receivers, each like `from`.
    to: Vec<String>,
    /// Decoded; empty where there is none.
    subject: String,
    /// When it was written by its own account: an ISO 8601 instant in UTC, or null.
    date: Option<String>,
    /// The text; where there is only HTML, what that says as text.
    text: String,
    /// The HTML, or null.
    html: Option<String>,
    /// What is attached. The contents are not given.
    attachments: Vec<Attachment>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Attachment {
    /// The file name, or null.
    name: Option<String>,
    /// The media type, for example `application/pdf`.
    #[serde(rename = "type")]
    media_type: String,
    /// In bytes, decoded.
    size: u64,
}

#[async_trait]
impl Method for Parse {
    type Input = ParseInput;
    type Output = Vec<Mail>;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: "Mail",
            method: "parse",
            docs: "\
Reads the mails of a file: `Mail.parse({path})` → `[{messageId, from, to, subject, date, text, html, attachments}]`.

An `.eml` file gives one mail, an mbox all of its mails in their order. The file is one that `Files` may use, and no \
larger than the setting `[tools.files] max_read_mib`.",
            effect: Effect::Read,
            input_types: &[("Mail", "message")],
        }
    }

    fn subject(&self, input: &ParseInput) -> Subject {
        super::files::subject(&input.path)
    }

    async fn read(&self, input: ParseInput, _call: ToolCall) -> Result<Vec<Mail>, Failure> {
        let location = self.roots.locate(&input.path).await?;
        let max_bytes = self.max_read_bytes;
        off_thread(move || mails(&read_limited(&location, max_bytes)?, &location.path)).await?
    }
}

fn mails(bytes: &[u8], path: &str) -> Result<Vec<Mail>, Failure> {
    if !bytes.starts_with(b"From ") {
        return mail(bytes).map(|mail| vec![mail]).ok_or_else(|| {
            Failure::logic(format!(
                "`{path}` is no mail: it begins with none of the headers that a mail has, such as `From:` and `Date:`"
            ))
        });
    }
    let mut mails = Vec::new();
    for (idx, message) in MessageIterator::new(bytes).enumerate() {
        // Reading from memory does not fail.
        let message =
            message.map_err(|err| Failure::internal(format!("could not read `{path}`: {err}")))?;
        let mail = mail(message.contents()).ok_or_else(|| {
            Failure::logic(format!(
                "number {} of the mailbox `{path}` is no mail: it has no headers",
                idx + 1
            ))
        })?;
        mails.push(mail);
    }
    Ok(mails)
}

/// `None` if the text has none of the headers that a mail has.
fn mail(bytes: &[u8]) -> Option<Mail> {
    const TYPICAL_HEADERS: [HeaderName<'_>; 6] = [
        HeaderName::From,
        HeaderName::To,
        HeaderName::Subject,
        HeaderName::Date,
        HeaderName::MessageId,
        HeaderName::Received,
    ];
    let message = MessageParser::default().parse(bytes)?;
    if !TYPICAL_HEADERS.iter().any(|name| message.header(name.clone()).is_some()) {
        return None;
    }
    Some(Mail {
        message_id: message.message_id().map(str::to_owned),
        from: addresses(message.from()).join(", "),
        to: addresses(message.to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        date: message.date().and_then(instant),
        text: text(&message),
        html: html(&message),
        attachments: message.attachments().map(attachment).collect(),
    })
}

fn addresses(address: Option<&Address<'_>>) -> Vec<String> {
    address.into_iter().flat_map(Address::iter).filter_map(address_text).collect()
}

fn address_text(address: &Addr<'_>) -> Option<String> {
    match (address.name(), address.address()) {
        (Some(name), Some(address)) => Some(format!("{name} <{address}>")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

/// `None` if the date does not exist.
fn instant(date: &DateTime) -> Option<String> {
    date.is_valid().then(|| Timestamp::parse(&date.to_rfc3339())).flatten().map(|it| it.to_string())
}

fn text(message: &Message<'_>) -> String {
    let parts: Vec<_> =
        (0..message.text_body_count()).filter_map(|idx| message.body_text(idx)).collect();
    parts.join("\n")
}

fn html(message: &Message<'_>) -> Option<String> {
    let parts: Vec<_> = message
        .html_bodies()
        .filter(|part| part.is_text_html())
        .filter_map(MessagePart::text_contents)
        .collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    let media_type = part.content_type().map(|it| match &it.c_subtype {
        Some(subtype) => format!("{}/{subtype}", it.c_type).to_ascii_lowercase(),
        None => it.c_type.to_ascii_lowercase(),
    });
    Attachment {
        name: part.attachment_name().map(str::to_owned),
        media_type: media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: part.len() as u64,
    }
}
