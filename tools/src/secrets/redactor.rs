//! Finds secrets in text: plain, percent-encoded, escaped, or in base64.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

/// Shorter text occurs by chance. Redacting it would damage results and would not hide the secret.
pub(crate) const MIN_SECRET_BYTES: usize = 6;

/// Replaces a secret.
const REDACTED: &str = "***";

/// Finds secrets in text and replaces them.
#[derive(Debug)]
pub(super) struct Redactor {
    /// Each secret, plain and in base64.
    patterns: Vec<SecretSlice<u8>>,
    /// The bytes that an occurrence can begin with. Most text has few of them, so most positions are skipped at once.
    first_bytes: [bool; 256],
}

impl Default for Redactor {
    fn default() -> Self {
        Self { patterns: Vec::new(), first_bytes: [false; 256] }
    }
}

impl Redactor {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a SecretString>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets.filter(|secret| Self::can_redact(secret)) {
            let secret = secret.expose_secret().as_bytes();
            redactor.add_pattern(secret.to_vec());
            (0..3)
                .flat_map(|n_before| in_base64(secret, n_before))
                .for_each(|pattern| redactor.add_pattern(pattern));
        }
        redactor
    }

    pub(super) fn can_redact(secret: &SecretString) -> bool {
        secret.expose_secret().len() >= MIN_SECRET_BYTES
    }

    /// Whether there are no patterns.
    pub(super) const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    fn add_pattern(&mut self, pattern: Vec<u8>) {
        for byte in pattern.first().into_iter().chain(b"%\\+") {
            if let Some(first_bytes) = self.first_bytes.get_mut(usize::from(*byte)) {
                *first_bytes = true;
            }
        }
        self.patterns.push(pattern.into());
    }

    pub(super) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut redacted = String::new();
        let mut copied = 0;
        let mut at = 0;
        while let Some(rest) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
            match self.match_at(rest) {
                Some(n_bytes) => {
                    redacted.push_str(text.get(copied..at).unwrap_or_default());
                    redacted.push_str(REDACTED);
                    at += n_bytes;
                    copied = at;
                }
                None => at += 1,
            }
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        redacted.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(redacted)
    }

    /// The length of the longest occurrence of a pattern at the beginning of `text`.
    fn match_at(&self, text: &[u8]) -> Option<usize> {
        let first = usize::from(*text.first()?);
        if !self.first_bytes.get(first).copied().unwrap_or_default() {
            return None;
        }
        self.patterns
            .iter()
            .filter_map(|pattern| matched_length(pattern.expose_secret(), text))
            .max()
    }
}

/// How many bytes of `text` the pattern takes, if `text` begins with it in one of its forms.
fn matched_length(pattern: &[u8], text: &[u8]) -> Option<usize> {
    // A `%` or `\` may be literal or begin an escape, so there may be several positions to continue from.
    let mut ends = vec![0];
    for byte in pattern {
        ends = ends.iter().flat_map(|end| next_ends(*byte, text, *end)).collect();
        ends.dedup();
        if ends.is_empty() {
            return None;
        }
    }
    ends.into_iter().max()
}

/// Where `byte` ends if it is at `at` in `text`: literal, percent-encoded, or escaped as in JSON.
fn next_ends(byte: u8, text: &[u8], at: usize) -> impl Iterator<Item = usize> + use<> {
    let rest = text.get(at..).unwrap_or_default();
    let literal = (rest.first() == Some(&byte)).then_some(1);
    let encoded = match *rest {
        [b'+', ..] if byte == b' ' => Some(1),
        [b'%', high, low, ..] => is_hex([high, low], byte).then_some(3),
        [b'\\', b'u', b'0', b'0', high, low, ..] => is_hex([high, low], byte).then_some(6),
        [b'\\', escaped, ..] => {
            let unescaped = match escaped {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => other,
            };
            (unescaped == byte).then_some(2)
        }
        _ => None,
    };
    literal.into_iter().chain(encoded).map(move |n_bytes| at + n_bytes)
}

fn is_hex(digits: [u8; 2], byte: u8) -> bool {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    high.zip(low).is_some_and(|(high, low)| high * 16 + low == u32::from(byte))
}

/// The base64 characters that only `secret` determines when `n_before` bytes (modulo 3) precede it, in both alphabets.
fn in_base64(secret: &[u8], n_before: usize) -> [Vec<u8>; 2] {
    let padded = Zeroizing::new([&vec![0; n_before], secret].concat());
    let n_shared = (n_before * 8).div_ceil(6);
    let n_complete = padded.len() * 8 / 6;
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| {
        let encoded = Zeroizing::new(alphabet.encode(&padded));
        encoded.as_bytes().get(n_shared..n_complete).unwrap_or_default().to_vec()
    })
}
