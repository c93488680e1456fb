//! The contract of the store, on every database that it has.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what cannot be opened fails the test, and what is not there is said"
)]

use std::sync::Arc;

use windlass_core::{Clock, ManualClock};
use windlass_store::{Options, migrate, open};
use windlass_store_conformance::PostgresSchema;
use windlass_store_conformance::{TestStore, policy, start};

async fn test_store(url: &str) -> TestStore {
    let clock = Arc::new(ManualClock::new(start()));
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let options = Options { policy: policy(), clock: Some(for_store), ..Options::default() };
    TestStore { store: open(url, options).await.unwrap(), clock }
}

mod sqlite_file {
    use super::*;

    async fn place() -> Option<(TestStore, tempfile::TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
        migrate(&url).await.unwrap();
        Some((test_store(&url).await, folder))
    }

    windlass_store_conformance::conformance_tests!(crate::conformance::sqlite_file::place);
}

mod sqlite_memory {
    use super::*;

    async fn place() -> Option<(TestStore, ())> {
        Some((test_store("sqlite::memory:").await, ()))
    }

    windlass_store_conformance::conformance_tests!(crate::conformance::sqlite_memory::place);
}

mod postgres {
    use super::*;

    async fn place() -> Option<(TestStore, PostgresSchema)> {
        let Some(schema) = PostgresSchema::migrated().await.unwrap() else {
            eprintln!("skipped: WINDLASS_TEST_POSTGRES names no server");
            return None;
        };
        Some((test_store(&schema.url()).await, schema))
    }

    windlass_store_conformance::conformance_tests!(crate::conformance::postgres::place);
}
