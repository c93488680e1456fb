//! Characters of which a JSON text has only one half.
//!
//! JavaScript writes a character beyond U+FFFF as a pair of surrogates, and a program that cuts a text within one leaves half of it.
//! `serde_json` refuses such a text.

/// A JSON text, or a part of it that cuts no escape, with U+FFFD for each half of a surrogate pair. None if it has no half.
///
/// ```
/// use windlass_core::with_whole_characters;
///
/// assert_eq!(with_whole_characters(r#""cut \ud83d""#).as_deref(), Some(r#""cut \ufffd""#));
/// assert_eq!(with_whole_characters(r#""whole \ud83d\ude00, and \\ud83d is none""#), None);
/// ```
#[must_use]
pub fn with_whole_characters(json: &str) -> Option<String> {
    let (mut whole, mut rest, mut is_changed) = (String::new(), json, false);
    while let Some((before, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        whole.push_str(before);
        let after = |len| escape.get(len..).unwrap_or_default();
        let len = match (code_unit(escape), code_unit(after(6))) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                whole.push_str("\\ufffd");
                rest = after(6);
                is_changed = true;
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => escape.chars().take(2).map(char::len_utf8).sum(),
        };
        whole.push_str(escape.get(..len).unwrap_or_default());
        rest = after(len);
    }
    whole.push_str(rest);
    is_changed.then_some(whole)
}

/// The code unit of the escape `\uXXXX` that a text begins with.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|it| it.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}
