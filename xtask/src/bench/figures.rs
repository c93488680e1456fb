//! The figures: read from the lines of the benchmark program, written to and read from a file.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::statistics::{Spread, percentile};

/// Everything that one command measured.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Whether the sizes were those of a quick run.
    pub(crate) is_quick: bool,
    /// The speed of the machine.
    pub(crate) calibration: BTreeMap<String, f64>,
    pub(crate) cases: Vec<Case>,
}

/// One case on one database.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) database: String,
    pub(crate) workflows: Option<u64>,
    pub(crate) about: String,
    pub(crate) values: BTreeMap<String, Spread>,
    /// Why there are no values.
    pub(crate) failed: Option<String>,
}

impl Figures {
    /// Adds what a line of the benchmark program says.
    pub(crate) fn read_line(&mut self, line: &str) -> anyhow::Result<()> {
        let value: Value =
            serde_json::from_str(line).with_context(|| format!("no JSON: `{line}`"))?;
        if let Some(calibration) = value.get("calibration").and_then(Value::as_object) {
            let numbers = calibration.iter().filter_map(|(name, value)| {
                let number = value.as_f64().or_else(|| Some(Spread::of(numbers(value))?.median));
                Some((name.clone(), number?))
            });
            self.calibration = numbers.collect();
        } else if let Some(case) = value.get("case") {
            self.cases.push(Case::from_json(case)?);
        } else {
            bail!("neither a calibration nor a case: `{line}`");
        }
        Ok(())
    }

    /// The case of that name, on that database, over so many workflows where that matters.
    pub(crate) fn find(&self, name: &str, database: &str, workflows: Option<u64>) -> Option<&Case> {
        self.cases.iter().find(|case| {
            (case.name.as_str(), case.database.as_str()) == (name, database)
                && (workflows.is_none() || case.workflows == workflows)
        })
    }

    pub(crate) fn json(&self) -> String {
        let cases: Vec<Value> = self.cases.iter().map(Case::json).collect();
        let whole =
            json!({ "quick": self.is_quick, "calibration": self.calibration, "cases": cases });
        format!("{whole:#}\n")
    }

    /// Reads what [`json`](Self::json) wrote.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let whole: Value = serde_json::from_str(text)?;
        let calibration = whole.get("calibration").and_then(Value::as_object);
        let cases = whole.get("cases").and_then(Value::as_array).context("it has no `cases`")?;
        Ok(Self {
            is_quick: whole.get("quick").and_then(Value::as_bool).unwrap_or_default(),
            calibration: calibration.map(values_of).unwrap_or_default(),
            cases: cases.iter().map(Case::read).collect::<anyhow::Result<_>>()?,
        })
    }
}

impl Case {
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        Some(self.values.get(name)?.median)
    }

    /// `mutating sqlite 100`.
    pub(crate) fn title(&self) -> String {
        let workflows = self.workflows.map(|n| format!(" {n}")).unwrap_or_default();
        format!("{} {}{workflows}", self.name, self.database)
    }

    fn without_values(case: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| case.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            name: text("name").context("a case has no name")?,
            database: text("database").context("a case has no database")?,
            workflows: case.get("workflows").and_then(Value::as_u64),
            about: text("about").unwrap_or_default(),
            values: BTreeMap::new(),
            failed: text("failed"),
        })
    }

    fn from_json(case: &Value) -> anyhow::Result<Self> {
        let mut repeated: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let repetitions = case.get("repetitions").and_then(Value::as_array);
        for (name, measured) in
            repetitions.into_iter().flatten().filter_map(Value::as_object).flatten()
        {
            for (name, value) in figures_of(name, measured) {
                repeated.entry(name).or_default().push(value);
            }
        }
        let values = repeated.into_iter().filter_map(|(name, of)| Some((name, Spread::of(of)?)));
        Ok(Self { values: values.collect(), ..Self::without_values(case)? })
    }

    fn json(&self) -> Value {
        let mut case = Map::new();
        case.insert("name".to_owned(), json!(self.name));
        case.insert("database".to_owned(), json!(self.database));
        case.insert("workflows".to_owned(), json!(self.workflows));
        case.insert("about".to_owned(), json!(self.about));
        for (name, value) in &self.values {
            case.insert(name.clone(), json!(rounded(value.median)));
        }
        let spread = |(name, value): (&String, &Spread)| {
            (name.clone(), json!([rounded(value.least), rounded(value.most)]))
        };
        let spread: Map<String, Value> = self.values.iter().map(spread).collect();
        case.insert("spread".to_owned(), spread.into());
        case.insert("failed".to_owned(), json!(self.failed));
        case.into()
    }

    fn read(case: &Value) -> anyhow::Result<Self> {
        let known = case.as_object().map(values_of).unwrap_or_default();
        let alone = |(name, median): (String, f64)| {
            (name != "workflows").then_some((name, Spread { median, least: median, most: median }))
        };
        Ok(Self {
            values: known.into_iter().filter_map(alone).collect(),
            ..Self::without_values(case)?
        })
    }
}

/// A number as it is, and a series as two percentiles: `claim_ms` becomes `claim_p50_ms` and `claim_p99_ms`.
fn figures_of(name: &str, measured: &Value) -> Vec<(String, f64)> {
    if let Some(number) = measured.as_f64() {
        return vec![(name.to_owned(), number)];
    }
    let values = numbers(measured);
    let (what, unit) = name.rsplit_once('_').map_or(("", name), |(what, unit)| (what, unit));
    let what = if what.is_empty() { String::new() } else { format!("{what}_") };
    let percent =
        |percent| Some((format!("{what}p{percent}_{unit}"), percentile(&values, percent)?));
    [50, 99].into_iter().filter_map(percent).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

fn values_of(object: &Map<String, Value>) -> BTreeMap<String, f64> {
    object.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
}

/// Rounded to four digits: nothing here is measured more exactly.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_json(lines: &[&str]) -> Figures {
        let mut figures = Figures::default();
        lines.iter().for_each(|line| figures.read_line(line).unwrap());
        figures
    }

    const CALIBRATION: &str = r#"{"calibration": {"flush_ms": [0.3, 0.1, 0.2], "load": 1.5}}"#;
    const CASE: &str = r#"{"case": {"name": "alone", "database": "sqlite", "workflows": 1, "about": "one", "failed": null,
        "repetitions": [{"ms": [1, 2, 3], "runs": 3}, {"ms": [2, 4, 6], "runs": 3}, {"ms": [3, 6, 9], "runs": 3}]}}"#;

    #[test]
    fn figures_are_medians_over_repetitions_of_percentiles() {
        let figures = from_json(&[CALIBRATION, CASE]);

        assert_eq!(figures.calibration["flush_ms"], 0.2);
        let alone = figures.find("alone", "sqlite", Some(1)).unwrap();
        assert_eq!(alone.values["p50_ms"], Spread { median: 4.0, least: 2.0, most: 6.0 });
        assert_eq!(alone.values["p99_ms"], Spread { median: 6.0, least: 3.0, most: 9.0 });
        assert_eq!(alone.median("runs"), Some(3.0));
        assert!(figures.find("alone", "postgres", None).is_none());
    }

    #[test]
    fn a_series_keeps_its_name_and_its_unit() {
        let names: Vec<String> =
            figures_of("claim_ms", &json!([1.0])).into_iter().map(|(name, _)| name).collect();

        assert_eq!(names, ["claim_p50_ms", "claim_p99_ms"]);
    }

    #[test]
    fn a_file_says_what_was_measured() {
        let figures = from_json(&[CALIBRATION, CASE]);

        let whole: Value = serde_json::from_str(&figures.json()).unwrap();
        let read = Figures::read(&figures.json()).unwrap();

        assert_eq!(whole["calibration"]["load"], json!(1.5));
        assert_eq!(whole["cases"][0]["p50_ms"], json!(4.0));
        assert_eq!(whole["cases"][0]["spread"]["p50_ms"], json!([2.0, 6.0]));
        assert_eq!(read.cases[0].median("p99_ms"), Some(6.0));
        assert_eq!(read.cases[0].title(), "alone sqlite 1");
        assert!(read.cases[0].median("workflows").is_none());
    }

    #[test]
    fn a_case_that_failed_has_no_figures() {
        let figures = from_json(&[
            r#"{"case": {"name": "alone", "database": "sqlite", "workflows": 1, "repetitions": [], "failed": "too few"}}"#,
        ]);

        assert!(figures.cases[0].values.is_empty());
        assert_eq!(figures.cases[0].failed.as_deref(), Some("too few"));
    }

    #[test]
    fn a_line_that_says_nothing_known_is_refused() {
        assert!(Figures::default().read_line("Finished").is_err());
        assert!(Figures::default().read_line("{}").is_err());
    }
}
