//! The targets of the benchmarks, and whether the figures meet them.

use self::Bound::{AtLeast, AtMost};
use super::figures::Figures;
use super::table::{lines, number};

/// A target whose figure was measured.
struct Target {
    what: &'static str,
    measured: f64,
    bound: Bound,
}

/// The bound of a figure.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(&self) -> bool {
        match self.bound {
            AtLeast(least) => self.measured >= least,
            AtMost(most) => self.measured <= most,
        }
    }

    fn row(&self) -> Vec<String> {
        let bound = match self.bound {
            AtLeast(least) => format!("at least {}", number(least)),
            AtMost(most) => format!("at most {}", number(most)),
        };
        let verdict = if self.is_met() { "met" } else { "missed" };
        vec![self.what.to_owned(), verdict.to_owned(), number(self.measured), bound]
    }
}

/// A target for a single figure.
struct TargetSpec {
    what: &'static str,
    /// Its name, its database and the number of workflows, where that matters.
    case: (&'static str, &'static str, Option<u64>),
    figure: &'static str,
    bound: Bound,
}

const fn target(
    what: &'static str,
    case: (&'static str, &'static str, Option<u64>),
    figure: &'static str,
    bound: Bound,
) -> TargetSpec {
    TargetSpec { what, case, figure, bound }
}

/// The share of each run in the commits of the last run of a workflow, which finds no event.
const FINAL_RUN: f64 = 0.05;

const TARGETS: &[TargetSpec] = &[
    target(
        "mutating runs/s over 100 workflows, on SQLite",
        ("mutating", "sqlite", Some(100)),
        "runs_per_s",
        AtLeast(1_500.0),
    ),
    target(
        "mutating runs/s over 100 workflows, on PostgreSQL",
        ("mutating", "postgres", Some(100)),
        "runs_per_s",
        AtLeast(1_000.0),
    ),
    target(
        "commits of a mutating run",
        ("mutating", "sqlite", Some(1)),
        "commits_per_run",
        AtMost(4.0 + FINAL_RUN),
    ),
    target(
        "commits of a run without an effect",
        ("consumer", "sqlite", Some(1)),
        "commits_per_run",
        AtMost(2.0 + FINAL_RUN),
    ),
    target(
        "ms from publish to start, in one process",
        ("publish-to-start", "sqlite", None),
        "p50_ms",
        AtMost(1.0),
    ),
    target(
        "ms from publish to start, across processes",
        ("publish-across", "postgres", None),
        "p50_ms",
        AtMost(3.0),
    ),
    target("ms for a fresh context and a call", ("context", "-", None), "p50_ms", AtMost(0.25)),
    target("MiB of an idle isolate", ("isolate", "-", None), "isolate_mib", AtMost(4.0)),
    target(
        "percent of a core when idle, on SQLite",
        ("idle", "sqlite", None),
        "core_percent",
        AtMost(0.1),
    ),
    target(
        "percent of a core when idle, on PostgreSQL",
        ("idle", "postgres", None),
        "core_percent",
        AtMost(0.1),
    ),
];

/// A line for each target that was measured.
pub(crate) fn page(figures: &Figures) -> String {
    let mut rows = vec![["target", "", "measured", "wanted"].map(str::to_owned).to_vec()];
    rows.extend(measured(figures).iter().map(Target::row));
    lines(&rows)
}

fn measured(figures: &Figures) -> Vec<Target> {
    let single = TARGETS.iter().filter_map(|target| {
        let TargetSpec { what, case: (name, database, workflows), figure, bound } = *target;
        let measured = figures.find(name, database, workflows)?.median(figure)?;
        Some(Target { what, measured, bound })
    });
    let growth =
        ["sqlite", "postgres"].into_iter().filter_map(|database| growth(figures, database));
    single.chain(alone(figures)).chain(growth).collect()
}

/// One run alone may take as long as its flushes, and three milliseconds.
fn alone(figures: &Figures) -> Option<Target> {
    // It commits as often as each run of a single busy workflow.
    let commits = figures.find("mutating", "sqlite", Some(1))?.median("commits_per_run")?;
    let bound = AtMost(commits * figures.calibration.get("flush_ms")? + 3.0);
    let measured = figures.find("alone", "sqlite", None)?.median("p50_ms")?;
    Some(Target { what: "ms, one run alone on SQLite", measured, bound })
}

/// Old runs in the database may cost a tenth of the speed.
fn growth(figures: &Figures, database: &str) -> Option<Target> {
    let of = |case| figures.find(case, database, None)?.median("runs_per_s");
    let past = of("growth-n").or_else(|| of("growth-1m"));
    let what = match database {
        "sqlite" => "runs/s with a past to runs/s without, on SQLite",
        _ => "runs/s with a past to runs/s without, on PostgreSQL",
    };
    Some(Target { what, measured: past? / of("growth-0")?, bound: AtLeast(0.9) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_results(cases: &str) -> Vec<(&'static str, bool)> {
        let text = format!(r#"{{"calibration": {{"flush_ms": 0.5}}, "cases": [{cases}]}}"#);
        let figures = Figures::read(&text).unwrap();
        measured(&figures).iter().map(|target| (target.what, target.is_met())).collect()
    }

    #[test]
    fn only_measured_targets_are_checked() {
        assert!(target_results("").is_empty());

        let of_context = |p50_ms: f64| {
            target_results(&format!(
                r#"{{"name": "context", "database": "-", "p50_ms": {p50_ms}}}"#
            ))
        };

        assert_eq!(of_context(0.2), [("ms for a fresh context and a call", true)]);
        assert_eq!(of_context(0.3), [("ms for a fresh context and a call", false)]);
    }

    #[test]
    fn one_run_alone_may_take_its_flushes_and_three_milliseconds() {
        let of_alone = |p50_ms: f64| {
            let results = target_results(&format!(
                r#"{{"name": "mutating", "database": "sqlite", "workflows": 1, "commits_per_run": 4}},
                   {{"name": "alone", "database": "sqlite", "workflows": 1, "p50_ms": {p50_ms}}}"#
            ));
            results.into_iter().find(|(what, _)| what.contains("alone")).unwrap().1
        };

        assert!(of_alone(5.0));
        assert!(!of_alone(5.1));
    }

    #[test]
    fn growth_is_judged_by_the_ratio_to_an_empty_past() {
        let of_growth = |now: f64| {
            target_results(&format!(
                r#"{{"name": "growth-0", "database": "sqlite", "runs_per_s": 1000}},
                   {{"name": "growth-n", "database": "sqlite", "runs_per_s": {now}}}"#
            ))
        };

        let what = "runs/s with a past to runs/s without, on SQLite";
        assert_eq!(of_growth(950.0), [(what, true)]);
        assert_eq!(of_growth(850.0), [(what, false)]);
    }
}
