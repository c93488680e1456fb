//! Finds secrets in text, in the forms in which text repeats them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

/// A text that is shorter occurs by itself: to blot it out would spoil answers and keep nothing secret.
const LEAST_BYTES: usize = 6;

/// What stands where a secret stood.
const BLOT: &str = "***";

/// What is looked for.
#[derive(Debug)]
pub(super) struct Blotter {
    needles: Vec<SecretSlice<u8>>,
    /// The bytes that a repeated secret can begin with: most text has few of them.
    may_begin: [bool; 256],
}

impl Default for Blotter {
    fn default() -> Self {
        Self { needles: Vec::new(), may_begin: [false; 256] }
    }
}

impl Blotter {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a SecretString>) -> Self {
        let mut blotter = Self::default();
        for secret in secrets.filter(|secret| Self::can_blot(secret)) {
            let secret = secret.expose_secret().as_bytes();
            blotter.look_for(secret.to_vec());
            (0..3)
                .flat_map(|n_before| in_base64(secret, n_before))
                .for_each(|it| blotter.look_for(it));
        }
        blotter
    }

    pub(super) fn can_blot(secret: &SecretString) -> bool {
        secret.expose_secret().len() >= LEAST_BYTES
    }

    /// Whether there is nothing to look for.
    pub(super) const fn is_idle(&self) -> bool {
        self.needles.is_empty()
    }

    fn look_for(&mut self, needle: Vec<u8>) {
        for byte in needle.first().into_iter().chain(b"%\\+") {
            if let Some(may_begin) = self.may_begin.get_mut(usize::from(*byte)) {
                *may_begin = true;
            }
        }
        self.needles.push(needle.into());
    }

    pub(super) fn blot<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = String::new();
        let mut done = 0;
        let mut at = 0;
        while let Some(rest) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
            match self.match_at(rest) {
                Some(n_bytes) => {
                    clean.push_str(text.get(done..at).unwrap_or_default());
                    clean.push_str(BLOT);
                    at += n_bytes;
                    done = at;
                }
                None => at += 1,
            }
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        clean.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// The length of the longest secret that `text` begins with.
    fn match_at(&self, text: &[u8]) -> Option<usize> {
        let first = usize::from(*text.first()?);
        if !self.may_begin.get(first).copied().unwrap_or_default() {
            return None;
        }
        self.needles.iter().filter_map(|needle| length_of(needle.expose_secret(), text)).max()
    }
}

/// How many bytes of `text` repeat `needle`, if it begins with it.
fn length_of(needle: &[u8], text: &[u8]) -> Option<usize> {
    // A `%` or `\` may stand for itself or begin something encoded, so there may be several ways to read on.
    let mut ends = vec![0];
    for byte in needle {
        ends = ends.iter().flat_map(|end| next_ends(*byte, text, *end)).collect();
        ends.dedup();
        if ends.is_empty() {
            return None;
        }
    }
    ends.into_iter().max()
}

/// Where `byte` ends if it stands at `at` of `text`: as it is, percent-encoded, or escaped as in JSON.
fn next_ends(byte: u8, text: &[u8], at: usize) -> impl Iterator<Item = usize> + use<> {
    let rest = text.get(at..).unwrap_or_default();
    let literal = (rest.first() == Some(&byte)).then_some(1);
    let encoded = match *rest {
        [b'+', ..] if byte == b' ' => Some(1),
        [b'%', high, low, ..] => is_hex([high, low], byte).then_some(3),
        [b'\\', b'u', b'0', b'0', high, low, ..] => is_hex([high, low], byte).then_some(6),
        [b'\\', escaped, ..] => {
            let meant = match escaped {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => other,
            };
            (meant == byte).then_some(2)
        }
        _ => None,
    };
    literal.into_iter().chain(encoded).map(move |n_bytes| at + n_bytes)
}

fn is_hex(digits: [u8; 2], byte: u8) -> bool {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    high.zip(low).is_some_and(|(high, low)| high * 16 + low == u32::from(byte))
}

/// What base64 makes of `secret` where `n_before` bytes (modulo 3) stand before it: the letters that it alone decides.
fn in_base64(secret: &[u8], n_before: usize) -> [Vec<u8>; 2] {
    let padded = Zeroizing::new([&vec![0; n_before], secret].concat());
    let n_foreign = (n_before * 8).div_ceil(6);
    let n_letters = padded.len() * 8 / 6;
    [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|alphabet| {
        let letters = Zeroizing::new(alphabet.encode(&padded));
        letters.as_bytes().get(n_foreign..n_letters).unwrap_or_default().to_vec()
    })
}
