//! The contract of the store, on every database that it has.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "what cannot be opened fails the test, and what is not there is said"
)]

use std::sync::Arc;

use windlass_core::{Clock, ManualClock};
use windlass_store::conformance::{Bench, policy, start};
use windlass_store::testing::PostgresSchema;
use windlass_store::{Options, migrate, open};

async fn bench(url: &str) -> Bench {
    let clock = Arc::new(ManualClock::new(start()));
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let options = Options { policy: policy(), clock: Some(for_store), ..Options::default() };
    Bench { store: open(url, options).await.unwrap(), clock }
}

mod sqlite_file {
    use super::*;

    async fn place() -> Option<(Bench, tempfile::TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
        migrate(&url).await.unwrap();
        Some((bench(&url).await, folder))
    }

    windlass_store::conformance!(crate::conformance::sqlite_file::place);
}

mod sqlite_memory {
    use super::*;

    async fn place() -> Option<(Bench, ())> {
        Some((bench("sqlite::memory:").await, ()))
    }

    windlass_store::conformance!(crate::conformance::sqlite_memory::place);
}

mod postgres {
    use super::*;

    async fn place() -> Option<(Bench, PostgresSchema)> {
        let Some(schema) = PostgresSchema::migrated().await.unwrap() else {
            eprintln!("skipped: WINDLASS_TEST_POSTGRES names no server");
            return None;
        };
        Some((bench(&schema.url()).await, schema))
    }

    windlass_store::conformance!(crate::conformance::postgres::place);
}
