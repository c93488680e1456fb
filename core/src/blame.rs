//! Which events a failure is blamed on, so that one bad event never stops the others.
//!
//! A failure of class logic before any effect is about the events that the run had reserved, or, where it had reserved none, about
//! those that this call of `prepare` was given. A single one is parked. Several are each tried alone, until the culprit is found. A
//! failure that no event explains is the script's.

use crate::policy::EventPolicy;
use crate::run::Phase;
use crate::text::text_enum;

text_enum! {
    /// What a failure about an event stops, as the consumer declares it in `onFailure`.
    #[derive(Default)]
    pub enum OnFailure ("what a failure stops") {
        /// The event alone: it is parked, and the consumer continues with the others.
        #[default]
        Park = "park",
        /// The whole workflow, because the order of the events matters.
        Stop = "stop",
    }
}

text_enum! {
    /// What becomes of a run whose request was definitely refused, as the consumer declares it in `refused`.
    #[derive(Default)]
    pub enum OnRefusal ("what a refusal leads to") {
        /// It fails: its event is parked, or its workflow stops.
        #[default]
        Fail = "fail",
        /// It goes on: `next` is told of the refusal, and the events are consumed.
        Next = "next",
    }
}

text_enum! {
    /// How far a run goes in which only one of several suspected events is visible.
    pub enum Trial ("a trial") {
        /// `prepare` only, because it was `prepare` that failed: nothing is reserved, and nothing is done outside.
        Prepare = "prepare",
        /// A whole run, because a later phase failed.
        Run = "run",
    }
}

impl Trial {
    /// The trial that shows again what failed in this phase.
    #[must_use]
    pub const fn of(failed_in: Phase) -> Self {
        match failed_in {
            Phase::Pending | Phase::Executing | Phase::Preparing => Self::Prepare,
            Phase::Prepared
            | Phase::Mutating
            | Phase::Mutated
            | Phase::Emitting
            | Phase::Committed => Self::Run,
        }
    }

    /// Whether an event that passed the trial `passed` is still to be tried.
    #[must_use]
    pub fn is_due_after(self, passed: Option<Self>) -> bool {
        passed.is_none_or(|passed| passed < self)
    }
}

/// What a failure of class logic could be blamed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspects<'a> {
    /// How many pending or reserved events the failed call was about.
    pub events: usize,
    /// How many of them have not been tried alone yet.
    pub untried: usize,
    /// How many events of the consumer were parked in a row, with no success between.
    pub parked_in_a_row: u32,
    /// What the consumer declares.
    pub on_failure: OnFailure,
    /// The limits.
    pub policy: &'a EventPolicy,
}

/// What a failure is blamed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Nothing: what happened says nothing about the events or the script.
    Nothing,
    /// The reserved events, perhaps: the run was lost, or failed because of Windlass. Those that are counted too often are parked.
    Counted,
    /// The only event that the run was about: it is parked.
    Event,
    /// One of several events. Each is tried alone.
    OneOf(Trial),
    /// The script: no event explains the failure.
    Script,
    /// The only event and the script: the event is the last of too many that were parked in a row.
    EventAndScript,
}

impl Blame {
    /// Whether the script has to be repaired before the workflow continues.
    #[must_use]
    pub const fn stops_the_workflow(self) -> bool {
        matches!(self, Self::Script | Self::EventAndScript)
    }

    /// Whether the only event is parked.
    #[must_use]
    pub const fn parks(self) -> bool {
        matches!(self, Self::Event | Self::EventAndScript)
    }
}

impl Suspects<'_> {
    /// What a failure of class logic in the phase `failed_in`, before any effect, is blamed on.
    ///
    /// Every event is tried at most once for each trial, so that the search ends.
    #[must_use]
    pub fn blame(&self, failed_in: Phase) -> Blame {
        if self.on_failure == OnFailure::Stop || self.events == 0 {
            return Blame::Script;
        }
        if self.events > 1 {
            let is_explained = self.untried > 0;
            return if is_explained { Blame::OneOf(Trial::of(failed_in)) } else { Blame::Script };
        }
        let in_a_row = self.parked_in_a_row.saturating_add(1);
        if self.policy.is_too_many_in_a_row(in_a_row) {
            Blame::EventAndScript
        } else {
            Blame::Event
        }
    }
}

/// What is the same in the messages of two failures that have the same reason: without what is quoted, and without numbers.
///
/// ```
/// use windlass_core::reason_of;
///
/// assert_eq!(reason_of("`a/1.eml` has 3 parts"), reason_of("`b/22.eml` has 17 parts"));
/// ```
#[must_use]
pub fn reason_of(message: &str) -> String {
    let mut reason = String::with_capacity(message.len());
    let mut rest = message.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '`' | '"' => {
                let quoted: Vec<char> = rest.clone().take_while(|next| *next != char).collect();
                reason.push('…');
                // The closing quote, too.
                rest.by_ref().take(quoted.len() + 1).for_each(drop);
            }
            digit if digit.is_ascii_digit() => {
                reason.push('#');
                while rest.next_if(char::is_ascii_digit).is_some() {}
            }
            other => reason.push(other),
        }
    }
    reason
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn suspects(policy: &EventPolicy) -> impl Strategy<Value = Suspects<'_>> {
        (0_usize..5, 0_usize..5, 0_u32..5, prop::sample::select(OnFailure::ALL)).prop_map(
            move |(events, untried, parked_in_a_row, on_failure)| Suspects {
                events,
                untried: untried.min(events),
                parked_in_a_row,
                on_failure,
                policy,
            },
        )
    }

    const PHASES: [Phase; 4] =
        [Phase::Preparing, Phase::Prepared, Phase::Mutating, Phase::Emitting];
    const POLICY: &EventPolicy = &EventPolicy { park_after: 5, parked_in_a_row: 3 };

    proptest! {
        #[test]
        fn an_event_is_parked_only_if_it_was_alone(
            suspects in suspects(POLICY), phase in prop::sample::select(&PHASES[..])
        ) {
            prop_assert!(!suspects.blame(phase).parks() || suspects.events == 1);
        }

        #[test]
        fn where_order_matters_every_failure_stops(
            suspects in suspects(POLICY), phase in prop::sample::select(&PHASES[..])
        ) {
            let suspects = Suspects { on_failure: OnFailure::Stop, ..suspects };
            prop_assert_eq!(suspects.blame(phase), Blame::Script);
        }

        /// One bad event among any number, in any place, is found and parked, and no other event is.
        #[test]
        fn the_culprit_is_found_wherever_it_is(n_events in 1_usize..20, culprit in 0_usize..20) {
            let culprit = culprit % n_events;
            let (parked, stopped, n_failures) = search(n_events, |visible| visible.contains(&culprit));
            prop_assert_eq!((parked, stopped), (vec![culprit], false));
            prop_assert!(n_failures <= 2, "one failure of all, and one of the culprit alone");
        }

        /// A failure that needs two events together is no event's: the search ends, and the script is repaired.
        #[test]
        fn a_failure_of_events_together_is_the_scripts(n_events in 2_usize..20) {
            let (parked, stopped, _) = search(n_events, |visible| visible.len() > 1);
            prop_assert_eq!((parked, stopped), (vec![], true));
        }

        #[test]
        fn a_script_that_fails_for_every_event_stops_after_three(n_events in 3_usize..20) {
            let (parked, stopped, _) = search(n_events, |_| true);
            prop_assert_eq!((parked.len(), stopped), (3, true));
        }

        #[test]
        fn reasons_differ_only_in_words(
            quoted in "[a-z/ ]{0,9}", other in "[A-Z. ]{0,9}", n in any::<u32>(), m in any::<u32>()
        ) {
            let reason = |what: &str, n: u32| reason_of(&format!("could not read `{what}`: line {n}"));
            prop_assert_eq!(reason(&quoted, n), reason(&other, m));
            prop_assert_ne!(reason(&quoted, n), reason_of(&format!("could not write `{other}`: line {m}")));
        }
    }

    /// Calls a `prepare` that is given all pending events and fails where `fails` says so, and does what the core says. Returns the
    /// parked events, whether the workflow stopped, and how many calls failed.
    fn search(n_events: usize, fails: impl Fn(&[usize]) -> bool) -> (Vec<usize>, bool, usize) {
        let (mut pending, mut passed): (Vec<usize>, Vec<usize>) = ((0..n_events).collect(), vec![]);
        let (mut parked, mut suspected): (Vec<usize>, Vec<usize>) = (vec![], vec![]);
        let (mut in_a_row, mut n_failures) = (0, 0);
        for _ in 0..100 {
            let tried = (!suspected.is_empty()).then(|| suspected.remove(0));
            let visible = tried.map_or_else(|| pending.clone(), |tried| vec![tried]);
            if !fails(&visible) {
                in_a_row = 0;
                match tried {
                    Some(tried) => passed.push(tried),
                    None => return (parked, false, n_failures),
                }
                continue;
            }
            n_failures += 1;
            let untried: Vec<_> =
                visible.iter().filter(|event| !passed.contains(event)).copied().collect();
            let suspects = Suspects {
                events: visible.len(),
                untried: untried.len(),
                parked_in_a_row: in_a_row,
                on_failure: OnFailure::Park,
                policy: POLICY,
            };
            let blame = suspects.blame(Phase::Preparing);
            if blame.parks() {
                in_a_row += 1;
                pending.retain(|event| !visible.contains(event));
                parked.extend(visible);
            }
            if blame.stops_the_workflow() {
                return (parked, true, n_failures);
            }
            if let Blame::OneOf(_) = blame {
                suspected = untried;
            }
        }
        (parked, false, usize::MAX)
    }

    #[test]
    fn an_event_that_passed_prepare_is_still_tried_in_a_run() {
        assert!(Trial::Run.is_due_after(Some(Trial::Prepare)));
        assert!(!Trial::Prepare.is_due_after(Some(Trial::Run)));
        assert!(!Trial::Run.is_due_after(Some(Trial::Run)));
    }

    #[test]
    fn a_quote_that_is_never_closed_hides_the_rest() {
        assert_eq!(reason_of("no `end 17"), "no …");
    }
}
