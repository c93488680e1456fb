//! Who goes first when more is queued than can run.

use std::time::Duration;

use crate::time::Timestamp;

/// How much waiting one point of priority is worth.
pub const PER_PRIORITY: Duration = Duration::from_secs(60);

/// The place of a run in the queue: the instant since which it waits, earlier by a minute for each point of its priority.
///
/// So whoever waits long enough goes before any newcomer, and nobody starves. The order never changes while runs wait, and an
/// index can keep it.
#[must_use]
pub fn rank(waits_since: Timestamp, priority: i32) -> Timestamp {
    let head_start = PER_PRIORITY.saturating_mul(priority.unsigned_abs());
    if priority >= 0 { waits_since.before(head_start) } else { waits_since.after(head_start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_priority_goes_first_until_the_other_has_waited_for_its_minutes() {
        let began = Timestamp::from_micros(1_000_000_000);
        let later = |seconds| began.after(Duration::from_secs(seconds));

        assert!(rank(later(119), 2) < rank(began, 0));
        assert!(rank(later(121), 2) > rank(began, 0));
        assert!(rank(began, -1) > rank(later(59), 0));
    }
}
