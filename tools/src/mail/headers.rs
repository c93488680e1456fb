//! Repairs what mail programs read although no standard allows it: a byte order mark before the first header, lines that end
//! with a carriage return alone, and characters that were cut in two between encoded words.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// Base64 as mail programs read it: with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The longest encoded word. The standard allows 75 bytes.
const MAX_WORD_BYTES: usize = 4_000;

/// The text without a byte order mark, and with line feeds where it has carriage returns alone.
pub(super) fn with_line_feeds(bytes: &[u8]) -> Cow<'_, [u8]> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.contains(&b'\n') || !bytes.contains(&b'\r') {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned(bytes.iter().map(|it| if *it == b'\r' { b'\n' } else { *it }).collect())
}

/// The mail with neighbouring encoded words of its headers joined.
pub(super) fn repaired(bytes: &[u8]) -> Cow<'_, [u8]> {
    let end = ["\n\n", "\n\r\n"].iter().filter_map(|it| find(bytes, it.as_bytes())).min();
    let (headers, rest) =
        bytes.split_at_checked(end.unwrap_or(bytes.len())).unwrap_or((bytes, b""));
    if find(headers, b"=?").is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut joined = Vec::with_capacity(bytes.len());
    let mut pending: Option<EncodedWord<'_>> = None;
    let mut unread = headers;
    while !unread.is_empty() {
        let n_space = unread.iter().take_while(|it| it.is_ascii_whitespace()).count();
        let (space, next) = unread.split_at_checked(n_space).unwrap_or((unread, b""));
        match EncodedWord::first_of(next) {
            Some((word, after)) => {
                // Blanks between two encoded words are no part of the text.
                if pending.as_mut().is_some_and(|it| it.join(&word)) {
                    unread = after;
                    continue;
                }
                if let Some(pending) = pending.replace(word) {
                    pending.write(&mut joined);
                }
                joined.extend_from_slice(space);
                unread = after;
            }
            None => {
                if let Some(pending) = pending.take() {
                    pending.write(&mut joined);
                }
                joined.extend_from_slice(space);
                let n_text = find(next.get(1..).unwrap_or_default(), b"=?");
                let n_text = n_text.map_or(next.len(), |it| it + 1);
                // The blanks before an encoded word are read with it.
                let text = next.get(..n_text).unwrap_or(next).trim_ascii_end();
                let text = if text.is_empty() { next.get(..n_text).unwrap_or(next) } else { text };
                joined.extend_from_slice(text);
                unread = next.get(text.len()..).unwrap_or_default();
            }
        }
    }
    if let Some(pending) = pending {
        pending.write(&mut joined);
    }
    joined.extend_from_slice(rest);
    Cow::Owned(joined)
}

/// `=?charset?encoding?text?=`.
#[derive(Debug)]
struct EncodedWord<'x> {
    charset: &'x str,
    encoding: u8,
    text: &'x [u8],
    /// The bytes or the quoted text of the word and of all that were joined to it.
    content: Option<Vec<u8>>,
}

impl<'x> EncodedWord<'x> {
    /// The word that `bytes` begins with, and what follows it.
    fn first_of(bytes: &'x [u8]) -> Option<(Self, &'x [u8])> {
        let near = bytes.get(..MAX_WORD_BYTES).unwrap_or(bytes);
        let (charset, rest) = split_once(near.strip_prefix(b"=?")?, b"?")?;
        let (encoding, rest) = split_once(rest, b"?")?;
        let (text, rest) = split_once(rest, b"?=")?;
        let after = bytes.get(near.len() - rest.len()..)?;
        let charset = std::str::from_utf8(charset).ok()?;
        let [encoding] = encoding else { return None };
        let encoding = encoding.to_ascii_uppercase();
        if text.iter().any(u8::is_ascii_control) || charset.contains(char::is_whitespace) {
            return None;
        }
        let content = match encoding {
            b'B' => LENIENT.decode(text).ok(),
            b'Q' => Some(text.to_vec()),
            _ => return None,
        };
        Some((Self { charset, encoding, text, content }, after))
    }

    /// Adds the next word, if it is of the same kind.
    fn join(&mut self, next: &Self) -> bool {
        let is_same = self.charset.eq_ignore_ascii_case(next.charset);
        match (&mut self.content, &next.content) {
            (Some(content), Some(more)) if is_same && self.encoding == next.encoding => {
                content.extend_from_slice(more);
                true
            }
            _ => false,
        }
    }

    fn write(self, into: &mut Vec<u8>) {
        let text = match (self.content, self.encoding) {
            (Some(content), b'B') => STANDARD.encode(content).into_bytes(),
            (Some(content), _) => content,
            (None, _) => self.text.to_vec(),
        };
        let head = format!("=?{}?{}?", self.charset, char::from(self.encoding));
        into.extend_from_slice(head.as_bytes());
        into.extend_from_slice(&text);
        into.extend_from_slice(b"?=");
    }
}

fn split_once<'x>(bytes: &'x [u8], separator: &[u8]) -> Option<(&'x [u8], &'x [u8])> {
    let idx = find(bytes, separator)?;
    Some((bytes.get(..idx)?, bytes.get(idx + separator.len()..)?))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|it| it == part)
}
