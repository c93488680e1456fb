//! Reads one mail.
//!
//! # Mails within mails
//! The parser takes mails apart that are attached to a mail, at any depth. It keeps what it found as a tree, and freeing a deep
//! tree would use up the stack. So the tree is taken apart one level after the other, and a mail that is too deep is refused.
//! The parser never sees the transfer encodings: behind an encoding it would recurse, and copy the rest of the mail for each
//! level. The parts that are read are decoded here.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{
    DateTime, HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _, PartType,
};
use windlass_core::Timestamp;

use super::addresses::addresses;
use super::file_name;
use super::headers;
use super::html::html_to_text;
use super::{Attachment, Mail};

/// How deep mails may lie within a mail.
const MAX_DEPTH: usize = 100;

/// Why a mail cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MailError {
    #[error(
        "is no mail: it begins with none of the headers that a mail has, such as `From:` and `Date:`"
    )]
    NoMail,
    #[error("holds mails within mails, {depth} deep: at most {MAX_DEPTH} are read")]
    TooDeep { depth: usize },
}

/// Reads a mail without an envelope line.
pub(super) fn read(bytes: &[u8]) -> Result<Mail, MailError> {
    let bytes = headers::repaired(bytes);
    let parser = MessageParser::new()
        .with_mime_headers()
        .with_date_headers()
        .with_address_headers()
        .with_message_ids()
        .header_text(HeaderName::Subject)
        .ignore_header(HeaderName::ContentTransferEncoding);
    let message = parser.parse(bytes.as_ref()).ok_or(MailError::NoMail)?;
    let mail = mail(&message, &bytes);
    let depth = take_apart(message);
    if depth > MAX_DEPTH { Err(MailError::TooDeep { depth }) } else { mail }
}

/// Frees a mail without recursion. Returns how deep mails lay within it.
fn take_apart(message: Message<'_>) -> usize {
    let mut pending = vec![(0, message.parts)];
    let mut deepest = 0;
    while let Some((depth, parts)) = pending.pop() {
        deepest = deepest.max(depth);
        for part in parts {
            if let PartType::Message(inner) = part.body {
                pending.push((depth + 1, inner.parts));
            }
        }
    }
    deepest
}

fn mail(message: &Message<'_>, bytes: &[u8]) -> Result<Mail, MailError> {
    const TYPICAL_HEADERS: [HeaderName<'_>; 6] = [
        HeaderName::From,
        HeaderName::To,
        HeaderName::Subject,
        HeaderName::Date,
        HeaderName::MessageId,
        HeaderName::Received,
    ];
    if !TYPICAL_HEADERS.iter().any(|name| message.header(name.clone()).is_some()) {
        return Err(MailError::NoMail);
    }
    // Of several, mail programs take the first.
    let message_id = message.header_values(HeaderName::MessageId).find_map(|it| it.as_text());
    let html = text_of(message.html_bodies().filter(|part| part.is_text_html()), bytes);
    Ok(Mail {
        message_id: message_id.map(str::to_owned),
        from: addresses(message.from()).join(", "),
        to: addresses(message.to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        date: message.date().and_then(instant),
        text: text(message, bytes, html.as_deref()),
        html,
        attachments: message.attachments().map(|part| attachment(part, bytes)).collect(),
    })
}

/// `None` if the date does not exist.
fn instant(date: &DateTime) -> Option<String> {
    date.is_valid().then(|| Timestamp::parse(&date.to_rfc3339())).flatten().map(|it| it.to_string())
}

/// The text. Text parts that are blank count as none, if the HTML says something.
fn text(message: &Message<'_>, bytes: &[u8], html: Option<&str>) -> String {
    let parts = message.text_bodies().map(|part| {
        let text = part_text(part, bytes);
        if part.is_text_html() { html_to_text(&text) } else { text }
    });
    let text = parts.collect::<Vec<_>>().join("\n");
    match html {
        Some(html) if text.trim().is_empty() => html_to_text(html),
        _ => text,
    }
}

/// The texts of parts, or `None` if there are no parts.
fn text_of<'x>(parts: impl Iterator<Item = &'x MessagePart<'x>>, bytes: &[u8]) -> Option<String> {
    let texts: Vec<_> = parts.map(|part| part_text(part, bytes)).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

fn part_text(part: &MessagePart<'_>, bytes: &[u8]) -> String {
    let content = content(part, bytes);
    let charset = part.content_type().and_then(|it| it.attribute("charset"));
    match charset.and_then(|it| charset_decoder(it.as_bytes())) {
        Some(decode) => decode(&content),
        None => String::from_utf8_lossy(&content).into_owned(),
    }
}

/// The decoded content of a part; as it stands if its encoding is none or is broken.
fn content<'x>(part: &MessagePart<'_>, bytes: &'x [u8]) -> Cow<'x, [u8]> {
    let raw = slice(bytes, part.offset_body, part.offset_end);
    let encoding =
        part.headers.iter().rev().find(|it| it.name == HeaderName::ContentTransferEncoding);
    let encoding = encoding.map(|it| slice(bytes, it.offset_start, it.offset_end));
    let decoded = match encoding.map(<[u8]>::trim_ascii) {
        Some(name) if name.eq_ignore_ascii_case(b"base64") => base64_decode(raw),
        Some(name) if name.eq_ignore_ascii_case(b"quoted-printable") => {
            quoted_printable_decode(raw)
        }
        _ => None,
    };
    decoded.map_or(Cow::Borrowed(raw), Cow::Owned)
}

pub(super) fn slice(bytes: &[u8], from: u32, to: u32) -> &[u8] {
    bytes.get(from as usize..to as usize).unwrap_or_default()
}

fn attachment(part: &MessagePart<'_>, bytes: &[u8]) -> Attachment {
    let media_type = part.content_type().map(|it| match &it.c_subtype {
        Some(subtype) => format!("{}/{subtype}", it.c_type).to_ascii_lowercase(),
        None => it.c_type.to_ascii_lowercase(),
    });
    Attachment {
        name: file_name::in_pieces(part, bytes)
            .or_else(|| part.attachment_name().map(str::to_owned)),
        media_type: media_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: content(part, bytes).len() as u64,
    }
}
