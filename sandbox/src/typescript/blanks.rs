//! The parts of a text that are replaced by spaces.

use std::collections::BTreeMap;

use oxc_span::Span;

/// A text, and what of it becomes blank.
pub(super) struct Blanks<'s> {
    source: &'s str,
    is_blank: Vec<bool>,
    /// Characters that stand in blank places.
    put: BTreeMap<usize, char>,
    /// Where the blank parts begin, by their ends.
    starts: BTreeMap<u32, u32>,
}

impl<'s> Blanks<'s> {
    /// Nothing of that text is blank.
    pub(super) fn of(source: &'s str) -> Self {
        let is_blank = vec![false; source.len()];
        Self { source, is_blank, put: BTreeMap::new(), starts: BTreeMap::new() }
    }

    /// Makes a part blank.
    pub(super) fn blank(&mut self, span: Span) {
        let places = self.is_blank.get_mut(span.start as usize..span.end as usize);
        places.into_iter().flatten().for_each(|place| *place = true);
        self.starts.entry(span.end).or_insert(span.start);
    }

    /// Puts a character in the blank place `at`.
    pub(super) fn put(&mut self, at: u32, character: char) {
        self.put.insert(at as usize, character);
    }

    /// Puts a character in the last place of a blank part.
    pub(super) fn put_last(&mut self, span: Span, character: char) {
        let part = self.source.get(..span.end as usize).unwrap_or_default();
        if let Some((at, _)) = part.char_indices().next_back() {
            self.put.insert(at, character);
        }
    }

    /// Where the blank part begins that ends at this place.
    pub(super) fn that_ends_at(&self, end: u32) -> Option<u32> {
        self.starts.get(&end).copied()
    }

    /// The first place from `at` on that is neither space nor comment.
    pub(super) fn skip(&self, at: u32) -> u32 {
        let mut at = at as usize;
        while let Some(rest) = self.source.get(at..) {
            let spaces = rest.len() - rest.trim_start().len();
            let length = if spaces > 0 {
                spaces
            } else if rest.starts_with("//") {
                rest.find(is_line_end).unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                break;
            };
            at += length;
        }
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// The byte at that place.
    pub(super) fn byte(&self, at: u32) -> Option<u8> {
        self.source.as_bytes().get(at as usize).copied()
    }

    /// The word that begins at that place.
    pub(super) fn word(&self, at: u32) -> &'s str {
        let rest = self.source.get(at as usize..).unwrap_or_default();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
        rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
    }

    /// Whether a line ends in that part.
    pub(super) fn has_line_end(&self, span: Span) -> bool {
        let part = self.source.get(span.start as usize..span.end as usize);
        part.is_some_and(|part| part.contains(is_line_end))
    }

    /// The text with spaces in the blank places. Line ends stay.
    pub(super) fn render(&self) -> String {
        let mut text = String::with_capacity(self.source.len());
        for (at, character) in self.source.char_indices() {
            let is_blank = self.is_blank.get(at).copied().unwrap_or_default();
            if !is_blank || is_line_end(character) {
                text.push(character);
                continue;
            }
            text.push(self.put.get(&at).copied().unwrap_or(' '));
            text.extend(std::iter::repeat_n(' ', character.len_utf16() - 1));
        }
        text
    }
}

const fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}
