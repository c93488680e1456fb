//! The results of a repetition: numbers, and series from which `xtask` takes percentiles.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use windlass_core::Timestamp;

/// A number or many.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Measure {
    One(f64),
    Many(Vec<f64>),
}

/// The results of one repetition, by name. A name ends with its unit.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Repetition(BTreeMap<&'static str, Measure>);

impl Repetition {
    pub(crate) fn set(&mut self, name: &'static str, value: f64) {
        self.0.insert(name, Measure::One(rounded(value)));
    }

    pub(crate) fn set_count(&mut self, name: &'static str, count: usize) {
        self.set(name, as_f64(count));
    }

    /// The same where it is known.
    pub(crate) fn set_known(&mut self, name: &'static str, value: Option<f64>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    pub(crate) fn set_series(&mut self, name: &'static str, values: Vec<f64>) {
        self.0.insert(name, Measure::Many(values));
    }
}

/// How much later, in milliseconds.
pub(crate) fn millis_between(earlier: Timestamp, later: Timestamp) -> f64 {
    millis(later.since(earlier))
}

pub(crate) fn millis(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1e3)
}

/// A count as a floating-point number.
pub(crate) fn as_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Rounded to four digits: nothing here is measured more exactly.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
