//! Prints what commands answer: as one JSON document, or as text for a person. Nothing else in the program prints.

use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};
use windlass_api::text::TimeFormat;
use windlass_core::{
    Clock as _, Problem, SystemClock, Timestamp, crop, escape_json, escape_line, escape_text,
};

use crate::exit::{CommandError, Result};
use crate::hint::CommandHint;

/// The streams of a protocol between programs: stdin and stdout. Nothing else may be printed then.
pub(crate) fn protocol_streams() -> io::Result<(tokio::fs::File, tokio::fs::File)> {
    let (input, output) = (io::stdin(), io::stdout());
    let [input, output] =
        [input.as_fd().try_clone_to_owned()?, output.as_fd().try_clone_to_owned()?].map(File::from);
    Ok((tokio::fs::File::from_std(input), tokio::fs::File::from_std(output)))
}

/// The answer of a command. Its JSON and its text come from the same value.
pub(crate) trait Printable: Serialize {
    /// Writes the text for a person.
    fn write(&self, page: &mut TextPage);
}

/// Where a command prints.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    format: OutputFormat,
    zone: Tz,
    /// How many characters a line of the terminal has; none where stdout is no terminal.
    width: Option<usize>,
    /// Whether lines of progress begin with the time.
    stamps: bool,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// As one JSON document, for a program.
    Json,
    /// As text, for a person.
    Text,
}

impl Output {
    pub(crate) fn new(format: OutputFormat, zone: Tz) -> Self {
        Self { format, zone, width: terminal_width(), stamps: false }
    }

    /// The same, but lines of progress begin with the time.
    pub(crate) fn with_stamps(&self) -> Self {
        Self { stamps: true, ..self.clone() }
    }

    /// How instants are worded at this moment.
    pub(crate) fn times(&self) -> TimeFormat {
        TimeFormat { zone: self.zone, now: SystemClock.now() }
    }

    /// Whether a person reads the answer on a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.width.is_some() && !self.is_json()
    }

    /// Whether the answer is one JSON document.
    pub(crate) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Prints the answer on stdout.
    pub(crate) fn print(&self, answer: &impl Printable) -> Result<()> {
        print(io::stdout(), &self.text(answer)).map_err(CommandError::Print)
    }

    /// Prints the answer on stdout in the place of what a terminal shows. Returns whether there is still a reader.
    pub(crate) fn print_anew(&self, answer: &impl Printable) -> Result<bool> {
        let clear = if self.is_terminal() { "\u{1b}[H\u{1b}[2J" } else { "" };
        let text = format!("{clear}{}\n", self.text(answer));
        match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(CommandError::Print(error)),
        }
    }

    fn text(&self, answer: &impl Printable) -> String {
        match self.format {
            OutputFormat::Json => json_text(answer),
            OutputFormat::Text => {
                let mut page = TextPage::new(self.times());
                page.width = self.width;
                answer.write(&mut page);
                page.text
            }
        }
    }

    /// Prints a line of progress: on stdout for a person, on stderr where stdout is for the JSON document.
    pub(crate) fn progress(&self, text: impl Display) {
        let times = self.times();
        let stamp = if self.stamps { times.time(times.now) + " " } else { String::new() };
        let line = format!("{stamp}{}\n", escape_line(&text.to_string()));
        // A line that cannot be printed does not stop the work.
        let _unprinted = match self.format {
            OutputFormat::Json => print(io::stderr(), &line),
            OutputFormat::Text => print(io::stdout(), &line),
        };
    }
}

/// Prints why a command failed: a document on stdout, or lines on stderr.
pub(crate) fn print_error(format: OutputFormat, error: &CommandError, hint: &CommandHint) {
    #[derive(Serialize)]
    struct Document<T> {
        error: T,
    }
    let report = error.report(hint);
    let _unprinted = match format {
        OutputFormat::Json => print(io::stdout(), &json_text(&Document { error: report })),
        OutputFormat::Text => {
            let mut text = format!("error: {}\n", indent(&report.message, 4));
            for cause in &report.causes {
                let _infallible = writeln!(text, "  caused by: {}", indent(cause, 4));
            }
            for problem in report.problems {
                let line = problem_line(report.file, problem);
                let _infallible = writeln!(text, "  {}", indent(&line, 4));
            }
            if let Some(hint) = &report.hint {
                let _infallible = writeln!(text, "hint: {}", indent(hint, 4));
            }
            print(io::stderr(), &text)
        }
    };
}

/// A problem of a script in one line, with its hint and with what shows it.
pub(crate) fn problem_line(file: &str, problem: &Problem) -> String {
    let position = match (problem.line, problem.column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
        (Some(line), None) => format!("{file}:{line}"),
        (None, _) => file.to_owned(),
    };
    let places = problem.because.iter().map(|it| format!("line {}: {}", it.line, it.text));
    let advice: Vec<String> = problem.hint.iter().cloned().chain(places).collect();
    let advice =
        if advice.is_empty() { String::new() } else { format!(" ({})", advice.join("; ")) };
    format!("{position}: {} [{}]{advice}", problem.message, problem.code)
}

fn json_text(answer: &impl Serialize) -> String {
    match serde_json::to_string_pretty(answer) {
        Ok(text) => escape_json(&text) + "\n",
        Err(error) => format!(
            "{}\n",
            serde_json::json!({"error": {"code": "internal", "message": error.to_string()}})
        ),
    }
}

/// A reader that closes the pipe, as `head` does, is no error.
fn print(mut to: impl io::Write, text: &str) -> io::Result<()> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The text with its further lines indented, so that none passes for a line of the program's own.
fn indent(text: &str, n_spaces: usize) -> String {
    escape_text(text).trim_end().replace('\n', &format!("\n{:n_spaces$}", ""))
}

/// How much of a JSON value is shown.
const JSON_CHARS: usize = 4_000;

/// No column becomes narrower than this.
const LEAST_COLUMN: usize = 6;

/// Text for a person, written line by line.
#[derive(Debug)]
pub(crate) struct TextPage {
    text: String,
    times: TimeFormat,
    /// How many characters a line may have; none where it may have any number.
    width: Option<usize>,
}

impl TextPage {
    pub(crate) const fn new(times: TimeFormat) -> Self {
        Self { text: String::new(), times, width: None }
    }

    /// What was written.
    #[cfg(test)]
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: impl Display) {
        self.text.push_str(escape_line(&text.to_string()).trim_end());
        self.text.push('\n');
    }

    /// Writes a line that ends with a text from outside; further lines of that text are indented by `n_spaces`.
    pub(crate) fn line_with_text(&mut self, before: impl Display, text: &str, n_spaces: usize) {
        self.text += &format!("{}{}\n", escape_line(&before.to_string()), indent(text, n_spaces));
    }

    /// Writes a text of several lines that the program itself made.
    pub(crate) fn document(&mut self, text: &str) {
        self.text += &format!("{}\n", escape_text(text).trim_end());
    }

    /// Writes an empty line and the heading of a section.
    pub(crate) fn heading(&mut self, text: impl Display) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(text);
    }

    /// Writes a label and a value beneath a heading; further lines of the value stand under its first.
    pub(crate) fn field(&mut self, label: &str, value: impl Display) {
        self.line_with_text(format_args!("  {label:<13} "), &value.to_string(), 16);
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
            self.field(label, format_dollars(microdollars));
        }
    }

    /// Writes JSON: in one line where it is short, else indented; the beginning of it where it is very long.
    pub(crate) fn json(&mut self, label: &str, value: &Value) {
        let short = value.to_string();
        let text = if short.chars().count() <= 80 { short } else { format!("{value:#}") };
        let n_chars = text.chars().count();
        if n_chars <= JSON_CHARS {
            return self.field(label, text);
        }
        let beginning = crop(&text, JSON_CHARS);
        self.field(label, format_args!("{beginning}\n{n_chars} characters; `--json` prints all"));
    }

    /// Writes an instant and how far away it is.
    pub(crate) fn moment(&mut self, label: &str, instant: Option<Timestamp>) {
        if let Some(instant) = instant {
            self.field(label, self.times.time_and_distance(instant));
        }
    }

    /// Writes a table. A cell is one line; on a terminal it is cropped where the table would be too wide.
    pub(crate) fn table<const N: usize>(&mut self, header: [&str; N], rows: Vec<[String; N]>) {
        let cells = rows.into_iter().map(|row| row.map(|cell| escape_line(cell.trim_end()).into()));
        let mut rows: Vec<[String; N]> =
            std::iter::once(header.map(str::to_owned)).chain(cells).collect();
        if let Some(width) = self.width {
            fit(&mut rows, width);
        }
        let widths = widths(&rows);
        for row in &rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(widths) {
                line += cell;
                line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
            }
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// How instants are worded.
    pub(crate) const fn times(&self) -> TimeFormat {
        self.times
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

/// How many columns of a terminal the widest cell of each column takes.
fn widths<const N: usize>(rows: &[[String; N]]) -> [usize; N] {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    widths
}

/// Makes a table as narrow as a terminal, where that is possible: first ids become short, then the widest cells are cropped.
fn fit<const N: usize>(rows: &mut [[String; N]], width: usize) {
    let total = |widths: [usize; N]| widths.iter().map(|width| width + 2).sum::<usize>();
    // The last column needs no space after it.
    let width = width + 2;
    if total(widths(rows)) <= width {
        return;
    }
    for cell in rows.iter_mut().flatten() {
        if let Some(short) = short_id(cell) {
            *cell = short;
        }
    }
    let mut columns = widths(rows);
    while total(columns) > width {
        let Some(widest) = columns.iter_mut().max().filter(|widest| **widest > LEAST_COLUMN) else {
            break;
        };
        *widest -= 1;
    }
    for row in rows {
        for (cell, width) in row.iter_mut().zip(columns) {
            *cell = crop_to_width(cell, width);
        }
    }
}

/// The text, if it takes at most `width` columns of a terminal; else its beginning and `…`, together no more.
fn crop_to_width(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |char: &char| {
        let is_left = left.checked_sub(char.width().unwrap_or(0));
        left = is_left.unwrap_or(0);
        is_left.is_some()
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The kind of an id and its last eight digits, which are its most random ones. Every command takes it for the id.
fn short_id(text: &str) -> Option<String> {
    let (kind, digits) = text.split_once('_')?;
    let is_kind = kind.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_id = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let end = digits.get(24..).filter(|_| is_kind && is_id)?;
    Some(format!("{kind}_{end}"))
}

/// How many characters a line of the terminal has; none where stdout is no terminal.
fn terminal_width() -> Option<usize> {
    let stdout = io::stdout();
    let size = rustix::termios::tcgetwinsize(&stdout).ok().filter(|_| stdout.is_terminal())?;
    // A terminal that does not know its size says 0.
    Some(usize::from(size.ws_col)).map(|columns| if columns == 0 { 80 } else { columns })
}

/// `$1.50`, `$0.000002`: at least cents, and as exact as it is.
fn format_dollars(microdollars: i64) -> String {
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
        let amounts = [1_500_000, 2_000, 2, 12_000_000].map(format_dollars);

        assert_eq!(amounts, ["$1.50", "$0.002", "$0.000002", "$12.00"]);
    }

    #[test]
    fn text_from_outside_forges_no_line() {
        let forged = "paid\nreceipts: Done\u{1b}[2J";
        let times = TimeFormat { zone: chrono_tz::UTC, now: Timestamp::from_micros(0) };
        let mut page = TextPage::new(times);

        page.line(forged);
        page.field("title", forged);
        page.line_with_text("12:00 info  ", forged, 4);
        page.table(["TITLE"], vec![[forged.to_owned()]]);

        expect_test::expect![[r"
            paid\nreceipts: Done\u{1b}[2J
              title         paid
                            receipts: Done\u{1b}[2J
            12:00 info  paid
                receipts: Done\u{1b}[2J
            TITLE
            paid\nreceipts: Done\u{1b}[2J
        "]]
        .assert_eq(&page.into_text());
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let rows =
            || vec![["請求書です".to_owned(), "x".to_owned()], ["bill".to_owned(), "y".to_owned()]];
        let (mut piped, mut narrow) = (page(None), page(Some(10)));

        for page in [&mut piped, &mut narrow] {
            page.table(["TITLE", "N"], rows());
        }

        expect_test::expect![[r"
            TITLE       N
            請求書です  x
            bill        y
        "]]
        .assert_eq(&piped.into_text());
        expect_test::expect![[r"
            TITLE    N
            請求書…  x
            bill     y
        "]]
        .assert_eq(&narrow.into_text());
    }

    fn page(width: Option<usize>) -> TextPage {
        let times = TimeFormat { zone: chrono_tz::UTC, now: Timestamp::from_micros(0) };
        TextPage { width, ..TextPage::new(times) }
    }

    #[test]
    fn a_table_is_whole_when_piped_and_fits_a_terminal() {
        let id = "mut_01a22a0dfc297035b200f7253f731e7e";
        let title = "Record 1234.56 EUR: Ihre Rechnung für Bestellung 40711";
        let row = || vec![["✓ applied".to_owned(), title.to_owned(), id.to_owned()]];
        let (mut piped, mut narrow, mut wide) = (page(None), page(Some(50)), page(Some(120)));

        for page in [&mut piped, &mut narrow, &mut wide] {
            page.table(["STATUS", "TITLE", "ID"], row());
        }

        expect_test::expect![[r"
            STATUS     TITLE                      ID
            ✓ applied  Record 1234.56 EUR: Ihre…  mut_3f731e7e
        "]]
        .assert_eq(&narrow.into_text());
        let whole = piped.into_text();
        assert!(whole.contains(title) && whole.contains(id), "{whole}");
        assert_eq!(whole, wide.into_text());
    }

    #[test]
    fn a_long_value_is_shown_in_part() {
        let mut page = page(None);

        page.json("payload", &Value::String("x".repeat(1_000_000)));

        let text = page.into_text();
        assert!(text.len() < 5_000, "{}", text.len());
        assert!(text.contains("1000002 characters; `--json` prints all"), "{text}");
    }
}
