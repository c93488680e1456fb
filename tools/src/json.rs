//! JSON from other programs, read as JavaScript reads it.
//!
//! `serde_json` refuses half of a surrogate pair, which programs write when they cut a text within a character, and more than 127
//! levels. Both are replaced in the text before it is read.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;
use windlass_core::with_whole_characters;

/// How many levels are read. Values are wrapped before they are stored, and at 127 levels they could not be read again.
const MAX_DEPTH: usize = 100;

/// The largest integer below which JavaScript rounds none.
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// A JSON text that `serde_json` can read, and what a reader should know of it.
#[derive(Debug)]
pub(crate) struct Repaired<'a> {
    pub(crate) text: Cow<'a, str>,
    /// What was changed, or will be when JavaScript reads it.
    pub(crate) note: Option<String>,
}

/// Reads a JSON text, and says what JavaScript does not see as it is written.
pub(crate) fn read(text: &str) -> Result<(Value, Option<String>), serde_json::Error> {
    let Repaired { text, note } = repaired(text);
    Ok((serde_json::from_str(&text)?, note))
}

/// Replaces half characters by U+FFFD, values below [`MAX_DEPTH`] levels by their JSON text, and numbers that are too large by null.
pub(crate) fn repaired(text: &str) -> Repaired<'_> {
    let mut tokens = Tokens { text, at: 0 };
    let mut edited = Edited { text, from: 0, result: String::new() };
    let mut notes = Notes::default();
    let mut depth = 0_usize;
    while let Some(Token { kind, at }) = tokens.next() {
        let token = slice(text, &at);
        match kind {
            TokenKind::Open if depth == MAX_DEPTH => {
                let nested = at.start..tokens.skip_nested();
                edited.replace(&nested, &Value::from(slice(text, &nested)).to_string());
                notes.is_deep = true;
            }
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Text => {
                if let Some(whole) = with_whole_characters(token) {
                    edited.replace(&at, &whole);
                }
            }
            TokenKind::Number => {
                let number: f64 = token.parse().unwrap_or_default();
                if number.is_infinite() {
                    edited.replace(&at, "null");
                    notes.is_beyond = true;
                } else if number.abs() > MAX_SAFE_INTEGER && !token.contains(['.', 'e', 'E']) {
                    notes.rounded.get_or_insert(token);
                }
            }
            TokenKind::Other => {}
        }
    }
    Repaired { text: edited.finish(), note: notes.text() }
}

/// The `id` of a JSON-RPC answer whose text need not be valid or complete; none if it is no answer.
pub(crate) fn answered_id(text: &str) -> Option<Value> {
    let (mut depth, mut key, mut id, mut is_answer) = (0_usize, None, None, false);
    for Token { kind, at } in (Tokens { text, at: 0 }) {
        let token = slice(text, &at);
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Text if depth == 1 && key.is_none() => {
                key = Some(token);
                is_answer |= token == r#""result""#;
            }
            TokenKind::Text | TokenKind::Number if depth == 1 && key == Some(r#""id""#) => {
                id = serde_json::from_str(token).ok();
            }
            TokenKind::Other if depth == 1 && token.contains(',') => key = None,
            TokenKind::Text | TokenKind::Number | TokenKind::Other => {}
        }
    }
    id.filter(|_| is_answer)
}

#[derive(Debug, Default)]
struct Notes<'a> {
    is_deep: bool,
    is_beyond: bool,
    rounded: Option<&'a str>,
}

impl Notes<'_> {
    fn text(&self) -> Option<String> {
        let mut notes = Vec::new();
        if self.is_deep {
            notes.push(format!(
                "what is nested deeper than {MAX_DEPTH} levels is given as its JSON text"
            ));
        }
        if self.is_beyond {
            notes.push("numbers that are too large for JavaScript are null".to_owned());
        }
        if let Some(number) = self.rounded {
            let number: String = number.chars().take(40).collect();
            notes.push(format!("integers above 2^53, such as {number}, are rounded"));
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

/// A text with some parts replaced.
struct Edited<'a> {
    text: &'a str,
    /// Up to here the text is in the result.
    from: usize,
    result: String,
}

impl<'a> Edited<'a> {
    fn replace(&mut self, part: &Range<usize>, by: &str) {
        self.result.push_str(slice(self.text, &(self.from..part.start)));
        self.result.push_str(by);
        self.from = part.end;
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.from == 0 {
            return Cow::Borrowed(self.text);
        }
        self.result.push_str(slice(self.text, &(self.from..self.text.len())));
        Cow::Owned(self.result)
    }
}

#[derive(Debug, Clone, Copy)]
enum TokenKind {
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// A string with its quotes.
    Text,
    Number,
    /// Everything between those.
    Other,
}

#[derive(Debug)]
struct Token {
    kind: TokenKind,
    at: Range<usize>,
}

/// The tokens of a text, which need not be valid JSON.
#[derive(Debug)]
struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl Tokens<'_> {
    /// Skips what an opening bracket has begun, and returns where it ends.
    fn skip_nested(&mut self) -> usize {
        let mut depth = 1_usize;
        while let Some(token) = (depth > 0).then(|| self.next()).flatten() {
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth -= 1,
                TokenKind::Text | TokenKind::Number | TokenKind::Other => {}
            }
        }
        self.at
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let run = |is_part: fn(&u8) -> bool| rest.iter().take_while(|it| is_part(it)).count();
        let (kind, len) = match rest.first()? {
            b'{' | b'[' => (TokenKind::Open, 1),
            b'}' | b']' => (TokenKind::Close, 1),
            b'"' => (TokenKind::Text, string_len(rest)),
            b'-' | b'0'..=b'9' => (TokenKind::Number, run(is_in_number)),
            _ => (TokenKind::Other, run(is_other)),
        };
        let at = self.at..self.at + len;
        self.at = at.end;
        Some(Token { kind, at })
    }
}

const fn is_in_number(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

const fn is_other(byte: &u8) -> bool {
    !matches!(byte, b'{' | b'[' | b'}' | b']' | b'"' | b'-' | b'0'..=b'9')
}

/// The length of the string that `rest` begins with, up to its closing quote or the end of the text.
fn string_len(rest: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = rest.iter().skip(1).position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |end| end + 2)
}

fn slice<'a>(text: &'a str, part: &Range<usize>) -> &'a str {
    text.get(part.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Value {
        read(text).unwrap().0
    }

    #[test]
    fn half_characters_become_the_replacement_character_and_whole_ones_stay() {
        let text = r#"{"a\ud83d":["cut \ud83d","\udE00 \\ud83d","\ud83d\ude00","\ud83d\ud83d\ude00","\""]}"#;

        let expected =
            json!({"a\u{fffd}": ["cut \u{fffd}", "\u{fffd} \\ud83d", "😀", "\u{fffd}😀", "\""]});
        assert_eq!(read(text).unwrap(), (expected, None));
    }

    #[test]
    fn what_is_nested_too_deeply_is_given_as_text_and_nothing_is_lost() {
        for depth in [100, 101, 130, 100_000] {
            let (open, close) = (r#"{"]":["#.repeat(depth / 2), "]}".repeat(depth / 2));
            let text = format!("{}{open}1{close}", "[".repeat(depth % 2)) + &"]".repeat(depth % 2);

            let (mut value, note) = read(&text).unwrap();

            assert_eq!(note.is_some(), depth > 100, "{depth}");
            for _level in 0..100 {
                value = match value {
                    Value::Array(items) => items.into_iter().next().unwrap(),
                    Value::Object(entries) => entries.into_iter().next().unwrap().1,
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                        panic!("a value that is not nested")
                    }
                };
            }
            let inner =
                if depth > 100 { value.as_str().unwrap().to_owned() } else { value.to_string() };
            let brackets = inner.bytes().filter(|it| matches!(it, b'{' | b'[')).count();
            assert_eq!(brackets, depth - 100, "{depth}");
        }
    }

    #[test]
    fn integers_that_javascript_rounds_are_named() {
        let note = |text: &str| read(text).unwrap().1;

        assert_eq!(note("[9007199254740991,-9007199254740991,1e300,9007199254740993.5]"), None);
        let told = "integers above 2^53, such as 9007199254740993, are rounded";
        assert_eq!(note(r#"{"id":9007199254740993,"b":1e19}"#).as_deref(), Some(told));
        assert!(note("-123456789012345678901234567890").is_some());
        assert_eq!(note(r#"{"id":"9007199254740993"}"#), None, "a text");
        assert_eq!(value("[1e400,2]"), json!([null, 2]));
    }

    #[test]
    fn the_id_of_an_answer_is_found_however_the_rest_looks() {
        let id = |text: &str| answered_id(text);

        assert_eq!(id(r#"{"jsonrpc":"2.0","id":7,"result":{"a":NaN}"#), Some(json!(7)));
        assert_eq!(id(r#"{"result":{"id":1,"x":["id",2]},"id":"seven"}"#), Some(json!("seven")));
        assert_eq!(id(r#"{"id":7,"result":{"text":"cut he"#), Some(json!(7)));
        assert_eq!(id(r#"{"id":7,"error":{"id":8}"#), None, "it says that it failed");
        assert_eq!(id(r#"{"id":7,"method":"ping"}"#), None);
        assert_eq!(id(r#"{"result":{"id":7}}"#), None);
        assert_eq!(id("starting on port 7"), None);
    }

    proptest! {
        #[test]
        fn what_needs_no_repair_is_not_changed(text in r#"[\[\]{}":,a-z0-9\\u .-]{0,80}"#) {
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(read(&text).unwrap().0, value);
            } else {
                let _ = read(&text);
                let _ = answered_id(&text);
            }
        }
    }
}
