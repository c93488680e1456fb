//! When a producer runs: an interval, or a cron expression in a named time zone.

use std::str::FromStr;
use std::time::Duration;

use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// When a producer runs. Both forms are checked when they are made, so that a schedule always has a next
/// instant or, for a date that will not come again, none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "ScheduleText", try_from = "ScheduleText")]
pub enum Schedule {
    /// This long after the last run ended.
    Interval(Interval),
    /// At the instants that a cron expression names.
    Cron(CronSchedule),
}

/// A whole number of seconds, minutes, hours or days, as its author wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    text: String,
    every: Duration,
}

/// A five-field cron expression and the time zone in which it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct CronSchedule {
    text: String,
    zone: Tz,
    cron: Box<Cron>,
}

impl Eq for CronSchedule {}

/// A schedule that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not of the form `30s`, `5m`, `2h` or `1d`.
    #[error("`{0}` is no interval: write a whole number and s, m, h or d, for example `5m`")]
    Interval(String),
    /// Not a cron expression.
    #[error(
        "`{expression}` is no cron expression: {reason}; write five fields, for example `0 9 * * 1-5`"
    )]
    Cron {
        /// The expression.
        expression: String,
        /// What the parser found.
        reason: String,
    },
    /// Not a time zone of the IANA database.
    #[error("`{0}` is no time zone: write an IANA name, for example `Europe/Berlin`")]
    TimeZone(String),
}

impl Schedule {
    /// Reads an interval such as `5m`.
    ///
    /// # Errors
    /// [`ScheduleError::Interval`] where it is none, is zero, or is longer than a century.
    pub fn interval(text: &str) -> Result<Self, ScheduleError> {
        let every = span(text)?;
        Ok(Self::Interval(Interval { text: text.to_owned(), every }))
    }

    /// Reads a five-field cron expression in the time zone of that IANA name.
    ///
    /// # Errors
    /// [`ScheduleError::Cron`] or [`ScheduleError::TimeZone`].
    pub fn cron(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let zone =
            Tz::from_str(zone).map_err(|_unknown| ScheduleError::TimeZone(zone.to_owned()))?;
        let cron =
            CronParser::builder().seconds(Seconds::Disallowed).build().parse(expression).map_err(
                |error| ScheduleError::Cron {
                    expression: expression.to_owned(),
                    reason: error.to_string().trim_end_matches('.').to_owned(),
                },
            )?;
        Ok(Self::Cron(CronSchedule { text: expression.to_owned(), zone, cron: Box::new(cron) }))
    }

    /// The next instant after `now`, which for an interval is when the last run ended. `None`: never again.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Interval(interval) => Some(now.after(interval.every)),
            Self::Cron(schedule) => schedule
                .cron
                .find_next_occurrence(&now.to_utc().with_timezone(&schedule.zone), false)
                .ok()
                .map(Timestamp::from),
        }
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interval(interval) => write!(f, "every {}", interval.text),
            Self::Cron(schedule) => write!(f, "{} ({})", schedule.text, schedule.zone),
        }
    }
}

/// Reads a span of time such as `5m`: not zero, and no longer than a century.
///
/// # Errors
/// [`ScheduleError::Interval`] where it is none.
pub fn span(text: &str) -> Result<Duration, ScheduleError> {
    let wrong = || ScheduleError::Interval(text.to_owned());
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit_s: u64 = match text.strip_prefix(digits) {
        Some("s") => 1,
        Some("m") => 60,
        Some("h") => 60 * 60,
        Some("d") => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let count: u64 = digits.parse().map_err(|_not_a_number| wrong())?;
    let seconds = count.checked_mul(unit_s).filter(|s| (1..=100 * 366 * 86_400).contains(s));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

/// The stored form.
#[derive(Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum ScheduleText {
    Interval { interval: String },
    Cron { cron: String, timezone: String },
}

impl From<Schedule> for ScheduleText {
    fn from(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Interval(interval) => Self::Interval { interval: interval.text },
            Schedule::Cron(cron) => {
                Self::Cron { cron: cron.text, timezone: cron.zone.name().to_owned() }
            }
        }
    }
}

impl TryFrom<ScheduleText> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: ScheduleText) -> Result<Self, Self::Error> {
        match text {
            ScheduleText::Interval { interval } => Self::interval(&interval),
            ScheduleText::Cron { cron, timezone } => Self::cron(&cron, &timezone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn an_interval_counts_from_the_end_of_the_last_run() {
        let schedule = Schedule::interval("5m").unwrap();

        assert_eq!(
            schedule.next_after(at("2026-03-01T09:00:12Z")),
            Some(at("2026-03-01T09:05:12Z"))
        );
    }

    #[test]
    fn words_zero_and_fractions_are_no_intervals() {
        for text in
            ["5 minutes", "0s", "1.5h", "", "m", "-1m", "99999999999999999999s", "5M", "200000d"]
        {
            assert!(Schedule::interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nine_o_clock_is_read_in_the_zone_on_both_sides_of_summer_time() {
        let schedule = Schedule::cron("0 9 * * *", "Europe/Berlin").unwrap();

        assert_eq!(
            schedule.next_after(at("2026-03-28T12:00:00Z")),
            Some(at("2026-03-29T07:00:00Z"))
        );
        assert_eq!(
            schedule.next_after(at("2026-03-28T00:00:00Z")),
            Some(at("2026-03-28T08:00:00Z"))
        );
    }

    #[test]
    fn a_bad_expression_and_a_bad_zone_say_so() {
        assert!(matches!(Schedule::cron("61 * * * *", "UTC"), Err(ScheduleError::Cron { .. })));
        assert!(matches!(Schedule::cron("* * * * * *", "UTC"), Err(ScheduleError::Cron { .. })));
        assert!(matches!(Schedule::cron("0 9 * * *", "Berlin"), Err(ScheduleError::TimeZone(_))));
    }

    #[test]
    fn the_reason_runs_on_into_the_advice() {
        for expression in ["61 * * * *", "* * * * * *", "a * * * *", ""] {
            let error = Schedule::cron(expression, "UTC").unwrap_err().to_string();

            assert!(!error.contains(".;"), "{error}");
        }
    }

    #[test]
    fn a_schedule_reads_back_from_json() {
        for schedule in
            [Schedule::interval("2h").unwrap(), Schedule::cron("0 9 * * 1", "Asia/Tokyo").unwrap()]
        {
            let json = serde_json::to_string(&schedule).unwrap();
            assert_eq!(serde_json::from_str::<Schedule>(&json).unwrap(), schedule);
        }
    }
}
