//! The databases of the histories, empty at the beginning of each history.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use windlass_core::{
    Backoff, Clock, EffectLimits, EventPolicy, LeasePolicy, LookupPolicy, ManualClock, Policy,
};
use windlass_store::{Options, SharedStore};
use windlass_store_conformance::{PostgresSchema, connect_sqlite, copy_sqlite};

/// How many workers there are.
pub(crate) const WORKERS: usize = 3;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Memory,
    Disk,
    Postgres,
}

impl Database {
    /// Its share of a number of histories. The fastest database has most of them.
    pub(crate) const fn share_of(self, histories: u64) -> u64 {
        match self {
            Self::Memory => histories - 2 * (histories / 10),
            Self::Disk | Self::Postgres => histories / 10,
        }
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Memory => "SQLite in memory",
            Self::Disk => "SQLite on disk",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// A database that is emptied for each history.
#[derive(Debug)]
pub(crate) enum FreshDatabase {
    Memory,
    /// Each history has a copy of an empty database.
    Disk {
        folder: TempDir,
        /// The number of the newest copy.
        newest: Cell<u64>,
    },
    Postgres {
        schema: PostgresSchema,
        stores: Vec<SharedStore>,
    },
}

impl FreshDatabase {
    /// None if the environment names no PostgreSQL.
    pub(crate) async fn make(database: Database, clock: &Arc<ManualClock>) -> Option<Self> {
        Some(match database {
            Database::Memory => Self::Memory,
            Database::Disk => {
                let folder = tempfile::tempdir().unwrap();
                windlass_store::migrate(&path(&folder, 0)).await.unwrap();
                Self::Disk { folder, newest: Cell::new(0) }
            }
            Database::Postgres => {
                let schema = PostgresSchema::migrated().await.unwrap()?;
                let stores = open_each(&schema.url(), clock).await;
                Self::Postgres { schema, stores }
            }
        })
    }

    /// An empty database as each worker sees it: over connections of its own where there can be several.
    pub(crate) async fn stores(&mut self, clock: &Arc<ManualClock>) -> Vec<SharedStore> {
        match self {
            Self::Memory => {
                let store = open("sqlite::memory:", clock).await;
                (0..WORKERS).map(|_| Arc::clone(&store)).collect()
            }
            Self::Disk { .. } => self.restore(&Backup(0), clock).await,
            Self::Postgres { schema, stores } => {
                schema.empty().await;
                stores.clone()
            }
        }
    }
}

/// A copy of the database as it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backup(u64);

impl FreshDatabase {
    /// Copies the file that is in use.
    pub(crate) fn back_up(&self) -> Backup {
        let (folder, newest) = self.files();
        let used = newest.get();
        newest.set(used + 1);
        let mut conn = connect_sqlite(Path::new(&path(folder, used))).unwrap();
        copy_sqlite(&mut conn, &path(folder, used + 1)).unwrap();
        Backup(used + 1)
    }

    /// The copy as each worker sees it. The file that was in use until now stays behind.
    pub(crate) async fn restore(
        &self,
        Backup(number): &Backup,
        clock: &Arc<ManualClock>,
    ) -> Vec<SharedStore> {
        let (folder, newest) = self.files();
        newest.set(newest.get() + 1);
        let copy = path(folder, newest.get());
        std::fs::copy(path(folder, *number), &copy).unwrap();
        open_each(&copy, clock).await
    }

    fn files(&self) -> (&TempDir, &Cell<u64>) {
        match self {
            Self::Disk { folder, newest } => (folder, newest),
            Self::Memory | Self::Postgres { .. } => panic!("only files are copied"),
        }
    }
}

fn path(folder: &TempDir, number: u64) -> String {
    folder.path().join(format!("{number}.db")).display().to_string()
}

async fn open_each(url: &str, clock: &Arc<ManualClock>) -> Vec<SharedStore> {
    let mut stores = Vec::new();
    for _ in 0..WORKERS {
        stores.push(open(url, clock).await);
    }
    stores
}

async fn open(url: &str, clock: &Arc<ManualClock>) -> SharedStore {
    let clock = Some(Arc::clone(clock) as Arc<dyn Clock>);
    windlass_store::open(url, Options { policy: policy(), clock, connections: 2 }).await.unwrap()
}

/// Limits that a short history reaches, and delays without jitter.
pub(crate) fn policy() -> Policy {
    Policy {
        lease: LeasePolicy { duration_ms: 30_000 },
        lookup: LookupPolicy { attempts: 3, base_ms: 5_000, cap_ms: 20_000, timeout_ms: 10_000 },
        transient: Backoff { base_ms: 5_000, cap_ms: 20_000, tries: 3, jitter_percent: 0 },
        effects: EffectLimits { mutations_per_hour: 12, doubts_per_hour: 4 },
        events: EventPolicy { park_after: 2, parked_in_a_row: 3 },
        ..Policy::default()
    }
}
