//! Simulation: the real scheduler, store and V8 under a simulated clock, with workers that crash and freeze and services that lose
//! answers.
//!
//! A seed decides a history: the order of the workers' steps, where workers are lost, what the services do and what a person does.
//! `WINDLASS_SIM_SEED=…` repeats the history of one seed, `WINDLASS_SIM_HISTORIES=…` sets the number of histories.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it relies on by failing, and shows what it did"
)]

mod database;
mod environment;
mod gate;
mod histories;
mod oracle;
mod person;
mod plan;
mod plans;
mod rng;
mod services;
mod shop;
mod simulation;
mod store;
mod tally;
mod tools;
mod witness;
mod worker;

use crate::database::Database;
use crate::environment::Scenario;

// Few enough for every run of the tests; `cargo xtask soak` runs thousands on each database. So many in memory that each kind
// of fault has to occur (`tally.rs`).

#[test]
fn histories_in_memory() {
    histories::run(Database::Memory, Scenario::Faults, 200);
}

#[test]
fn histories_on_disk() {
    histories::run(Database::Disk, Scenario::Faults, 20);
}

#[test]
fn histories_on_postgres() {
    histories::run(Database::Postgres, Scenario::Faults, 12);
}

#[test]
fn histories_of_restored_backups() {
    histories::run(Database::Disk, Scenario::RestoredBackups, 30);
}

#[test]
fn histories_of_plans_in_memory() {
    histories::run(Database::Memory, Scenario::Plans, 60);
}

#[test]
fn histories_of_plans_on_disk() {
    histories::run(Database::Disk, Scenario::Plans, 10);
}

#[test]
fn histories_of_plans_with_restored_backups() {
    histories::run(Database::Disk, Scenario::RestoredPlans, 20);
}

#[test]
fn histories_of_plans_on_postgres() {
    histories::run(Database::Postgres, Scenario::Plans, 12);
}

#[test]
fn the_same_seed_makes_the_same_history_on_every_database() {
    for seed in 1..=2 {
        let databases = [Database::Memory, Database::Memory, Database::Disk, Database::Postgres];
        let traces: Vec<Vec<String>> =
            databases.iter().filter_map(|database| histories::trace(*database, seed)).collect();

        for (database, trace) in databases.iter().zip(&traces) {
            let n_same =
                trace.iter().zip(&traces[0]).take_while(|(one, first)| one == first).count();
            assert_eq!(
                trace.get(n_same..),
                traces[0].get(n_same..),
                "seed {seed} on {database}, from line {n_same} on"
            );
        }
    }
}
