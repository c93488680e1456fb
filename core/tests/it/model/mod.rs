//! A model of claim, renewal, completion and recovery, and a search of every world that it can reach.
//!
//! One operation has to be carried out: one effect outside, then one commit. Two workers, either of which may be frozen between any
//! two of its steps, request the run and renewals from the store, write the ledger row, send the request, receive the answer or
//! not, and report. A request may be executed some time after it was sent. Time passes at the database, and perhaps more slowly at a
//! worker. Any worker recovers the run of a lost one, and any worker looks an effect in doubt up.
//!
//! Begin with `action` (what can happen, and the guards), then `world` (what follows from it), then `explore` (the properties, and a
//! breadth-first search). The model does not decide the transitions of a run itself: like the store, it calls
//! [`RunState`](windlass_core::RunState). It counts how much time is left and whether a fence is the newest, so the number of worlds
//! is finite although the number of histories is not, and the search visits all of them.
//!
//! Where the code does the same: `scheduler/src/lease.rs` (when a lease is safe), `scheduler/src/drive/mutation.rs` (the last check),
//! and `store/src/ops/` with `claim.rs`, `worker.rs` (renewal, handing back), `locked_run.rs` (the fence), `recover.rs` and
//! `lookup.rs` (absence, and when it counts).
//!
//! The model leaves out:
//! - what the script does, its failures, delays, reservations and a person's decisions: `invariants` has them;
//! - how the store makes a transaction one step: its conformance suite tests that. A write whose answer is lost is, here, a worker
//!   that gives up right after it;
//! - a pause between the last check and the sending of the request, which are one step (see `SAFETY.md`), and tools whose requests
//!   are executed later than they say;
//! - a clock of a worker that loses more than the margin of the lease (the clock that it reads runs on while the machine is
//!   suspended);
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
fn every_property_holds_in_every_reachable_world() {
    let search = search(&Property::ALL, None);

    println!("{} worlds", search.n_worlds);
    assert_eq!(search.broken, None);
    assert_eq!(search.never, [], "a model in which an action never happens proves little");
}

/// Each guard is needed, and each property can fail.
#[test]
fn without_any_one_of_the_guards_a_property_is_broken() {
    let needed = [
        (Guard::Fence, Property::LostClaimsWriteNothing),
        (Guard::Fence, Property::OneCommit),
        (Guard::LastCheck, Property::OneEffect),
        (Guard::LedgerFirst, Property::OneEffect),
        (Guard::Doubt, Property::NoEmptyCommit),
        (Guard::Absence, Property::OneEffect),
        (Guard::Expiry, Property::NoRecoveryFromALivingWorker),
        (Guard::Expiry, Property::OneWorker),
        (Guard::Margin, Property::NoRecoveryFromALivingWorker),
        (Guard::RequestTime, Property::NoRecoveryFromALivingWorker),
        (Guard::HandBack, Property::OneEffect),
        (Guard::Rescue, Property::CanAlwaysFinish),
    ];
    for (guard, property) in needed {
        let search = search(&[property], Some(guard));

        println!("without {guard:?}, after {} worlds: {:?}", search.n_worlds, search.broken);
        let broken = search.broken.map(|(broken, _)| broken);
        assert_eq!(broken, Some(property), "without {guard:?}");
    }
}
