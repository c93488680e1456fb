//! File names that a mail writes in pieces (RFC 2231): `filename*0*=UTF-8''Invoice%20(; filename*1="2026).pdf"`.
//!
//! The parser takes a parenthesis in them for the beginning of a comment, and loses the rest.

use std::collections::BTreeMap;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{HeaderName, MessagePart};

use super::message::slice;

/// A piece of a value: whether it is percent-encoded, and its text.
type Piece = (bool, Vec<u8>);

/// The file name of a part, if it is written in pieces.
pub(super) fn in_pieces(part: &MessagePart<'_>, bytes: &[u8]) -> Option<String> {
    [(HeaderName::ContentDisposition, "filename"), (HeaderName::ContentType, "name")]
        .into_iter()
        .find_map(|(header, parameter)| {
            let header = part.headers.iter().rev().find(|it| it.name == header)?;
            joined(slice(bytes, header.offset_start, header.offset_end), parameter)
        })
}

/// The pieces of a parameter in their order, decoded.
fn joined(header: &[u8], parameter: &str) -> Option<String> {
    let mut pieces = pieces(header, parameter);
    let mut charset = None;
    let mut name = Vec::new();
    for number in 0.. {
        let Some((is_encoded, mut text)) = pieces.remove(&number) else { break };
        if number == 0 && is_encoded {
            let mut parts = text.splitn(3, |it| *it == b'\'');
            let (of, _language, rest) = (parts.next()?, parts.next()?, parts.next()?);
            charset = charset_decoder(of);
            text = rest.to_vec();
        }
        name.extend(if is_encoded { percent_decoded(&text) } else { text });
    }
    let name = match charset {
        Some(decode) => decode(&name),
        None => String::from_utf8_lossy(&name).into_owned(),
    };
    (!name.is_empty()).then_some(name)
}

/// The pieces of a parameter by their numbers.
fn pieces(header: &[u8], parameter: &str) -> BTreeMap<u32, Piece> {
    let mut pieces = BTreeMap::new();
    for assignment in assignments(header) {
        let Some(equals) = assignment.iter().position(|it| *it == b'=') else { continue };
        let (key, value) = assignment.split_at(equals);
        let key = String::from_utf8_lossy(key).trim().to_ascii_lowercase();
        let Some(number) = key.strip_prefix(parameter).and_then(|it| it.strip_prefix('*')) else {
            continue;
        };
        let is_encoded = number.ends_with('*');
        if let Ok(number) = number.trim_end_matches('*').parse() {
            let value = value.get(1..).unwrap_or_default();
            pieces.insert(number, (is_encoded, unquoted(value.trim_ascii())));
        }
    }
    pieces
}

/// The parts of a header between semicolons, but not those within quotes.
fn assignments(header: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for byte in header {
        match byte {
            b';' if !is_quoted => all.push(Vec::new()),
            // Lines are folded before a blank.
            b'\r' | b'\n' => {}
            _ => {
                is_quoted ^= *byte == b'"' && !is_escaped;
                is_escaped = *byte == b'\\' && !is_escaped;
                all.last_mut().into_iter().for_each(|it| it.push(*byte));
            }
        }
    }
    all
}

fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")) else {
        return value.to_vec();
    };
    let mut text = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        let escaped = if *byte == b'\\' { bytes.next() } else { None };
        text.push(*escaped.unwrap_or(byte));
    }
    text
}

/// Bytes for `%2F` and the like; what is no such escape stays.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |at: Option<&u8>| at.and_then(|it| char::from(*it).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let code = digit(after.first()).zip(digit(after.get(1)));
        let code = code.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        match code.filter(|_| *byte == b'%') {
            Some(code) => {
                decoded.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_whatever_is_in_them() {
        let of = |header: &str| joined(header.as_bytes(), "filename");

        for (header, name) in [
            (" attachment; filename*0*=UTF-8''R%C3%BC(1; filename*1=\"; 2).pdf\"", "Rü(1; 2).pdf"),
            (
                "attachment;\r\n FILENAME*1*=%20b.txt;\r\n filename*0*=iso-8859-1'de'%e4(",
                "ä( b.txt",
            ),
            ("attachment; filename*0=\"a \\\"(\"; filename*1=b%20", "a \"(b%20"),
            ("attachment; filename*0*=x''100%; filename*1*=%zz", "100%%zz"),
        ] {
            assert_eq!(of(header).as_deref(), Some(name), "{header}");
        }
        for header in
            ["attachment; filename=a.txt", "attachment; filename*=UTF-8''a", "; filename*1=b", ""]
        {
            assert_eq!(of(header), None, "{header}");
        }
    }
}
