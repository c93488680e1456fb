//! The script's text, and positions in it.

use std::cell::OnceCell;
use std::sync::Arc;

use windlass_core::ScriptPosition;

use crate::api::Script;

/// Longer lines are cut around the column.
const LINE_CHARS: usize = 160;

/// A script whose lines can be found.
pub(crate) struct Source {
    pub(crate) script: Script,
    /// The text as it was written, with the same lines and columns as the source that runs.
    written: Arc<str>,
    /// Where each line begins; computed at the first use.
    starts: OnceCell<Vec<usize>>,
}

/// A line and a column, both counted from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineColumn {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Source {
    /// The source of that script, which was written like this.
    pub(crate) const fn new(script: Script, written: Arc<str>) -> Self {
        Self { script, written, starts: OnceCell::new() }
    }

    /// The position in the file, with the text of the line.
    pub(crate) fn position(&self, LineColumn { line, column }: LineColumn) -> ScriptPosition {
        ScriptPosition {
            file: self.script.name.to_string(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            source_line: self.line(line).map(|text| around(text, column)),
        }
    }

    fn line(&self, number: usize) -> Option<&str> {
        let text = &*self.written;
        let starts = self.starts.get_or_init(|| {
            let ends = text.match_indices(is_line_end).map(|(at, end)| at + end.len());
            std::iter::once(0).chain(ends).collect()
        });
        let start = *starts.get(number.checked_sub(1)?)?;
        text.get(start..)?.split(is_line_end).next()
    }
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\u{2028}' | '\u{2029}')
}

/// The line, or of a long one the part around `column`.
pub(crate) fn around(line: &str, column: usize) -> String {
    let line = line.trim_end();
    if line.chars().nth(LINE_CHARS).is_none() {
        return line.to_owned();
    }
    let from = column.saturating_sub(LINE_CHARS / 2);
    let part: String = line.chars().skip(from).take(LINE_CHARS).collect();
    format!("{}{part}…", if from == 0 { "" } else { "…" })
}
