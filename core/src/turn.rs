//! How workspaces share the slots of a worker.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How many of `free` slots each workspace may fill, where `held[i]` is how many slots workspace `i` has now.
///
/// Each slot goes to the one that has the fewest by then, and among equals to the first. So a workspace that fills all slots is
/// followed by those that wait, however many runs it has queued.
///
/// # Examples
/// ```
/// assert_eq!(windlass_core::slot_shares(&[3, 0, 1], 4), [0, 3, 1]);
/// ```
#[must_use]
pub fn slot_shares(held: &[u32], free: u32) -> Vec<u32> {
    let mut shares = vec![0; held.len()];
    let waiting = held.iter().copied().zip(&mut shares).enumerate();
    let mut waiting: BinaryHeap<_> =
        waiting.map(|(place, (held, share))| Reverse((held, place, share))).collect();
    for _ in 0..free {
        let Some(Reverse((held, place, share))) = waiting.pop() else { break };
        *share += 1;
        waiting.push(Reverse((held.saturating_add(1), place, share)));
    }
    drop(waiting);
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_workspace_gets_a_slot_while_another_has_fewer(
            held in proptest::collection::vec(0..9_u32, 0..6),
            free in 0..20_u32,
        ) {
            let shares = slot_shares(&held, free);

            prop_assert_eq!(shares.iter().sum::<u32>(), if held.is_empty() { 0 } else { free });
            let after: Vec<_> = held.iter().zip(&shares).map(|(held, share)| held + share).collect();
            let fewest = after.iter().min();
            for (after, share) in after.iter().zip(&shares).filter(|(_, share)| **share > 0) {
                prop_assert!(Some(&(after - 1)) <= fewest, "{after} with {share} new ones");
            }
        }
    }

    #[test]
    fn a_single_slot_goes_to_the_first_of_those_that_have_none() {
        assert_eq!(slot_shares(&[8, 0, 0], 1), [0, 1, 0]);
    }
}
