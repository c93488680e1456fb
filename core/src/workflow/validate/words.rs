//! Words for the messages of problems.

use serde_json::Value;

use crate::workflow::problem::FUNCTION;

/// The kind of a value.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(text) if text == FUNCTION => "a function",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The words, each in backticks.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// Longer words are no typing mistakes.
const WORD_CHARS: usize = 100;

/// The word that was probably meant: at most a third of its characters differ.
pub fn nearest<'w>(
    written: &str,
    words: impl IntoIterator<Item = &'w (impl AsRef<str> + ?Sized + 'w)>,
) -> Option<&'w str> {
    if written.chars().nth(WORD_CHARS).is_some() {
        return None;
    }
    words
        .into_iter()
        .map(AsRef::as_ref)
        .map(|word| (distance(&written.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, word)| distance * 3 <= word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many characters have to be inserted, removed or replaced to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (done, written) in from.chars().enumerate() {
        let mut next = vec![done + 1];
        for ((wanted, replace), remove) in to.chars().zip(&row).zip(row.iter().skip(1)) {
            let replace = replace + usize::from(written != wanted);
            let insert = next.last().map_or(usize::MAX, |insert| insert + 1);
            next.push(replace.min(remove + 1).min(insert));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_is_recognised_and_another_word_is_not() {
        let words = ["subscribe", "publishes", "prepare", "mutate", "next"];

        assert_eq!(nearest("subscribes", &words), Some("subscribe"));
        assert_eq!(nearest("publish", &words), Some("publishes"));
        assert_eq!(nearest("Mutate", &words), Some("mutate"));
        assert_eq!(nearest("handler", &words), None);
        assert_eq!(nearest("", &words), None);
    }
}
