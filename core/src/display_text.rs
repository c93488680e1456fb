//! Text from outside made harmless for a terminal and a log, and cut to a length.
//!
//! A mail's subject, a server's answer or a script's message may contain characters that move the cursor, colour the terminal,
//! turn the direction of writing, or are not visible at all. Whoever shows such a text escapes it here first: one place knows
//! which characters these are.

use std::borrow::Cow;

/// The text with harmful characters as escapes, `\u{1b}`. Line ends and tabs stay: for texts of several lines.
#[must_use]
pub fn escape_text(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_harmful(c) && c != '\n' && c != '\t')
}

/// The text as one line: with line ends and tabs escaped too, so that it cannot pass for several lines.
#[must_use]
pub fn escape_line(text: &str) -> Cow<'_, str> {
    escape(text, is_harmful)
}

/// A JSON document with harmful characters as JSON's own escapes: it means the same, and a terminal may show it. Line ends stay.
#[must_use]
pub fn escape_json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for c in document.chars() {
        if c == '\n' || !is_harmful(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            escaped += &format!("\\u{unit:04x}");
        }
    }
    escaped
}

/// The text, if it has at most `n_chars` characters; else its first ones and `…`, together as many.
#[must_use]
pub fn crop(text: &str, n_chars: usize) -> String {
    if text.chars().nth(n_chars).is_none() {
        return text.to_owned();
    }
    text.chars().take(n_chars.saturating_sub(1)).chain(['…']).collect()
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if !is_escaped(c) || joins(before, c, chars.peek().copied()) {
            escaped.push(c);
        } else {
            escaped.extend(c.escape_default());
        }
        before = Some(c);
    }
    Cow::Owned(escaped)
}

/// Whether the character does something else than stand for itself: a control character, a line or paragraph separator, a format
/// character (the general categories Cc, Zl, Zp and Cf of Unicode 16), or a variation selector that no font draws.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a joiner stands where writing needs it: between letters of a script that joins them, or in an emoji.
fn joins(before: Option<char>, c: char, after: Option<char>) -> bool {
    let is_joined =
        |c: char| ('\u{600}'..'\u{1100}').contains(&c) || c >= '\u{2190}' && !is_harmful(c);
    matches!(c, '\u{200c}' | '\u{200d}')
        && before.is_some_and(is_joined)
        && after.is_some_and(is_joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_stays_as_it_is() {
        for text in ["Grüße, 東京 👩‍👧 نمی‌خواهم", "one\ttwo\nthree"] {
            assert_eq!(escape_text(text), text);
        }
    }

    #[test]
    fn what_controls_a_terminal_or_cannot_be_seen_is_escaped() {
        let harmful = [
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200e}\u{200f}\u{61c}b", "a\\u{200e}\\u{200f}\\u{61c}b"),
            ("pay\u{200b}pal", "pay\\u{200b}pal"),
            ("pay\u{200d}pal", "pay\\u{200d}pal"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("\u{feff}a\u{ad}", "\\u{feff}a\\u{ad}"),
            ("a\u{e0041}\u{e0100}", "a\\u{e0041}\\u{e0100}"),
            ("\u{9b}31m\u{7f}\r", "\\u{9b}31m\\u{7f}\\r"),
        ];
        for (text, escaped) in harmful {
            assert_eq!(escape_text(text), escaped);
            assert_eq!(escape_line(text), escaped);
        }
    }

    #[test]
    fn a_json_document_means_the_same() {
        let text = "a\u{202e}b\u{e0041}\u{9b}31m";

        let document = escape_json(&serde_json::json!([text]).to_string());

        assert!(document.is_ascii(), "{document}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&document).unwrap(), [text]);
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(escape_line("done\nworkflow: paid\t$5"), "done\\nworkflow: paid\\t$5");
        assert_eq!(escape_text("done\npaid\t$5"), "done\npaid\t$5");
    }

    #[test]
    fn a_long_text_is_cropped() {
        assert_eq!(crop("abcdef", 6), "abcdef");
        assert_eq!(crop("abcdefg", 6), "abcde…");
        assert_eq!(crop("äöüß", 3), "äö…");
        assert_eq!(crop("", 9), "");
    }
}
