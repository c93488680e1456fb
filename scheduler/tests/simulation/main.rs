//! The scheduler, the store and V8 as they are, under a simulated clock, with workers that crash and freeze and an outside world
//! that loses answers.
//!
//! A seed decides a history: in which order the workers go on, where they are lost, what the services do and what a person does.
//! `WINDLASS_SIM_SEED=…` repeats the history of one seed, `WINDLASS_SIM_HISTORIES=…` runs so many.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it relies on by failing, and shows what it did"
)]

mod gate;
mod histories;
mod oracle;
mod outside;
mod person;
mod place;
mod plan;
mod rng;
mod shop;
mod simulation;
mod stage;
mod store;
mod tally;
mod tools;
mod worker;

use crate::place::Database;

#[test]
fn histories_in_memory() {
    histories::run(Database::Memory, 300);
}

#[test]
fn histories_on_disk() {
    histories::run(Database::Disk, 40);
}

#[test]
fn histories_on_postgres() {
    histories::run(Database::Postgres, 40);
}

#[test]
fn the_same_seed_makes_the_same_history() {
    for seed in [1, 2, 3] {
        let digests = [(); 2].map(|()| histories::one(Database::Memory, seed).digest());

        assert_eq!(digests[0], digests[1], "seed {seed}");
    }
}
