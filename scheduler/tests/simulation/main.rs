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
    histories::run(Database::Memory, 200);
}

#[test]
fn histories_on_disk() {
    histories::run(Database::Disk, 30);
}

#[test]
fn histories_on_postgres() {
    histories::run(Database::Postgres, 30);
}

#[test]
fn the_same_seed_makes_the_same_history_on_every_database() {
    for seed in 1..=4 {
        let databases = [Database::Memory, Database::Memory, Database::Disk, Database::Postgres];
        let digests: Vec<u64> =
            databases.iter().filter_map(|database| histories::digest(*database, seed)).collect();

        assert!(digests.iter().all(|digest| *digest == digests[0]), "seed {seed}: {digests:?}");
    }
}
