//! The table of figures, with what its columns mean and which cases failed.

use super::figures::{Case, Figures};

const HEADER: [&str; 11] = [
    "case",
    "database",
    "workflows",
    "runs",
    "runs/s",
    "p50 ms",
    "p99 ms",
    "spread",
    "commits",
    "flushes",
    "KiB",
];

/// Figures with a column of their own; the others follow as `name value`.
const COLUMNS: [&str; 7] = [
    "runs",
    "runs_per_s",
    "p50_ms",
    "p99_ms",
    "commits_per_run",
    "flushes_per_run",
    "bytes_per_run",
];

const LEGEND: &str = "\
Each figure is the median of three repetitions; `spread` is how far those are apart in percent, for runs/s or else for p50.
p50 and p99 are of a run from the claim's transaction to that of its commit, as the store recorded them, unless the case says
otherwise. Commits, flushes and KiB are per run that took an event, and include the last run of each
workflow, which finds no event. On SQLite commits are counted by SQLite itself, flushes where this process calls fsync and fdatasync, and KiB are what it
sent to the disk (/proc/self/io); on PostgreSQL commits are the transactions that wrote, by their ids, flushes are pg_stat_wal's
wal_sync, and KiB are of write-ahead log.
";

/// The whole page.
pub(crate) fn page(figures: &Figures) -> String {
    let mut page = String::new();
    if figures.is_quick {
        page += "A quick run: the sizes are small, do not quote these figures.\n";
    }
    let describe = |(name, unit): &(&str, &str)| {
        let value = figures.calibration.get(*name);
        value
            .map_or_else(|| format!("{name}: unknown"), |value| format!("{}{unit}", number(*value)))
    };
    let machine: Vec<String> = [
        ("cores", " cores"),
        ("core", " million rounds/s on one"),
        ("flush_ms", " ms for a flush"),
        ("load", " of load before"),
    ]
    .iter()
    .map(describe)
    .collect();
    page += &format!("The machine: {}.\n\n", machine.join(", "));

    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    rows.extend(figures.cases.iter().map(row));
    page += &lines(&rows);
    page += &format!("\n{LEGEND}\n");
    page += &case_descriptions(&figures.cases);
    for case in &figures.cases {
        if let Some(failed) = &case.failed {
            page += &format!("FAILED {}: {failed}\n", case.title());
        }
    }
    page
}

fn row(case: &Case) -> Vec<String> {
    let value = |name: &str| case.median(name).map(number).unwrap_or_default();
    let main = case.values.get("runs_per_s").or_else(|| case.values.get("p50_ms"));
    let spread = main.and_then(super::statistics::Spread::percent);
    let kib = case.median("bytes_per_run").map(|bytes| number(bytes / 1024.0));
    let mut row = vec![
        case.name.clone(),
        case.database.clone(),
        case.workflows.map(|n| n.to_string()).unwrap_or_default(),
        value("runs"),
        value("runs_per_s"),
        value("p50_ms"),
        value("p99_ms"),
        spread.map(|percent| format!("{percent:.0} %")).unwrap_or_default(),
        value("commits_per_run"),
        value("flushes_per_run"),
        kib.unwrap_or_default(),
    ];
    if case.failed.is_some() {
        row.push("FAILED".to_owned());
    }
    let others = case.values.iter().filter(|(name, _)| !COLUMNS.contains(&name.as_str()));
    row.extend(others.map(|(name, spread)| format!("{name} {}", number(spread.median))));
    row
}

/// The description of each case, once.
fn case_descriptions(cases: &[Case]) -> String {
    let mut page = String::new();
    let mut described = Vec::new();
    for case in cases {
        if !described.contains(&&case.name) {
            described.push(&case.name);
            page += &format!("{}: {}.\n", case.name, case.about);
        }
    }
    page
}

/// Aligns columns: the first two to the left, the others to the right. Cells beyond the header's columns are not aligned.
pub(crate) fn lines(rows: &[Vec<String>]) -> String {
    let n_columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width).collect();
    let mut page = String::new();
    for row in rows {
        let mut line = String::new();
        for (idx, cell) in row.iter().enumerate() {
            let width = widths.get(idx).copied().unwrap_or(0);
            line += &match idx {
                0 | 1 => format!("{cell:<width$}  "),
                _ => format!("{cell:>width$}  "),
            };
        }
        page += line.trim_end();
        page.push('\n');
    }
    page
}

/// Rounded to about three digits.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if digits > 0 && text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_all_before_the_point() {
        let texts = [1234.5, 56.78, 1.234, 0.0567, 8.0, 0.0].map(number);

        assert_eq!(texts, ["1234", "56.8", "1.23", "0.057", "8", "0"]);
    }

    #[test]
    fn the_table_lines_up_and_a_failed_case_says_why() {
        let mut figures = Figures { is_quick: true, ..Figures::default() };
        figures
            .read_line(r#"{"case": {"name": "idle", "database": "sqlite", "workflows": 1000, "about": "it sleeps",
                "repetitions": [{"core_percent": 0.05}]}}"#)
            .unwrap();
        figures
            .read_line(r#"{"case": {"name": "alone", "database": "-", "about": "one", "repetitions": [], "failed": "too few"}}"#)
            .unwrap();

        let page = page(&figures);

        let lines: Vec<&str> = page.lines().collect();
        assert!(lines[0].starts_with("A quick run"), "{page}");
        assert!(lines[3].starts_with("case   database  workflows  runs"), "{page}");
        assert!(lines[4].starts_with("idle   sqlite         1000"), "{page}");
        assert!(lines[4].ends_with("core_percent 0.05"), "{page}");
        assert!(lines[5].ends_with("FAILED"), "{page}");
        assert!(page.contains("idle: it sleeps.\n"), "{page}");
        assert!(page.ends_with("FAILED alone -: too few\n"), "{page}");
    }
}
