//! The forms that one character can have in text: itself, or escaped as in URLs, JSON, HTML, mails and program texts.

use super::Alphabet;

/// The bytes that escapes begin with.
pub(super) const FIRST_BYTES: &[u8; 5] = b"%\\+=&";

/// How often an escape can be escaped again.
const MAX_NESTING: usize = 3;

/// The most backslashes before an escaped character: each nesting doubles them.
const MAX_BACKSLASHES: usize = 8;

/// Adds where `c` ends if it is at `at` in `text`, for each of its forms.
pub(super) fn char_ends(c: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
    byte_forms(c, text, at, ends);
    unicode_escape(c, text, at, ends);
    character_reference(c, text, at, ends);
    let backslashes = backslashes(text, at);
    if c == '\\' {
        ends.extend([2, 4, 8].into_iter().filter(|n| *n <= backslashes).map(|n| at + n));
    }
    for n in 1..=backslashes {
        let unescaped = match text.get(at + n) {
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(other) if other.is_ascii() => char::from(*other),
            Some(_) | None => continue,
        };
        if unescaped == c && c != '\\' {
            ends.push(at + n + 1);
        }
    }
    if c == ' ' && text.get(at) == Some(&b'+') {
        ends.push(at + 1);
    }
}

/// Where the rest of a pattern may continue after a line break that a line length forced at `at`.
pub(super) fn after_wrap(alphabet: Alphabet, text: &[u8], at: usize) -> Option<usize> {
    let is_soft = text.get(at) == Some(&b'=');
    if alphabet == Alphabet::Plain && !is_soft {
        return None;
    }
    let start = at + usize::from(is_soft);
    let mut end = start;
    loop {
        let n_bytes = match text.get(end..) {
            Some([b'\r' | b'\n' | b' ' | b'\t', ..]) => 1,
            Some([b':' | b'-', ..]) if alphabet == Alphabet::Hex => 1,
            Some([b'%', b'0', b'A' | b'a' | b'D' | b'd' | b'9', ..]) => 3,
            _ => {
                let n = backslashes(text, end);
                if n == 0 || !matches!(text.get(end + n), Some(b'r' | b'n' | b't')) {
                    break;
                }
                n + 1
            }
        };
        end += n_bytes;
    }
    (end > start).then_some(end)
}

/// Each byte of `c` as it is, percent-encoded, or quoted as in mails (`=C3=BC`) or program texts (`\xc3\xbc`).
fn byte_forms(c: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
    let mut bytes = [0; 4];
    let mut current = vec![at];
    for (idx, byte) in c.encode_utf8(&mut bytes).bytes().enumerate() {
        let mut next = Vec::new();
        // In a mail, a line may end within a character.
        let wrapped = |at: &usize| after_wrap(Alphabet::Plain, text, *at).filter(|_| idx > 0);
        let after_wraps: Vec<_> = current.iter().filter_map(wrapped).collect();
        for at in current.into_iter().chain(after_wraps) {
            let rest = text.get(at..).unwrap_or_default();
            if rest.first() == Some(&byte) {
                next.push(at + 1);
            }
            if let Some((b'%', digits)) = rest.split_first() {
                // `%2525` is a `%` that was encoded twice.
                let nested = (0..=MAX_NESTING).take_while(|n| {
                    digits.get(..2 * n).is_some_and(|it| it.chunks(2).all(|pair| pair == b"25"))
                });
                next.extend(
                    nested
                        .filter(|n| is_hex(digits.get(2 * n..), byte))
                        .map(|n| at + 1 + 2 * n + 2),
                );
            }
            if let Some((b'=', digits)) = rest.split_first()
                && is_hex(Some(digits), byte)
            {
                next.push(at + 3);
            }
            let n = backslashes(text, at);
            if n > 0 && text.get(at + n) == Some(&b'x') && is_hex(text.get(at + n + 1..), byte) {
                next.push(at + n + 3);
            }
        }
        next.sort_unstable();
        next.dedup();
        current = next;
    }
    ends.extend(current);
}

/// `\u00fc`, of which two make a character beyond the first 65536.
fn unicode_escape(c: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
    let mut units = [0; 2];
    let mut end = at;
    for unit in c.encode_utf16(&mut units) {
        let n = backslashes(text, end);
        let digits = text.get(end + n + 1..).unwrap_or_default();
        let [high, low] = unit.to_be_bytes();
        let is_unit = n > 0
            && text.get(end + n) == Some(&b'u')
            && is_hex(Some(digits), high)
            && is_hex(digits.get(2..), low);
        if !is_unit {
            return;
        }
        end += n + 5;
    }
    ends.push(end);
}

/// `&amp;`, `&#38;` or `&#x26;`, as in HTML. The `&` may itself be written as `&amp;`.
fn character_reference(c: char, text: &[u8], at: usize, ends: &mut Vec<usize>) {
    let Some((b'&', mut body)) = text.get(at..).and_then(<[u8]>::split_first) else { return };
    let mut start = at + 1;
    for _nesting in 0..=MAX_NESTING {
        let length = body.iter().take(12).position(|byte| *byte == b';');
        let name = length.and_then(|length| std::str::from_utf8(body.get(..length)?).ok());
        if let Some(name) = name.filter(|name| referred(name) == Some(c)) {
            ends.push(start + name.len() + 1);
        }
        let Some(rest) = body.strip_prefix(b"amp;") else { return };
        body = rest;
        start += 4;
    }
}

/// The character of a reference, by its name or number.
fn referred(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        return char::from_u32(code.ok()?);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => return None,
    })
}

/// How many backslashes are at `at`, up to as many as escapes have.
fn backslashes(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().take(MAX_BACKSLASHES).take_while(|byte| **byte == b'\\').count()
}

/// Whether `digits` begin with the two hexadecimal digits of `byte`.
fn is_hex(digits: Option<&[u8]>, byte: u8) -> bool {
    let Some([high, low, ..]) = digits else { return false };
    let [high, low] = [high, low].map(|digit| char::from(*digit).to_digit(16));
    high.zip(low).is_some_and(|(high, low)| high * 16 + low == u32::from(byte))
}
