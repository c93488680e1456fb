//! One of the two databases of a move, locked against writes.

use diesel::connection::SimpleConnection;
use diesel::sql_types::{Nullable, Text};
use diesel::{QueryableByName, RunQueryDsl, SqliteConnection};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use crate::error::{Result, StoreError};
use crate::location::Location;
use crate::{postgres, sqlite};

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// A database in a transaction that locks out all other writers.
pub(super) struct Side {
    conn: Conn,
    shown: String,
}

enum Conn {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<AsyncPgConnection>),
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Nullable<Text>)]
    line: Option<String>,
}

/// A move may take long.
const NO_TIMEOUTS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;";

/// The active runs with a valid lease: their worker may still work on them.
const LEASED: &str = "SELECT claimed_by || ', which has run ' || id AS line FROM handler_runs \
    WHERE status = 'active' AND lease_expires_at > extract(epoch FROM clock_timestamp()) * 1000000";

const SQLITE_COLUMNS: &str =
    "SELECT json_array(name, type, pk) AS line FROM pragma_table_info($1) ORDER BY cid";
const POSTGRES_COLUMNS: &str = "SELECT json_build_array(a.attname, \
        format_type(coalesce(nullif(y.typbasetype, 0), y.oid), NULL), \
        coalesce(array_position(i.indkey::int[], a.attnum::int), -1) + 1)::text AS line \
    FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid JOIN pg_type y ON y.oid = a.atttypid \
    JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary \
    WHERE t.relname = $1 AND t.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped";

const SQLITE_TABLES: &str = "SELECT name AS line FROM sqlite_master WHERE type = 'table' \
    AND name NOT LIKE '\\_\\_diesel%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
const POSTGRES_TABLES: &str = "SELECT tablename::text AS line FROM pg_tables \
    WHERE schemaname = current_schema() AND tablename NOT LIKE '\\_\\_diesel%'";

/// Prevents changes after the move, also by processes that have the database open.
const SQLITE_SEAL: &str = "
    CREATE TRIGGER IF NOT EXISTS moved_runs_new BEFORE INSERT ON handler_runs
    BEGIN SELECT RAISE(ABORT, 'this instance was moved'); END;
    CREATE TRIGGER IF NOT EXISTS moved_runs BEFORE UPDATE ON handler_runs
    BEGIN SELECT RAISE(ABORT, 'this instance was moved'); END;
    CREATE TRIGGER IF NOT EXISTS moved_workflows BEFORE UPDATE ON workflows
    BEGIN SELECT RAISE(ABORT, 'this instance was moved'); END;";
const POSTGRES_SEAL: &str = "
    CREATE OR REPLACE FUNCTION instance_was_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'this instance was moved' USING ERRCODE = 'check_violation'; END $$;
    DROP TRIGGER IF EXISTS moved_runs ON handler_runs;
    CREATE TRIGGER moved_runs BEFORE INSERT OR UPDATE ON handler_runs FOR EACH ROW EXECUTE FUNCTION instance_was_moved();
    DROP TRIGGER IF EXISTS moved_workflows ON workflows;
    CREATE TRIGGER moved_workflows BEFORE UPDATE ON workflows FOR EACH ROW EXECUTE FUNCTION instance_was_moved();";

impl Side {
    /// Opens the database and locks out all other writers; refuses a database that is in use.
    pub(super) async fn begin(at: &Location) -> Result<Self> {
        if at.is_postgres() {
            let (conn, shown) = postgres::moving::for_moving(at).await?;
            let mut side = Self { conn: Conn::Postgres(Box::new(conn)), shown };
            match side.begin_postgres().await {
                Ok(()) => Ok(side),
                Err(error) => {
                    side.release().await;
                    Err(error)
                }
            }
        } else {
            let (conn, shown) = sqlite::moving::for_moving(at.url())?;
            let mut side = Self { conn: Conn::Sqlite(Box::new(conn)), shown };
            side.execute("BEGIN IMMEDIATE").await?;
            Ok(side)
        }
    }

    async fn begin_postgres(&mut self) -> Result<()> {
        self.execute(NO_TIMEOUTS).await?;
        let alone = self.texts(postgres::moving::TRY_LOCK_EXCLUSIVELY, None).await?;
        if alone.first().map(String::as_str) != Some("true") {
            return Err(self.in_use("other processes have it open"));
        }
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await?;
        self.execute("LOCK TABLE workflows, handler_runs, instance IN SHARE ROW EXCLUSIVE MODE")
            .await?;
        match self.texts(LEASED, None).await?.first() {
            None => Ok(()),
            Some(leased) => Err(self.in_use(&format!("it is leased to {leased}"))),
        }
    }

    /// Rolls back what is not committed, and releases the locks.
    pub(super) async fn release(&mut self) {
        // If the rollback fails, the end of the connection does it.
        let _undone = self.execute("ROLLBACK").await;
        if self.kind() == Kind::Postgres {
            let _unlocked = self.execute("SELECT pg_advisory_unlock_all()").await;
        }
    }

    fn in_use(&self, why: &str) -> StoreError {
        StoreError::NotNow {
            what: format!("`{}` cannot be moved now: {why}", self.shown),
            hint: "stop every worker and wait until its leases have ended, at most a minute"
                .to_owned(),
        }
    }

    pub(super) const fn kind(&self) -> Kind {
        match self.conn {
            Conn::Sqlite(_) => Kind::Sqlite,
            Conn::Postgres(_) => Kind::Postgres,
        }
    }

    /// The URL without its password.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) const fn columns_query(&self) -> &'static str {
        match self.conn {
            Conn::Sqlite(_) => SQLITE_COLUMNS,
            Conn::Postgres(_) => POSTGRES_COLUMNS,
        }
    }

    /// The statement that defers the check of references to the commit.
    pub(super) const fn defer_references(&self) -> &'static str {
        match self.conn {
            Conn::Sqlite(_) => "PRAGMA defer_foreign_keys = ON",
            Conn::Postgres(_) => "SET CONSTRAINTS ALL DEFERRED",
        }
    }

    /// All tables but those of the migrations.
    pub(super) async fn tables(&mut self) -> Result<Vec<String>> {
        let query = match self.kind() {
            Kind::Sqlite => SQLITE_TABLES,
            Kind::Postgres => POSTGRES_TABLES,
        };
        self.texts(query, None).await
    }

    /// Marks the database as moved: after the commit, it can be neither opened nor changed.
    pub(super) async fn mark_as_moved(&mut self, to: &str) -> Result<()> {
        self.texts("UPDATE instance SET moved_to = $1 RETURNING moved_to AS line", Some(to))
            .await?;
        let seal = match self.kind() {
            Kind::Sqlite => SQLITE_SEAL,
            Kind::Postgres => POSTGRES_SEAL,
        };
        self.execute(seal).await
    }

    pub(super) async fn execute(&mut self, statements: &str) -> Result<()> {
        let done = match &mut self.conn {
            Conn::Sqlite(conn) => conn.batch_execute(statements),
            Conn::Postgres(conn) => conn.batch_execute(statements).await,
        };
        done.map_err(|error| self.classify(error))
    }

    /// The values of a query's column `line`. The query may have one bound text.
    pub(super) async fn texts(&mut self, query: &str, bound: Option<&str>) -> Result<Vec<String>> {
        let query = diesel::sql_query(query);
        let lines: diesel::QueryResult<Vec<Line>> = match (&mut self.conn, bound) {
            (Conn::Sqlite(conn), None) => query.load(conn.as_mut()),
            (Conn::Sqlite(conn), Some(text)) => query.bind::<Text, _>(text).load(conn.as_mut()),
            (Conn::Postgres(conn), None) => {
                diesel_async::RunQueryDsl::load(query, conn.as_mut()).await
            }
            (Conn::Postgres(conn), Some(text)) => {
                diesel_async::RunQueryDsl::load(query.bind::<Text, _>(text), conn.as_mut()).await
            }
        };
        let lines = lines.map_err(|error| self.classify(error))?;
        Ok(lines.into_iter().filter_map(|Line { line }| line).collect())
    }

    fn classify(&self, error: diesel::result::Error) -> StoreError {
        match self.kind() {
            Kind::Sqlite => sqlite::moving::classify(error, &self.shown),
            Kind::Postgres => postgres::moving::classify(error, &self.shown),
        }
    }
}
