//! The database of a case, and a meter of its commits and flushes.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{RunQueryDsl, SqliteConnection};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use windlass_store_conformance::connect_sqlite;

use crate::flushes;
use crate::measure::{Repetition, as_f64};

/// Which database a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatabaseKind {
    File,
    Memory,
    Postgres,
    /// The case has none.
    Nothing,
}

impl DatabaseKind {
    pub(crate) const ALL: [Self; 4] = [Self::File, Self::Memory, Self::Postgres, Self::Nothing];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::File => "sqlite",
            Self::Memory => "memory",
            Self::Postgres => "postgres",
            Self::Nothing => "-",
        }
    }
}

/// A fresh database. Dropping it deletes its file; on a server it stays.
#[derive(Debug)]
pub(crate) struct Database {
    kind: DatabaseKind,
    url: String,
    /// Where its file is, and where worker processes run.
    folder: TempDir,
    /// A connection to the database on the server.
    server: Option<Client>,
}

/// What the meter counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    commits: Option<i64>,
    flushes: Option<i64>,
    bytes: Option<i64>,
    /// Whether each commit flushes by itself.
    flushes_with_commits: bool,
}

impl Database {
    /// Creates one in `directory`, or on the server.
    pub(crate) async fn create(
        kind: DatabaseKind,
        directory: &Path,
        server: Option<&str>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(directory)?;
        let mut client = None;
        let url = match kind {
            DatabaseKind::Nothing | DatabaseKind::Memory => "sqlite::memory:".to_owned(),
            DatabaseKind::File => format!("sqlite:{}", folder.path().join("windlass.db").display()),
            DatabaseKind::Postgres => {
                static COUNT: AtomicU32 = AtomicU32::new(0);
                let server = server.context("no PostgreSQL server is named")?;
                let count = COUNT.fetch_add(1, Ordering::Relaxed);
                let name = format!("figures_{}_{count}", std::process::id());
                connect(server).await?.batch_execute(&format!("CREATE DATABASE {name}")).await?;
                let (head, _database) = server.rsplit_once('/').context("a URL without `/`")?;
                let url = format!("{head}/{name}");
                client = Some(connect(&url).await?);
                url
            }
        };
        if matches!(kind, DatabaseKind::File | DatabaseKind::Postgres) {
            windlass_store::migrate(&url).await?;
        }
        Ok(Self { kind, url, folder, server: client })
    }

    pub(crate) const fn kind(&self) -> DatabaseKind {
        self.kind
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Inserts rows in one transaction, without foreign key checks: on SQLite each check would scan a table.
    pub(crate) async fn fill(&self, sql: &str) -> anyhow::Result<()> {
        match &self.server {
            Some(server) => {
                let unchecked = "SET LOCAL session_replication_role = replica";
                Ok(server.batch_execute(&format!("BEGIN; {unchecked}; {sql}; COMMIT;")).await?)
            }
            None => {
                let sql = format!("PRAGMA foreign_keys = OFF; BEGIN; {sql}; COMMIT;");
                self.on_file(move |conn| Ok(conn.batch_execute(&sql)?)).await
            }
        }
    }

    /// The value of an expression.
    pub(crate) async fn number(&self, expression: &str) -> anyhow::Result<i64> {
        match &self.server {
            Some(server) => {
                let row = server.query_one(&format!("SELECT ({expression})::bigint"), &[]).await?;
                Ok(row.try_get(0)?)
            }
            None => {
                let expression = diesel::dsl::sql::<BigInt>(&format!("({expression})"));
                self.on_file(move |conn| Ok(diesel::select(expression).get_result(conn)?)).await
            }
        }
    }

    /// An SQL expression for a number as 32 hexadecimal digits.
    pub(crate) fn hex(&self, number: &str) -> String {
        match self.kind {
            DatabaseKind::Postgres => format!("lpad(to_hex({number}), 32, '0')"),
            DatabaseKind::File | DatabaseKind::Memory | DatabaseKind::Nothing => {
                format!("printf('%032x', {number})")
            }
        }
    }

    /// Runs the maintenance that the database does by itself from time to time.
    pub(crate) async fn analyze(&self) -> anyhow::Result<()> {
        match &self.server {
            Some(server) => {
                server.batch_execute("VACUUM ANALYZE").await?;
                Ok(server.batch_execute("CHECKPOINT").await?)
            }
            None => {
                let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
                self.on_file(move |conn| Ok(conn.batch_execute(checkpoint)?)).await
            }
        }
    }

    async fn on_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        ensure!(self.kind == DatabaseKind::File, "a database in memory answers its store alone");
        let path = self.folder.path().join("windlass.db");
        tokio::task::spawn_blocking(move || work(&mut connect_sqlite(&path)?)).await?
    }

    /// Waits until the connections of a closed store have ended and reported their statistics.
    pub(crate) async fn wait_until_closed(&self) -> anyhow::Result<()> {
        let Some(server) = &self.server else { return Ok(()) };
        let others = "SELECT count(*) FROM pg_stat_activity \
                      WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
        for _attempt in 0..500 {
            let others: i64 = server.query_one(others, &[]).await?.try_get(0)?;
            if others == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("connections of a store that was closed stay open")
    }
}

/// Counts commits, flushes and bytes.
#[derive(Debug)]
pub(crate) struct Meter<'a> {
    database: &'a Database,
    /// SQLite's shared memory. It must stay open as long as the store: to close a file releases all its locks in this process.
    shared_memory: Option<Mutex<File>>,
}

impl<'a> Meter<'a> {
    /// For a database whose store is open.
    pub(crate) fn new(database: &'a Database) -> anyhow::Result<Self> {
        let path = database.folder().join("windlass.db-shm");
        let shared_memory = match database.kind {
            DatabaseKind::File => Some(Mutex::new(File::open(path).context("no shared memory")?)),
            DatabaseKind::Memory | DatabaseKind::Postgres | DatabaseKind::Nothing => None,
        };
        Ok(Self { database, shared_memory })
    }

    pub(crate) async fn read(&self) -> anyhow::Result<Costs> {
        match (&self.database.server, &self.shared_memory) {
            (Some(server), _) => postgres_costs(server).await,
            (None, Some(file)) => Ok(Costs {
                commits: Some(transactions(file)?),
                flushes: flushes::count().map(i64::try_from).transpose()?,
                bytes: Some(written()?),
                flushes_with_commits: true,
            }),
            (None, None) => {
                Ok(Costs { commits: None, flushes: None, bytes: None, flushes_with_commits: false })
            }
        }
    }
}

impl Costs {
    /// Records the costs of each of `n_runs` from here to `end`. Checks that SQLite flushed with each commit.
    pub(crate) fn record(
        &self,
        end: &Self,
        n_runs: usize,
        into: &mut Repetition,
    ) -> anyhow::Result<()> {
        if self.flushes_with_commits {
            let [from, to] = [self, end].map(|costs| costs.flushes.zip(costs.commits));
            let is_durable = from.zip(to).is_none_or(|((flushes, commits), (more, later))| {
                more - flushes >= later - commits
            });
            ensure!(is_durable, "SQLite commits more often than it flushes");
        }
        let per_run = |from: Option<i64>, to: Option<i64>| -> Option<f64> {
            let difference = u32::try_from(to?.checked_sub(from?)?).ok()?;
            Some(f64::from(difference) / as_f64(n_runs))
        };
        into.set_known("commits_per_run", per_run(self.commits, end.commits));
        into.set_known("flushes_per_run", per_run(self.flushes, end.flushes));
        into.set_known("bytes_per_run", per_run(self.bytes, end.bytes));
        Ok(())
    }
}

/// Counts transactions by their ids: only transactions that write have one.
async fn postgres_costs(server: &Client) -> anyhow::Result<Costs> {
    let row = server
        .query_one(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, \
             (SELECT wal_sync FROM pg_stat_wal), (pg_current_wal_insert_lsn() - '0/0')::bigint",
            &[],
        )
        .await?;
    Ok(Costs {
        commits: Some(row.try_get(0)?),
        flushes: Some(row.try_get(1)?),
        bytes: Some(row.try_get(2)?),
        flushes_with_commits: false,
    })
}

/// The count that SQLite keeps in its shared memory of the transactions that wrote: 32 bits from the eighth byte on.
fn transactions(file: &Mutex<File>) -> anyhow::Result<i64> {
    let mut count = [0; 4];
    let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    file.seek(SeekFrom::Start(8))?;
    file.read_exact(&mut count)?;
    Ok(i64::from(u32::from_ne_bytes(count)))
}

/// How many bytes this process has sent to disks.
fn written() -> anyhow::Result<i64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.context("no `write_bytes` in `/proc/self/io`")?.parse()?)
}

async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with the client, which tells what goes wrong with it.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}
