//! What a rule has found: a problem, its place, and what shows it.

use oxc_span::Span;
use windlass_core::{Because, Edit, Fix, Problem};

use crate::source::around;

/// How a part of the text changes.
enum Change {
    Replaced(String),
    Preceded(&'static str),
}

/// A problem whose place is known.
pub(crate) struct Finding {
    span: Span,
    problem: Problem,
    /// Other places, and what is there.
    because: Vec<(Span, String)>,
    /// A part of the text, and how to change it.
    edit: Option<(Span, Change)>,
    is_safe: bool,
}

impl Finding {
    pub(crate) const fn new(span: Span, problem: Problem) -> Self {
        Self { span, problem, because: Vec::new(), edit: None, is_safe: false }
    }

    /// The part of the text that it is about.
    pub(super) fn text<'t>(&self, source: &'t str) -> Option<&'t str> {
        source.get(self.span.start as usize..self.span.end as usize)
    }

    /// Adds the places that show why it is a problem.
    pub(super) fn because(mut self, places: &[(Span, String)]) -> Self {
        self.because.extend_from_slice(places);
        self
    }

    /// Adds a change that solves it.
    pub(super) fn replace(mut self, part: Span, by: impl Into<String>) -> Self {
        self.edit = Some((part, Change::Replaced(by.into())));
        self
    }

    /// Adds a change that solves it: this text before the part.
    pub(super) fn precede(mut self, part: Span, by: &'static str) -> Self {
        self.edit = Some((part, Change::Preceded(by)));
        self
    }

    /// Says that the change does what the author meant.
    pub(super) const fn safely(mut self) -> Self {
        self.is_safe = true;
        self
    }
}

/// Where the lines of a script begin.
pub(crate) struct Lines<'t> {
    source: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// Finds the lines of `source`.
    pub(crate) fn of(source: &'t str) -> Self {
        let ends = source.match_indices(['\n', '\u{2028}', '\u{2029}']);
        let starts = std::iter::once(0).chain(ends.map(|(at, end)| at + end.len())).collect();
        Self { source, starts }
    }

    /// The problem of a finding, with its places.
    pub(crate) fn place(&self, finding: Finding) -> Problem {
        let Finding { span, mut problem, because, edit, is_safe } = finding;
        self.set_position(&mut problem, span);
        let because = because.into_iter().filter_map(|(span, text)| {
            let (line, _) = self.position(span.start);
            Some(Because { line: line?, text })
        });
        problem.because = because.collect();
        problem.fix = edit.and_then(|(part, change)| {
            let old = self.source.get(part.start as usize..part.end as usize)?.to_owned();
            let new = match change {
                Change::Replaced(new) => new,
                Change::Preceded(by) => format!("{by}{old}"),
            };
            Some(Fix { safe: is_safe, edits: vec![Edit { old, new }] })
        });
        problem
    }

    /// Sets the place of a problem.
    pub(super) fn set_position(&self, problem: &mut Problem, span: Span) {
        (problem.line, problem.column) = self.position(span.start);
        if span.end > span.start {
            (problem.end_line, problem.end_column) = self.position(span.end);
        }
    }

    /// Line and column, the column in UTF-16 units as V8 counts them.
    fn position(&self, at: u32) -> (Option<u32>, Option<u32>) {
        let at = at as usize;
        let line = self.starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied();
        let before = start.and_then(|start| self.source.get(start..at)).unwrap_or_default();
        (u32::try_from(line).ok(), u32::try_from(before.encode_utf16().count() + 1).ok())
    }
}

/// Shows each problem the line that it is about, and drops the changes of a text that is not there exactly once in `written`.
pub(super) fn complete(problems: &mut [Problem], written: &str) {
    let lines = Lines::of(written);
    for problem in problems {
        let start = problem.line.and_then(|line| lines.starts.get(line as usize - 1));
        let line = start.and_then(|start| written.get(*start..)).and_then(|it| it.lines().next());
        let column = problem.column.unwrap_or_default() as usize;
        problem.source = line.map(|line| around(line, column));
        let is_unique = |edit: &Edit| written.matches(&*edit.old).nth(1).is_none();
        let applies = |edit: &Edit| written.contains(&*edit.old) && is_unique(edit);
        problem.fix.take_if(|fix| !fix.edits.iter().all(applies));
    }
}
