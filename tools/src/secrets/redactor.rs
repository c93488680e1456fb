//! Finds secrets in text, plain or encoded.
//!
//! It is not the text that is decoded: that would have to be done in every order of encodings. Each character of a secret is looked for
//! in every form that it can have in text.

mod forms;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use self::forms::{after_wrap, char_ends};

/// Shorter text occurs by chance. Redacting it would damage results and would not hide the secret.
pub(crate) const MIN_SECRET_BYTES: usize = 6;

/// Replaces a secret.
const REDACTED: &str = "***";

/// Finds secrets in text and replaces them.
#[derive(Debug)]
pub(super) struct Redactor {
    /// Each secret, plain, in hexadecimal digits and in base64.
    patterns: Vec<Pattern>,
    /// The bytes that an occurrence can begin with. Most text has few of them, so most positions are skipped at once.
    first_bytes: [bool; 256],
}

/// A text to look for.
#[derive(Debug)]
struct Pattern {
    text: SecretString,
    alphabet: Alphabet,
}

/// What a pattern consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    /// The characters of the secret.
    Plain,
    /// Hexadecimal digits, in either case and with separators.
    Hex,
    /// Base64, which may be wrapped.
    Base64,
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
            let text = secret.expose_secret();
            redactor.add_pattern(Alphabet::Plain, text.to_owned());
            redactor.add_pattern(Alphabet::Hex, in_hex(text.as_bytes()));
            (0..3)
                .flat_map(|n_before| in_base64(text.as_bytes(), n_before))
                .for_each(|pattern| redactor.add_pattern(Alphabet::Base64, pattern));
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

    fn add_pattern(&mut self, alphabet: Alphabet, text: String) {
        let first = text.as_bytes().first().copied().unwrap_or_default();
        let firsts = [first, first.to_ascii_uppercase()];
        for byte in firsts.into_iter().chain(*forms::FIRST_BYTES) {
            if let Some(first_bytes) = self.first_bytes.get_mut(usize::from(byte)) {
                *first_bytes = true;
            }
        }
        self.patterns.push(Pattern { text: text.into(), alphabet });
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
        self.patterns.iter().filter_map(|pattern| pattern.matched_length(text)).max()
    }
}

impl Pattern {
    /// How many bytes of `text` the pattern takes, if `text` begins with it in one of its forms.
    fn matched_length(&self, text: &[u8]) -> Option<usize> {
        // A `%`, `\` or `&` may be literal or begin an escape, so there may be several positions to continue from.
        let mut ends = vec![0];
        for (idx, c) in self.text.expose_secret().chars().enumerate() {
            let mut next = Vec::new();
            for end in ends {
                self.char_ends(c, text, end, &mut next);
                if let Some(start) = after_wrap(self.alphabet, text, end).filter(|_| idx > 0) {
                    self.char_ends(c, text, start, &mut next);
                }
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return None;
            }
            ends = next;
        }
        ends.into_iter().max()
    }

    fn char_ends(&self, c: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
        char_ends(c, text, at, ends);
        if self.alphabet == Alphabet::Hex {
            char_ends(c.to_ascii_uppercase(), text, at, ends);
        }
    }
}

fn in_hex(secret: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().map_or('0', char::from);
    secret.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The base64 characters that only `secret` determines when `n_before` bytes (modulo 3) precede it, in both alphabets.
fn in_base64(secret: &[u8], n_before: usize) -> [String; 2] {
    let padded = Zeroizing::new([&vec![0; n_before], secret].concat());
    let n_shared = (n_before * 8).div_ceil(6);
    let n_complete = padded.len() * 8 / 6;
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| {
        let encoded = Zeroizing::new(alphabet.encode(&padded));
        encoded.get(n_shared..n_complete).unwrap_or_default().to_owned()
    })
}
