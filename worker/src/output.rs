//! The one place that prints: an answer is a record, shown as JSON or as a page for a person.

use std::fmt::{Display, Write as _};
use std::io;

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;
use windlass_api::text::{TimeFormat, crop};
use windlass_core::{Problem, Timestamp};

use crate::exit::{CommandError, Result};

/// What a command has to say. JSON and page come from the same record.
pub(crate) trait Printable: Serialize {
    /// Writes the page for a person.
    fn write(&self, page: &mut TextPage);
}

/// Where a command prints.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    form: OutputFormat,
    times: TimeFormat,
}

/// Whom the answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// A program: one JSON document.
    Json,
    /// A person: text.
    Text,
}

impl Output {
    pub(crate) const fn new(form: OutputFormat, times: TimeFormat) -> Self {
        Self { form, times }
    }

    /// How pages word instants.
    pub(crate) const fn times(&self) -> TimeFormat {
        self.times
    }

    /// Whether the answer is one JSON document.
    pub(crate) fn is_json(&self) -> bool {
        self.form == OutputFormat::Json
    }

    /// Prints the answer on stdout.
    pub(crate) fn print(&self, answer: &impl Printable) -> Result<()> {
        let text = match self.form {
            OutputFormat::Json => json_text(answer),
            OutputFormat::Text => {
                let mut page = TextPage::new(self.times);
                answer.write(&mut page);
                page.text
            }
        };
        print(io::stdout(), &text).map_err(CommandError::Print)
    }

    /// Tells of progress: on stdout for a person, beside the document otherwise.
    pub(crate) fn progress(&self, text: impl Display) {
        let line = format!("{}\n", harmless(&text.to_string()));
        // Nobody is left to hear of it where this fails, and the work goes on all the same.
        let _unheard = match self.form {
            OutputFormat::Json => print(io::stderr(), &line),
            OutputFormat::Text => print(io::stdout(), &line),
        };
    }
}

/// Prints why a command failed: a document on stdout, or lines on stderr.
pub(crate) fn print_error(form: OutputFormat, error: &CommandError) {
    #[derive(Serialize)]
    struct Document<T> {
        error: T,
    }
    let report = error.report();
    let _unheard = match form {
        OutputFormat::Json => print(io::stdout(), &json_text(&Document { error: report })),
        OutputFormat::Text => {
            let mut text = format!("error: {}\n", report.message);
            for cause in &report.causes {
                let _infallible = writeln!(text, "  caused by: {cause}");
            }
            for problem in report.problems {
                let _infallible = writeln!(text, "  {}", problem_line(report.file, problem));
            }
            if let Some(hint) = &report.hint {
                let _infallible = writeln!(text, "hint: {hint}");
            }
            print(io::stderr(), &harmless(&text))
        }
    };
}

/// A problem of a script in one line, with the advice for it.
pub(crate) fn problem_line(file: &str, problem: &Problem) -> String {
    let place = match (problem.line, problem.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        (Some(line), None) => format!("{file}:{line}"),
        (None, _) => file.to_owned(),
    };
    let hint = problem.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{place}: {} [{}]{hint}", problem.message, problem.code)
}

fn json_text(answer: &impl Serialize) -> String {
    match serde_json::to_string_pretty(answer) {
        Ok(text) => text + "\n",
        Err(error) => format!(
            "{}\n",
            serde_json::json!({"error": {"code": "internal", "message": error.to_string()}})
        ),
    }
}

/// A reader that has gone away, as `head` does, has seen what it wanted.
fn print(mut to: impl io::Write, text: &str) -> io::Result<()> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Takes from a stranger's text what would move the cursor, colour the terminal or turn the direction of writing.
fn harmless(text: &str) -> String {
    let is_harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { clean.extend(c.escape_unicode()) } else { clean.push(c) }
    }
    clean
}

/// A text in the making.
#[derive(Debug)]
pub(crate) struct TextPage {
    text: String,
    times: TimeFormat,
}

impl TextPage {
    pub(crate) const fn new(times: TimeFormat) -> Self {
        Self { text: String::new(), times }
    }

    /// What is written so far.
    #[cfg(test)]
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Writes lines.
    pub(crate) fn line(&mut self, text: impl Display) {
        let text = harmless(&text.to_string());
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    /// Leaves a line empty, and begins a part.
    pub(crate) fn heading(&mut self, text: impl Display) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(text);
    }

    /// Writes a label and a value beneath a heading; further lines of the value stand under its first.
    pub(crate) fn field(&mut self, label: &str, value: impl Display) {
        let value = value.to_string().replace('\n', &format!("\n{:16}", ""));
        self.line(format_args!("  {label:<13} {value}"));
    }

    /// Writes a field where there is a value.
    pub(crate) fn field_if(&mut self, label: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.field(label, value);
        }
    }

    /// Writes an amount of money, where there is any.
    pub(crate) fn money(&mut self, label: &str, microdollars: i64) {
        if microdollars > 0 {
            self.field(label, dollars(microdollars));
        }
    }

    /// Writes JSON as it is read best: on its line where it is short.
    pub(crate) fn json(&mut self, label: &str, value: &Value) {
        let short = value.to_string();
        let text = if short.chars().count() <= 80 { short } else { format!("{value:#}") };
        self.field(label, text);
    }

    /// Writes an instant and how far away it is.
    pub(crate) fn moment(&mut self, label: &str, instant: Option<Timestamp>) {
        if let Some(instant) = instant {
            self.field(label, self.times.time_and_distance(instant));
        }
    }

    /// Writes a table; a cell is one line, cropped where it is long.
    pub(crate) fn table<const N: usize>(&mut self, header: [&str; N], rows: Vec<[String; N]>) {
        self.wide_table(60, header, rows);
    }

    /// Writes a table whose cells have up to `n_chars`.
    pub(crate) fn wide_table<const N: usize>(
        &mut self,
        n_chars: usize,
        header: [&str; N],
        rows: Vec<[String; N]>,
    ) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(header.map(str::to_owned));
        table.add_rows(rows.into_iter().map(|row| row.map(|cell| crop(&harmless(&cell), n_chars))));
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        self.text.push_str(&table.trim_fmt());
        self.text.push('\n');
    }

    /// An instant in the person's zone.
    pub(crate) fn time(&self, instant: Timestamp) -> String {
        self.times.time(instant)
    }

    /// How far away an instant is.
    pub(crate) fn distance(&self, instant: Timestamp) -> String {
        self.times.distance(instant)
    }
}

/// `$1.50`, `$0.000002`: at least cents, and as exact as it is.
fn dollars(microdollars: i64) -> String {
    let (whole, part) = (microdollars / 1_000_000, microdollars % 1_000_000);
    let part = format!("{part:06}");
    let (cents, rest) = part.split_at(2);
    format!("${whole}.{cents}{}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_and_has_cents() {
        let amounts = [1_500_000, 2_000, 2, 12_000_000].map(dollars);

        assert_eq!(amounts, ["$1.50", "$0.002", "$0.000002", "$12.00"]);
    }

    #[test]
    fn a_strangers_text_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c\td\n"), "a\\u{1b}[2Jb\\u{202e}c\td\n");
    }
}
