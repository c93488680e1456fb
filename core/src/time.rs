//! Instants, and the clock that gives them.

use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{Id, IdSource};

/// An instant: microseconds since the epoch, UTC. The one representation of time in the engine.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant this many microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The instant as a calendar date in UTC.
    #[must_use]
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Later by `duration`; the end of time where that cannot be said.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `duration`; the beginning of time where that cannot be said.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero where it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whether this is an instant that the clock has not shown yet, by more than [`CLOCK_TOLERANCE`]. If something is known to have
    /// happened then, the clock was set back since.
    #[must_use]
    pub fn is_ahead_of(self, now: Self) -> bool {
        self > now.after(CLOCK_TOLERANCE)
    }

    /// Reads an ISO 8601 instant with a zone, such as `2026-03-01T09:00:00Z`; `None` where `text` is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(Self::from)
    }
}

impl<Tz: chrono::TimeZone> From<DateTime<Tz>> for Timestamp {
    fn from(instant: DateTime<Tz>) -> Self {
        Self(instant.timestamp_micros())
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.to_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl std::fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl From<Timestamp> for String {
    fn from(instant: Timestamp) -> Self {
        instant.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = crate::text::UnknownText;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| crate::text::UnknownText::new(text, "an ISO 8601 instant"))
    }
}

/// How far a clock may be from where it should be, so that it still counts as running evenly. Waiting for so little hurts nobody.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// Where instants come from. Every part of the engine is handed one, so that a test can set the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// The source of all ids that are minted by this clock; none where ids are random.
    fn ids(&self) -> Option<&IdSource> {
        None
    }

    /// A new id, of the present instant.
    fn mint<I: Id>(&self) -> I
    where
        Self: Sized,
    {
        self.ids().map_or_else(|| I::mint(self.now()), |ids| I::mint_from(ids, self.now()))
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from(Utc::now())
    }
}

/// A clock that moves only when a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
    ids: Option<IdSource>,
}

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self { now: Mutex::new(start), ids: None }
    }

    /// The same, with ids that depend only on the seed.
    #[must_use]
    pub const fn seeded(start: Timestamp, seed: u64) -> Self {
        Self { now: Mutex::new(start), ids: Some(IdSource::new(seed)) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.after(by);
    }

    /// Sets the clock.
    pub fn set(&self, to: Timestamp) {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = to;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn ids(&self) -> Option<&IdSource> {
        self.ids.as_ref()
    }
}
