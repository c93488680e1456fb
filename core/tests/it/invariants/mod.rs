//! The state machines under generated sequences of commands, crashes and a person's actions.
//!
//! `world` is a store in memory that writes exactly what the core decides, and an outside world that remembers what really
//! happened; `command` is what can happen to it; `check` is what must hold after every step. A command that is not
//! legal is kept: the core has to refuse it, and nothing may change.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it relies on by failing"
)]

mod check;
mod command;
mod world;

use proptest::prelude::*;

use crate::invariants::command::{Command, command};
use crate::invariants::world::World;

proptest! {
    #![proptest_config(ProptestConfig {
        // 512, unless `PROPTEST_CASES` asks for others.
        cases: ProptestConfig::default().cases * 2,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_invariant_holds_after_every_step(commands in prop::collection::vec(command(), 1..120)) {
        let mut world = World::new();
        for (step, command) in commands.iter().enumerate() {
            let before = world.clone();
            let refused = world.perform(command).is_err();
            if refused {
                prop_assert_eq!(&world, &before, "a refused {:?} changed something", command);
            }
            if let Err(broken) = check::all(&before, command, &world) {
                prop_assert!(false, "after step {step} ({command:?}, refused: {refused}): {broken}\n{world:#?}");
            }
        }
    }

    /// After any history: once the person has answered and time has passed, the workflow is finished. Nothing is reserved, no
    /// retry is pending, and every applied effect was followed by its `next`.
    #[test]
    fn everything_converges_once_the_person_has_answered(commands in prop::collection::vec(command(), 1..80)) {
        let mut world = World::new();
        for command in &commands {
            world.try_to(command);
        }

        prop_assert!(world.settle(), "does not come to rest: {world:#?}");

        prop_assert!(world.events.iter().all(|event| !event.status.is_open()), "{world:#?}");
        prop_assert_eq!(world.pending_retry, None);
        for effect in &world.effects {
            prop_assert!(effect.run_ended_committed(&world), "an effect without its `next`: {effect:?}\n{world:#?}");
        }
    }
}

/// The generator is useful only if it reaches the end of a run: the commands of an ordinary run do.
#[test]
fn a_plain_run_gets_from_the_producer_to_the_last_consumer() {
    let mut world = World::new();
    let plain = [
        Command::Enqueue,
        Command::Claim,
        Command::Commit { publishes: 1, repeats: 0 },
        Command::Claim,
        Command::Prepare { reserves: 1, wakes: false },
        Command::BeginMutation { happens: true },
        Command::Apply,
        Command::Commit { publishes: 1, repeats: 0 },
    ];

    for command in &plain {
        world.perform(command).unwrap();
    }

    assert_eq!(world.effects.len(), 1);
    assert!(world.settle());
}
