//! The order of queued runs, and limits on how many runs of one kind run at a time.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::capability::Grant;
use crate::schedule::span;
use crate::text::UnknownText;
use crate::time::Timestamp;

/// How much waiting time one point of priority replaces.
pub const PRIORITY_HEAD_START: Duration = Duration::from_secs(60);

/// The position of a run in the queue: the instant since which it waits, moved back by a minute for each point of its priority.
///
/// A run that waits long enough goes before any newer run, so none starves. The order never changes while runs wait, so an index
/// can keep it.
#[must_use]
pub fn queue_rank(waits_since: Timestamp, priority: i32) -> Timestamp {
    let head_start = PRIORITY_HEAD_START.saturating_mul(priority.unsigned_abs());
    if priority >= 0 { waits_since.before(head_start) } else { waits_since.after(head_start) }
}

/// What a limit counts: the runs that have this in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitKey {
    /// A workflow.
    Workflow(String),
    /// A namespace of tools, such as a connector's.
    Connector(String),
    /// A target that a tool is limited to, such as a server.
    Host(String),
}

impl LimitKey {
    /// The limits that apply to the runs of a workflow: its name, the tools that it may call, and the targets that its grant names.
    #[must_use]
    pub fn of(workflow: &str, grant: &Grant) -> BTreeSet<Self> {
        let of_tools = grant.iter().flat_map(|capability| {
            let host = capability.scope().map(|scope| Self::Host(scope.to_owned()));
            [Some(Self::Connector(capability.namespace().to_owned())), host]
        });
        std::iter::once(Self::Workflow(workflow.to_owned())).chain(of_tools.flatten()).collect()
    }
}

impl fmt::Display for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workflow(name) => write!(f, "workflow:{name}"),
            Self::Connector(namespace) => write!(f, "connector:{namespace}"),
            Self::Host(host) => write!(f, "host:{host}"),
        }
    }
}

impl FromStr for LimitKey {
    type Err = UnknownText;

    fn from_str(text: &str) -> Result<Self, UnknownText> {
        match text.split_once(':') {
            Some(("workflow", name)) if !name.is_empty() => Ok(Self::Workflow(name.to_owned())),
            Some(("connector", name)) if !name.is_empty() => Ok(Self::Connector(name.to_owned())),
            Some(("host", name)) if !name.is_empty() => Ok(Self::Host(name.to_owned())),
            _ => Err(UnknownText::new(
                text,
                "what can be limited: write `workflow:NAME`, `connector:Http` or `host:api.example.com`",
            )),
        }
    }
}

/// A number of runs per time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many may begin.
    pub runs: u32,
    /// In each window of this length.
    pub per: Duration,
}

impl FromStr for Rate {
    type Err = UnknownText;

    fn from_str(text: &str) -> Result<Self, UnknownText> {
        let parts = text.split_once('/').and_then(|(runs, per)| {
            Some(Self { runs: runs.parse().ok().filter(|runs| *runs > 0)?, per: span(per).ok()? })
        });
        parts.ok_or_else(|| UnknownText::new(text, "a rate: write for example `60/1m`"))
    }
}

/// How many runs with the same key may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunLimit {
    /// How many runs at a time.
    pub at_once: Option<u32>,
    /// How many may begin in a window.
    pub rate: Option<Rate>,
}

/// A limit, and how much of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitUsage {
    /// The limit.
    pub limit: RunLimit,
    /// How many runs are active.
    pub running: u32,
    /// When the window of the rate began.
    pub window_started_at: Option<Timestamp>,
    /// How many runs have begun in it.
    pub taken: u32,
}

/// Until when no run may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitReached {
    /// Until another run ends.
    UntilOneEnds,
    /// Until the window of the rate ends.
    Until(Timestamp),
}

impl LimitUsage {
    /// Whether a run has to wait at `now`, and for what.
    #[must_use]
    pub fn reached(&self, now: Timestamp) -> Option<LimitReached> {
        if self.limit.at_once.is_some_and(|at_once| self.running >= at_once) {
            return Some(LimitReached::UntilOneEnds);
        }
        let rate = self.limit.rate?;
        // A window that begins in the future is one of a clock that was set back since.
        let ends = self.window_started_at.filter(|began| *began <= now)?.after(rate.per);
        (now < ends && self.taken >= rate.runs).then_some(LimitReached::Until(ends))
    }

    /// The usage after one more run has begun at `now`.
    #[must_use]
    pub fn with_one_more_run(self, now: Timestamp) -> Self {
        let running = self.running.saturating_add(1);
        let Some(rate) = self.limit.rate else { return Self { running, ..self } };
        match self.window_started_at {
            Some(began) if began <= now && now < began.after(rate.per) => {
                Self { running, taken: self.taken.saturating_add(1), ..self }
            }
            Some(_) | None => Self { running, taken: 1, window_started_at: Some(now), ..self },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_000_000_000).after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_higher_priority_goes_first_until_the_other_has_waited_for_its_minutes() {
        assert!(queue_rank(at(119), 2) < queue_rank(at(0), 0));
        assert!(queue_rank(at(121), 2) > queue_rank(at(0), 0));
        assert!(queue_rank(at(0), -1) > queue_rank(at(59), 0));
    }

    #[test]
    fn a_workflow_is_limited_by_its_name_its_tools_and_the_targets_of_its_grant() {
        let grant: Grant = ["Http.post:a.example", "Http.get", "Files.append"]
            .map(|it| it.parse().unwrap())
            .into_iter()
            .collect();

        let keys: Vec<_> = LimitKey::of("mail", &grant).iter().map(ToString::to_string).collect();

        assert_eq!(keys, ["workflow:mail", "connector:Files", "connector:Http", "host:a.example"]);
        for key in keys {
            assert_eq!(key.parse::<LimitKey>().unwrap().to_string(), key);
        }
        for wrong in ["mail", "host:", "tool:Http"] {
            assert!(wrong.parse::<LimitKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_more_runs_than_the_limit_run_at_once() {
        let limit = RunLimit { at_once: Some(2), rate: None };
        let one = LimitUsage { limit, running: 1, window_started_at: None, taken: 0 };

        assert_eq!(one.reached(at(0)), None);
        assert_eq!(one.with_one_more_run(at(0)).reached(at(9)), Some(LimitReached::UntilOneEnds));
    }

    #[test]
    fn a_window_that_a_clock_ahead_began_keeps_no_run_waiting() {
        let limit = RunLimit { at_once: None, rate: Some("1/1m".parse().unwrap()) };
        let full = LimitUsage { limit, running: 0, window_started_at: Some(at(3_600)), taken: 1 };

        assert_eq!(full.reached(at(0)), None);
        assert_eq!(full.with_one_more_run(at(0)).window_started_at, Some(at(0)));
    }

    #[test]
    fn a_window_has_its_number_of_runs_and_the_next_run_begins_the_next_window() {
        let rate: Rate = "2/1m".parse().unwrap();
        let limit = RunLimit { at_once: None, rate: Some(rate) };
        let none = LimitUsage { limit, running: 0, window_started_at: None, taken: 0 };

        let two = none.with_one_more_run(at(0)).with_one_more_run(at(30));

        assert_eq!(two.reached(at(59)), Some(LimitReached::Until(at(60))));
        assert_eq!(two.reached(at(60)), None);
        let third = two.with_one_more_run(at(70));
        assert_eq!((third.taken, third.window_started_at), (1, Some(at(70))));
        for wrong in ["2", "0/1m", "2/", "2/1"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
