//! The contract of the store as tests that every implementation passes, and what other tests of a store need.
//!
//! [`conformance_tests`] makes a test of each claim for one way to open a store:
//!
//! ```ignore
//! mod my_database {
//!     async fn open() -> Option<(TestStore, Guard)> {
//!         // An empty store over a `ManualClock` at `start()`, with the limits of `policy()`,
//!         // and what has to live as long as the store.
//!     }
//!     windlass_store_conformance::conformance_tests!(crate::my_database::open);
//! }
//! ```
//!
//! Where `open` returns `None`, because the environment has no such database, the tests pass.
//!
//! [`World`](world::World) is a store with a workflow, and what a worker and a person do with it. [`PostgresSchema`] is a place in
//! a PostgreSQL server for one test. [`connect_sqlite`] connects to an SQLite file beside a store, and
//! [`copy_sqlite`] copies one.

#![expect(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the name of a test is its claim, and a test that does not hold panics"
)]

pub mod activation;
pub mod blaming;
mod builders;
pub mod claiming;
pub mod committing;
pub mod concurrency;
mod contract;
pub mod contradicting;
pub mod controls;
pub mod credentials;
pub mod effect_limits;
pub mod failing;
pub mod fixtures;
pub mod forgotten_keys;
pub mod graph_records;
pub mod idempotency;
pub mod identifying;
mod isolation;
mod listing;
pub mod logs;
pub mod lookups;
pub mod messages;
pub mod mutating;
mod observe;
pub mod paging;
pub mod plans;
mod postgres_schema;
pub mod preparing;
pub mod pruning;
pub mod publishing;
pub mod queries;
pub mod recorded_plans;
pub mod recovering;
pub mod replaying;
pub mod resolving;
pub mod retrying;
pub mod run_limits;
pub mod scheduling;
pub mod scripts;
mod sqlite_connection;
pub mod stepping_clock;
pub mod stopping;
pub mod workers;
pub mod workspace_isolation;
pub mod world;

pub use builders::{policy, resolution, start, token, worker_info};
pub use postgres_schema::PostgresSchema;
pub use sqlite_connection::{connect_sqlite, copy_sqlite};
pub use world::TestStore;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::contract::LISTED;

    #[test]
    fn every_test_is_listed() {
        let mut written = BTreeSet::new();
        for file in Path::new(env!("CARGO_MANIFEST_DIR")).join("src").read_dir().unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let module = path.file_stem().unwrap().to_string_lossy().into_owned();
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let test = line.strip_prefix("pub async fn ").and_then(|rest| rest.split_once('('));
                written.extend(test.map(|(name, _)| (module.clone(), name.to_owned())));
            }
        }
        let listed = LISTED.iter().map(|&(module, name)| (module.to_owned(), name.to_owned()));

        assert_eq!(written, listed.collect());
    }
}
