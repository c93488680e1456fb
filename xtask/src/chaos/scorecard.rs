//! The scorecard, as a table and as JSON.

use std::time::Duration;

/// The result of one scenario.
#[derive(Debug, Default)]
pub(crate) struct Score {
    pub(crate) scenario: &'static str,
    /// How many faults were injected.
    pub(crate) faults: u64,
    pub(crate) events: u64,
    pub(crate) runs: u64,
    pub(crate) effects: u64,
    /// Effects that happened more than once, or that were never requested.
    pub(crate) duplicated: u64,
    /// Effects that did not happen.
    pub(crate) lost: u64,
    /// Runs that were taken over from lost workers.
    pub(crate) recovered: u64,
    /// Doubts that were settled without a person.
    pub(crate) settled: u64,
    /// From the first request to the last fault.
    pub(crate) disrupted: Duration,
    /// From the last fault until nothing was left to do.
    pub(crate) converged: Duration,
    /// What else is worth knowing.
    pub(crate) notes: Vec<String>,
    /// What is wrong.
    pub(crate) problems: Vec<String>,
    /// Why it could not run on this machine.
    pub(crate) skipped: Option<String>,
}

const HEADER: [&str; 11] = [
    "scenario",
    "faults",
    "events",
    "runs",
    "effects",
    "duplicated",
    "lost",
    "recovered",
    "settled",
    "disrupted",
    "converged",
];

impl Score {
    fn row(&self) -> [String; 11] {
        let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
        [
            self.scenario.to_owned(),
            self.faults.to_string(),
            self.events.to_string(),
            self.runs.to_string(),
            self.effects.to_string(),
            self.duplicated.to_string(),
            self.lost.to_string(),
            self.recovered.to_string(),
            self.settled.to_string(),
            seconds(self.disrupted),
            seconds(self.converged),
        ]
    }

    const fn verdict(&self) -> &'static str {
        match (&self.skipped, self.problems.is_empty()) {
            (Some(_), _) => "skipped",
            (None, true) => "ok",
            (None, false) => "FAILED",
        }
    }

    fn json(&self) -> String {
        let numbers = [
            ("faults", self.faults),
            ("events", self.events),
            ("runs", self.runs),
            ("effects", self.effects),
            ("duplicated", self.duplicated),
            ("lost", self.lost),
            ("recovered", self.recovered),
            ("settled", self.settled),
        ];
        let numbers: Vec<String> =
            numbers.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        format!(
            "{{\"scenario\": {}, \"verdict\": {}, {}, \"disrupted_s\": {:.3}, \"converged_s\": {:.3}, \"skipped\": {}, \"notes\": {}, \"problems\": {}}}",
            text(self.scenario),
            text(self.verdict()),
            numbers.join(", "),
            self.disrupted.as_secs_f64(),
            self.converged.as_secs_f64(),
            self.skipped.as_deref().map_or_else(|| "null".to_owned(), text),
            list(&self.notes),
            list(&self.problems),
        )
    }
}

/// The table, and below it the notes and problems of each scenario.
pub(crate) fn page(scores: &[Score]) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    rows.extend(scores.iter().map(Score::row));
    let widths: Vec<usize> = (0..HEADER.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let verdicts = ["verdict"].into_iter().chain(scores.iter().map(Score::verdict));
    let mut page = String::new();
    for (row, verdict) in rows.iter().zip(verdicts) {
        for (idx, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let cell =
                if idx == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
            page += &cell;
        }
        page += &format!("  {verdict}\n");
    }
    for score in scores {
        let lines = score.skipped.iter().chain(&score.problems).chain(&score.notes);
        for line in lines {
            page += &format!("{}: {line}\n", score.scenario);
        }
    }
    page
}

/// The same as JSON.
pub(crate) fn json(scores: &[Score]) -> String {
    let scores: Vec<String> = scores.iter().map(Score::json).collect();
    format!("[\n{}\n]\n", scores.join(",\n"))
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|it| text(it)).collect();
    format!("[{}]", texts.join(", "))
}

/// A text as a JSON string.
fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted += &format!("\\u{:04x}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score() -> Score {
        Score {
            scenario: "kill",
            faults: 3,
            effects: 120,
            disrupted: Duration::from_millis(2500),
            problems: vec!["1 \"effect\" is lost\n".to_owned()],
            ..Score::default()
        }
    }

    #[test]
    fn the_table_lines_up_and_problems_stand_below_it() {
        let page = page(&[score()]);

        let lines: Vec<&str> = page.lines().collect();
        assert!(lines[0].starts_with("scenario  faults"), "{page}");
        assert!(lines[1].starts_with("kill           3"), "{page}");
        assert!(lines[1].ends_with("FAILED"), "{page}");
        assert_eq!(lines[2], "kill: 1 \"effect\" is lost");
    }

    #[test]
    fn texts_are_quoted_as_json_has_it() {
        let json = json(&[score()]);

        assert!(json.contains("\"verdict\": \"FAILED\", \"faults\": 3,"), "{json}");
        assert!(json.contains("[\"1 \\\"effect\\\" is lost\\u000a\"]"), "{json}");
    }
}
