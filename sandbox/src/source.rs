//! The script's text, as its author wrote it.

use windlass_core::ScriptPosition;

use crate::api::Script;

/// Longer lines are cropped around the column.
const LINE_CHARS: usize = 160;

/// The position of that line and column, both counted from 1, with the line's text.
pub(crate) fn position(script: &Script, line: usize, column: usize) -> ScriptPosition {
    let text = script.source.split(is_line_end).nth(line.saturating_sub(1));
    ScriptPosition {
        file: script.name.to_string(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        source_line: text.map(|text| around(text, column)),
    }
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\u{2028}' | '\u{2029}')
}

/// The line, or of a long one the part around `column`.
fn around(line: &str, column: usize) -> String {
    let line = line.trim_end();
    if line.chars().nth(LINE_CHARS).is_none() {
        return line.to_owned();
    }
    let from = column.saturating_sub(LINE_CHARS / 2);
    let part: String = line.chars().skip(from).take(LINE_CHARS).collect();
    format!("{}{part}…", if from == 0 { "" } else { "…" })
}

/// The text, or of a long one its beginning.
pub(crate) fn crop(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
