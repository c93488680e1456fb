//! A model of claim, renewal, completion and rescue, and a search of every world that it can come to.
//!
//! One operation has to be carried out: one effect outside, then one commit. Two workers, either of which may be frozen between any
//! two of its steps, ask the store for the run and for time, write the ledger row, send, hear or do not hear, and report. A request
//! that left may be obeyed later. Time passes at the database, and at a worker perhaps more slowly. Anyone recovers the run of a
//! worker that is lost, and anyone looks an effect in doubt up.
//!
//! Begin with `action` (what can happen, and the guards that keep it in order), then `world` (what becomes of it), then `explore`
//! (the properties, and a search breadth first). What may become of a run, the model does not say itself: it asks
//! [`RunState`](windlass_core::RunState), as the store does. Times are what is left of them, and fences are only newest or not, so
//! the worlds are finite in number although histories are not, and all of them are visited.
//!
//! Where the code does the same: `scheduler/src/lease.rs` (trust), `scheduler/src/drive/mutation.rs` (the last look),
//! `store/src/ops/` with `claim.rs`, `worker.rs` (renewal, handing back), `locked_run.rs` (the fence), `recover.rs` and `lookup.rs`
//! (absence, and when it counts).
//!
//! Left out:
//! - what the script does, its failures, delays, reservations and a person's answers: `invariants` has them;
//! - how the store makes a transaction one step: its conformance suite has that. A write whose answer is lost is, here, a worker
//!   that gives up right after it;
//! - a pause between the last look and the request's departure, which are one step (see `SAFETY.md`), and tools whose requests are
//!   obeyed later than they say;
//! - a clock of a worker that loses more than the margin of the lease (the one it asks goes on while the machine is suspended);
//! - look-ups that overtake each other, or send the request again under its key;
//! - a database that loses what it confirmed.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it relies on by failing"
)]

mod action;
mod explore;
mod world;

use crate::model::action::Guard;
use crate::model::explore::{Property, search};

#[test]
fn every_property_holds_in_every_world_that_can_come_about() {
    let search = search(&Property::ALL, None);

    println!("{} worlds", search.n_worlds);
    assert_eq!(search.broken, None);
    assert_eq!(search.never, [], "the model is worth nothing where nothing happens");
}

/// Each guard is needed, and each property can fail.
#[test]
fn without_any_one_of_the_guards_a_property_is_broken() {
    let needed = [
        (Guard::Fence, Property::LostClaimsWriteNothing),
        (Guard::Fence, Property::OneCommit),
        (Guard::LastLook, Property::OneEffect),
        (Guard::LedgerFirst, Property::OneEffect),
        (Guard::Doubt, Property::NoEmptyCommit),
        (Guard::Absence, Property::OneEffect),
        (Guard::Expiry, Property::NothingTakenFromTheLiving),
        (Guard::Expiry, Property::OneAtWork),
        (Guard::Margin, Property::NothingTakenFromTheLiving),
        (Guard::AskedAt, Property::NothingTakenFromTheLiving),
        (Guard::HandBack, Property::OneEffect),
        (Guard::Rescue, Property::AlwaysAWayOut),
    ];
    for (guard, property) in needed {
        let search = search(&[property], Some(guard));

        println!("without {guard:?}, after {} worlds: {:?}", search.n_worlds, search.broken);
        let broken = search.broken.map(|(broken, _)| broken);
        assert_eq!(broken, Some(property), "without {guard:?}");
    }
}
