//! How long finished records are kept. Open ones are kept however old they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schedule::span;
use crate::text::{Text, UnknownText, text_enum, text_impls};
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

text_enum! {
    /// A kind of records that is removed when it is finished and old. They are removed in this order, so that a record goes
    /// only after the records that refer to it.
    pub enum RecordKind ("a kind of records") {
        /// Consumed and skipped events; their message ids are kept as [`Keys`](Self::Keys).
        Events = "events",
        /// Notifications whose cause is settled, and messages of scripts.
        Notifications = "notifications",
        /// Settled effects, each with the runs that made it and continued after it.
        Mutations = "mutations",
        /// Runs without an effect that have ended, with what they logged.
        Runs = "runs",
        /// Inputs to which no kept record refers; their natural keys are kept as [`Keys`](Self::Keys).
        Inputs = "inputs",
        /// Sessions that have ended and of which no run is kept.
        Sessions = "sessions",
        /// Entries of the journal that concern nothing open.
        Journal = "journal",
        /// The keys of removed events and inputs. As long as a key is kept, the same thing does not count as new.
        Keys = "keys",
    }
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Always.
    Forever,
    /// For this time after it was finished.
    Span(Duration),
}

impl Age {
    const fn days(days: u32) -> Self {
        Self::Span(DAY.saturating_mul(days))
    }

    /// A record that was finished at this instant or before is removed at `now`; none where all are kept.
    #[must_use]
    pub fn cutoff(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Forever => None,
            Self::Span(span) => {
                let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
                Some(Timestamp::from_micros(now.as_micros().saturating_sub(micros)))
            }
        }
    }
}

impl Text for Age {
    fn to_text(&self) -> String {
        let Self::Span(span) = self else { return "forever".to_owned() };
        match span.as_secs() {
            s if s > 0 && s % 86_400 == 0 => format!("{}d", s / 86_400),
            s => format!("{s}s"),
        }
    }

    fn parse_text(text: &str) -> Result<Self, UnknownText> {
        let expected = "an age: write a whole number, not 0, and s, m, h or d, for example `30d`, or `forever`";
        match text {
            "forever" => Ok(Self::Forever),
            text => span(text).map(Self::Span).map_err(|_wrong| UnknownText::new(text, expected)),
        }
    }
}

text_impls!(Age);

/// How long each kind of records is kept after it was finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Consumed and skipped events. The runs that published and reserved them are kept at least as long.
    pub events: Age,
    /// Settled effects with their runs.
    pub mutations: Age,
    /// Runs without an effect. Polls that find nothing make them the most frequent records.
    pub runs: Age,
    /// Sessions.
    pub sessions: Age,
    /// Inputs. An input is kept at least as long as the events and runs that it caused.
    pub inputs: Age,
    /// Settled notifications and messages of scripts.
    pub notifications: Age,
    /// The journal of what people and the engine did.
    pub journal: Age,
    /// The keys of removed events and inputs. If the outside world shows the same thing again after this time, it counts as new.
    pub keys: Age,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            events: Age::days(30),
            mutations: Age::days(90),
            runs: Age::days(30),
            sessions: Age::days(30),
            inputs: Age::days(90),
            notifications: Age::days(30),
            journal: Age::days(365),
            keys: Age::Forever,
        }
    }
}

impl Retention {
    /// The same age for every kind but the keys, which are kept for ever.
    #[must_use]
    pub const fn all(age: Age) -> Self {
        Self {
            events: age,
            mutations: age,
            runs: age,
            sessions: age,
            inputs: age,
            notifications: age,
            journal: age,
            keys: Age::Forever,
        }
    }

    /// How long that kind is kept.
    #[must_use]
    pub const fn of(&self, kind: RecordKind) -> Age {
        match kind {
            RecordKind::Events => self.events,
            RecordKind::Notifications => self.notifications,
            RecordKind::Mutations => self.mutations,
            RecordKind::Runs => self.runs,
            RecordKind::Inputs => self.inputs,
            RecordKind::Sessions => self.sessions,
            RecordKind::Journal => self.journal,
            RecordKind::Keys => self.keys,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_span_or_forever_and_never_zero() {
        assert_eq!("30d".parse(), Ok(Age::days(30)));
        assert_eq!("forever".parse(), Ok(Age::Forever));
        assert_eq!(Age::days(30).to_string(), "30d");
        assert_eq!("90s".parse::<Age>().unwrap().to_string(), "90s");
        for wrong in ["0", "0d", "", "30", "never", "-1d"] {
            assert!(wrong.parse::<Age>().unwrap_err().to_string().contains("30d"), "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_forever_is_never_old() {
        let now = Timestamp::from_micros(5_000_000);

        assert_eq!(Age::Forever.cutoff(now), None);
        assert_eq!(Age::Span(Duration::ZERO).cutoff(now), Some(now));
        assert_eq!(
            Age::Span(Duration::from_secs(2)).cutoff(now),
            Some(Timestamp::from_micros(3_000_000))
        );
    }
}
