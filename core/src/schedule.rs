//! When a producer runs: an interval, or a cron expression in a named time zone.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::errors::CronError;
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
    /// A date that no calendar has.
    #[error("`{0}` never comes: no year has such a date")]
    Never(String),
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
    /// [`ScheduleError::Cron`], [`ScheduleError::TimeZone`], or [`ScheduleError::Never`] for a date such as the 31st of February.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let schedule = Self::stored_cron(expression, zone)?;
        match schedule.next_after(Timestamp::from_micros(0)) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(expression.to_owned())),
        }
    }

    /// The same for a schedule that was accepted before, and that may never come.
    fn stored_cron(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let zone =
            Tz::from_str(zone).map_err(|_unknown| ScheduleError::TimeZone(zone.to_owned()))?;
        let cron = parse_cron(expression).map_err(|error| ScheduleError::Cron {
            expression: expression.to_owned(),
            reason: wrong_field(expression).unwrap_or_else(|| reason_of(&error)),
        })?;
        Ok(Self::Cron(CronSchedule { text: expression.to_owned(), zone, cron: Box::new(cron) }))
    }

    /// The next instant after `now`, which for an interval is when the last run ended. `None`: never again.
    #[must_use]
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Interval(interval) => Some(now.after(interval.every)),
            Self::Cron(schedule) => schedule.next_after(now),
        }
    }
}

/// How far a clock is put forward at most: one whole day, where a country moved across the date line.
const LONGEST_GAP: TimeDelta = TimeDelta::hours(25);

impl CronSchedule {
    /// An hour that is written as `*` goes by real time. Hours that are named are those of the clock on the wall: one that comes
    /// twice counts the first time, and one that does not come is made up for right after the gap.
    fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let now = now.to_utc().with_timezone(&self.zone);
        if self.cron.pattern.hours.from_wildcard {
            return self.cron.find_next_occurrence(&now, false).ok().map(Timestamp::from);
        }
        let mut wall = now.naive_local().checked_sub_signed(LONGEST_GAP)?;
        loop {
            wall = self.cron.find_next_occurrence(&wall.and_utc(), false).ok()?.naive_utc();
            let moment = self.moment(wall)?;
            if moment > now {
                return Some(Timestamp::from(moment));
            }
        }
    }

    /// The moment at which the clock on the wall first shows this time or a later one.
    fn moment(&self, wall: NaiveDateTime) -> Option<DateTime<Tz>> {
        match self.zone.from_local_datetime(&wall) {
            MappedLocalTime::Single(moment) | MappedLocalTime::Ambiguous(moment, _) => Some(moment),
            MappedLocalTime::None => {
                // The clock jumps over it: halve the time around the jump.
                let before_jump =
                    |moment: DateTime<Utc>| moment.with_timezone(&self.zone).naive_local() < wall;
                let (mut before, mut after) = (
                    wall.checked_sub_signed(LONGEST_GAP)?.and_utc(),
                    wall.checked_add_signed(LONGEST_GAP)?.and_utc(),
                );
                while after - before > TimeDelta::seconds(1) {
                    let middle = before + (after - before) / 2;
                    if before_jump(middle) { before = middle } else { after = middle }
                }
                let whole = after.timestamp();
                Some(DateTime::from_timestamp(whole, 0)?.with_timezone(&self.zone))
            }
        }
    }
}

fn parse_cron(expression: &str) -> Result<Cron, CronError> {
    CronParser::builder().seconds(Seconds::Disallowed).build().parse(expression)
}

fn reason_of(error: &CronError) -> String {
    let text = error.to_string();
    let text = text.trim_start_matches("Component error: ").trim_start_matches("Invalid pattern: ");
    text.trim_end_matches('.').to_owned()
}

/// The first field of five that is wrong by itself, and what is wrong with it.
fn wrong_field(expression: &str) -> Option<String> {
    const NAMES: [&str; 5] = ["minute", "hour", "day of the month", "month", "day of the week"];
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let fields: [&str; 5] = fields.try_into().ok()?;
    let wrong = |(name, (index, field)): (&str, (usize, &str))| {
        let mut alone = ["*"; 5];
        *alone.get_mut(index)? = field;
        let error = parse_cron(&alone.join(" ")).err()?;
        Some(format!("the {name} is `{field}`: {}", reason_of(&error)))
    };
    NAMES.into_iter().zip(fields.into_iter().enumerate()).find_map(wrong)
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
            ScheduleText::Cron { cron, timezone } => Self::stored_cron(&cron, &timezone),
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

    /// The moments of a day and a half in Berlin, in UTC.
    fn moments(expression: &str, from: &str) -> Vec<String> {
        let schedule = Schedule::cron(expression, "Europe/Berlin").unwrap();
        let start = at(from);
        let end = start.after(Duration::from_secs(24 * 60 * 60));
        let next = |now: &Timestamp| schedule.next_after(*now).filter(|next| *next < end);
        let all = std::iter::successors(next(&start), next);
        all.map(|moment| moment.to_utc().format("%H:%M").to_string()).collect()
    }

    #[test]
    fn a_named_time_that_comes_twice_counts_once() {
        // At 01:00 UTC the clocks in Berlin go back from 3 to 2.
        let from = "2026-10-24T22:00:00Z";

        assert_eq!(moments("30 2 * * *", from), ["00:30"]);
        assert_eq!(moments("30 2,14 * * *", from), ["00:30", "13:30"]);
        assert_eq!(moments("0 2-4 * * *", from), ["00:00", "02:00", "03:00"]);
        assert_eq!(moments("15,45 2 * * *", from), ["00:15", "00:45"]);
        assert_eq!(moments("0 1,13 * * *", from), ["23:00", "12:00"]);
    }

    #[test]
    fn a_named_time_that_does_not_come_is_made_up_for_after_the_gap() {
        // At 01:00 UTC the clocks in Berlin go forward from 2 to 3.
        let from = "2026-03-28T23:00:00Z";

        assert_eq!(moments("30 2 * * *", from), ["01:00"]);
        assert_eq!(moments("30 2,14 * * *", from), ["01:00", "12:30"]);
        assert_eq!(moments("0 2-4 * * *", from), ["01:00", "02:00"]);
        assert_eq!(moments("15,45 2 * * *", from), ["01:00"]);
    }

    #[test]
    fn an_hour_that_is_not_named_goes_by_real_time() {
        for from in ["2026-03-28T23:00:00Z", "2026-10-24T22:00:00Z"] {
            assert_eq!(moments("30 * * * *", from).len(), 24, "{from}");
            assert_eq!(moments("*/20 * * * *", from).len(), 71, "{from}");
        }
    }

    #[test]
    fn a_day_that_a_country_left_out_is_made_up_for() {
        let schedule = Schedule::cron("0 9 * * *", "Pacific/Apia").unwrap();

        let made_up = schedule.next_after(at("2011-12-30T09:00:00Z")).unwrap();

        assert_eq!(made_up, at("2011-12-30T10:00:00Z"));
        assert_eq!(schedule.next_after(made_up), Some(at("2011-12-30T19:00:00Z")));
    }

    #[test]
    fn a_date_that_never_comes_is_refused_and_read_where_it_is_stored() {
        for never in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *"] {
            assert_eq!(Schedule::cron(never, "UTC"), Err(ScheduleError::Never(never.to_owned())));

            let stored = format!(r#"{{"cron":"{never}","timezone":"UTC"}}"#);
            let stored: Schedule = serde_json::from_str(&stored).unwrap();
            assert_eq!(stored.next_after(at("2026-03-28T00:00:00Z")), None);
        }
        assert!(Schedule::cron("0 0 29 2 *", "UTC").is_ok());
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let cases = [
            ("61 * * * *", "the minute is `61`"),
            ("0 25 * * *", "the hour is `25`"),
            ("0 9 0 * *", "the day of the month is `0`"),
            ("0 9 * 13 *", "the month is `13`"),
            ("0 9 * * monday-funday", "the day of the week is `monday-funday`"),
        ];
        for (expression, expected) in cases {
            let error = Schedule::cron(expression, "UTC").unwrap_err().to_string();

            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("Component error"), "{error}");
        }
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
