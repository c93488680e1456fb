//! A place in a PostgreSQL server that belongs to one test.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};

use crate::error::Result;
use crate::postgres::PostgresStore;

/// The environment variable with the URL of a server that tests may use.
const SERVER: &str = "WINDLASS_TEST_POSTGRES";
/// What the names of such schemas begin with; the time of their making follows, in seconds.
const PREFIX: &str = "windlass_test_";
/// How old a schema is before its test counts as dead.
const LEFTOVER_S: i64 = 3_600;

/// A schema of its own in the server that `WINDLASS_TEST_POSTGRES` names, dropped with this value.
#[derive(Debug)]
pub struct PostgresSchema {
    server: String,
    name: String,
}

impl PostgresSchema {
    /// A new, empty schema; `None` where the environment names no server.
    ///
    /// Schemas that killed tests left behind are swept away.
    ///
    /// # Panics
    /// Where the server does not answer or refuses.
    pub async fn create() -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "tests are told by the environment what there is"
        )]
        let server = std::env::var(SERVER).ok()?;
        let made = make(&server).await;
        #[expect(clippy::panic, reason = "a test that cannot have its server has failed")]
        let name =
            made.unwrap_or_else(|error| panic!("cannot make a schema for a test: {error:?}"));
        Some(Self { server, name })
    }

    /// A new schema with all tables; `None` where the environment names no server.
    ///
    /// # Errors
    /// As [`PostgresStore::migrate`].
    ///
    /// # Panics
    /// As [`create`](Self::create).
    pub async fn migrated() -> Result<Option<Self>> {
        let Some(schema) = Self::create().await else { return Ok(None) };
        PostgresStore::migrate(&schema.url()).await?;
        Ok(Some(schema))
    }

    /// Takes everything out of the tables.
    ///
    /// # Panics
    /// Where the server does not answer or refuses.
    pub async fn empty(&self) {
        let emptied = truncate(&self.url()).await;
        #[expect(clippy::panic, reason = "a test that cannot have its server has failed")]
        emptied.unwrap_or_else(|error| panic!("cannot empty `{}`: {error:?}", self.name));
    }

    /// The URL under which everything happens in this schema.
    #[must_use]
    pub fn url(&self) -> String {
        let separator = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{separator}options=-csearch_path%3D{}", self.server, self.name)
    }
}

impl Drop for PostgresSchema {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // On a thread of its own: the test's runtime may be the one that drops this.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // What cannot be dropped now is swept away by a later test.
            runtime.map(|runtime| runtime.block_on(drop_schema(&server, &name)).is_ok()).is_ok()
        });
        drop(dropping.join());
    }
}

async fn make(server: &str) -> std::result::Result<String, tokio_postgres::Error> {
    static COUNT: AtomicU32 = AtomicU32::new(0);

    let client = connect(server).await?;
    // Another test may sweep the same schema at this moment; what stays is swept next time.
    drop(sweep(&client).await);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let suffix = format!("{}_{count}", std::process::id());
    let query =
        "SELECT $1 || extract(epoch FROM now())::bigint || '_' || pg_backend_pid() || '_' || $2";
    let name: String = client.query_one(query, &[&PREFIX, &suffix]).await?.get(0);
    client.batch_execute(&format!("CREATE SCHEMA {name}")).await?;
    Ok(name)
}

async fn sweep(client: &Client) -> std::result::Result<(), tokio_postgres::Error> {
    let query = "SELECT nspname::text FROM pg_namespace \
                 WHERE nspname ~ ('^' || $1 || '[0-9]+_') \
                 AND split_part(substr(nspname, length($1) + 1), '_', 1)::bigint < extract(epoch FROM now()) - $2::bigint";
    for row in client.query(query, &[&PREFIX, &LEFTOVER_S]).await? {
        let name: String = row.get(0);
        client.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await?;
    }
    Ok(())
}

async fn drop_schema(server: &str, name: &str) -> std::result::Result<(), tokio_postgres::Error> {
    connect(server).await?.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE")).await
}

async fn truncate(url: &str) -> std::result::Result<(), tokio_postgres::Error> {
    // Everything else refers to a workspace.
    connect(url).await?.batch_execute("TRUNCATE workspaces CASCADE").await
}

async fn connect(server: &str) -> std::result::Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    // Ends with the client; what goes wrong with it, the client tells.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}
