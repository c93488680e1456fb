//! Compares figures with earlier ones.

use super::figures::Figures;
use super::table::{lines, number};

/// Figures that are no measure of speed.
const NOT_SPEEDS: [&str; 6] =
    ["runs", "script_bytes", "finished", "open_runs", "lost_runs", "took_s"];

/// The ratio of each figure to the earlier one: 2 where it is twice as much now.
pub(crate) fn page(now: &Figures, then: &Figures) -> String {
    let mut page = String::new();
    if now.is_quick != then.is_quick {
        page += "One of the two was a quick run with smaller sizes: the ratios mislead.\n";
    }
    let mut rows = vec![["case", "figure", "then", "now", "now/then"].map(str::to_owned).to_vec()];
    for (name, value) in &now.calibration {
        if let Some(earlier) = then.calibration.get(name) {
            rows.extend(row("the machine", name, *earlier, *value));
        }
    }
    let mut missing = Vec::new();
    for case in &now.cases {
        let Some(earlier) = then.find(&case.name, &case.database, case.workflows) else {
            missing.push(case.title());
            continue;
        };
        for (name, value) in
            case.values.iter().filter(|(name, _)| !NOT_SPEEDS.contains(&name.as_str()))
        {
            let earlier = earlier.median(name);
            rows.extend(earlier.and_then(|then| row(&case.title(), name, then, value.median)));
        }
    }
    page += &lines(&rows);
    if !missing.is_empty() {
        page += &format!("Not among the earlier figures: {}.\n", missing.join(", "));
    }
    page
}

/// None where the earlier figure is zero.
fn row(title: &str, name: &str, then: f64, now: f64) -> Option<Vec<String>> {
    (then != 0.0).then(|| {
        let ratio = format!("{:.2}", now / then);
        vec![title.to_owned(), name.to_owned(), number(then), number(now), ratio]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(p50_ms: f64, others: &str) -> Figures {
        let text = format!(
            r#"{{"quick": false, "calibration": {{"flush_ms": 0.5}}, "cases": [
                {{"name": "alone", "database": "sqlite", "workflows": 1, "runs": 200, "p50_ms": {p50_ms}}}{others}]}}"#
        );
        Figures::read(&text).unwrap()
    }

    #[test]
    fn what_both_have_is_compared_by_ratio() {
        let then = figures(4.0, "");
        let now = figures(2.0, r#", {"name": "idle", "database": "postgres", "workflows": 1000}"#);

        let page = page(&now, &then);

        let lines: Vec<&str> = page.lines().collect();
        assert!(lines[1].ends_with("1.00"), "the machine is the same: {page}");
        assert!(lines[2].starts_with("alone sqlite 1  p50_ms"), "{page}");
        assert!(lines[2].ends_with("0.50"), "{page}");
        assert_eq!(lines[3], "Not among the earlier figures: idle postgres 1000.");
        assert_eq!(lines.len(), 4, "sizes are not compared: {page}");
    }

    #[test]
    fn a_comparison_with_a_quick_run_says_so() {
        let then = figures(4.0, "");
        let now = Figures { is_quick: true, ..figures(4.0, "") };

        assert!(page(&now, &then).starts_with("One of the two was a quick run"));
    }
}
