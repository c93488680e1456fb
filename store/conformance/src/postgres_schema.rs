//! A place in a PostgreSQL server that belongs to one test: an empty schema, or a database with all tables.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, NoTls};
use windlass_store::{PostgresStore, Result};

/// The environment variable with the URL of a server that tests may use. Its user may create databases.
const SERVER: &str = "WINDLASS_TEST_POSTGRES";
/// What the names of schemas and databases of tests begin with; the time of their creation follows, in seconds.
const PREFIX: &str = "windlass_test_";
/// How old a schema or database is before its test counts as dead.
const LEFTOVER_S: i64 = 3_600;

/// Held by the connection that makes the template.
const TEMPLATE_LOCK: &str = "SELECT pg_advisory_lock(7738151096083051362)";

/// A schema or a database of its own in the server that `WINDLASS_TEST_POSTGRES` names, dropped with this value.
#[derive(Debug)]
pub struct PostgresSchema {
    server: String,
    url: String,
    /// The statement that drops it.
    drop: String,
}

type Answer<T> = std::result::Result<T, tokio_postgres::Error>;

impl PostgresSchema {
    /// A new, empty schema; `None` where the environment names no server.
    ///
    /// Drops what killed tests left behind.
    ///
    /// # Panics
    /// Where the server does not answer or refuses.
    pub async fn create() -> Option<Self> {
        let server = server()?;
        let name = require("make a schema", make_schema(&server).await);
        let separator = if server.contains('?') { '&' } else { '?' };
        Some(Self {
            url: format!("{server}{separator}options=-csearch_path%3D{name}"),
            drop: format!("DROP SCHEMA IF EXISTS {name} CASCADE"),
            server,
        })
    }

    /// A new database with all tables; `None` where the environment names no server.
    ///
    /// It is a copy of a template, which the first test makes: a copy costs the server half of what the migrations cost.
    ///
    /// # Errors
    /// As [`PostgresStore::migrate`].
    ///
    /// # Panics
    /// As [`create`](Self::create).
    pub async fn migrated() -> Result<Option<Self>> {
        let Some(server) = server() else { return Ok(None) };
        let client = require("connect", connect(&server).await);
        let template = ensure_template(&client, &server).await?;
        Ok(Some(Self::copy_of(&client, server, &template).await))
    }

    /// The same database once more, as it is now. Nobody else may be connected to it.
    ///
    /// # Panics
    /// As [`create`](Self::create), and where this is a schema.
    pub async fn copy(&self) -> Self {
        let client = require("connect", connect(&self.server).await);
        let database = require("name the database", database_name(&self.url).await);
        Self::copy_of(&client, self.server.clone(), &database).await
    }

    async fn copy_of(client: &Client, server: String, template: &str) -> Self {
        let name = require("copy a database", copy_database(client, template).await);
        Self {
            url: database_url(&server, &name),
            drop: format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            server,
        }
    }

    /// Takes everything out of the tables.
    ///
    /// # Panics
    /// Where the server does not answer or refuses.
    pub async fn empty(&self) {
        require("empty the tables", truncate(&self.url).await);
    }

    /// The URL under which everything happens in this schema.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for PostgresSchema {
    fn drop(&mut self) {
        let (server, statement) = (self.server.clone(), self.drop.clone());
        // On a thread of its own: the test's runtime may be the one that drops this.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            // What cannot be dropped now, a later test drops.
            runtime.map(|runtime| runtime.block_on(execute(&server, &statement)).is_ok()).is_ok()
        });
        drop(dropping.join());
    }
}

fn server() -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by the environment what there is"
    )]
    std::env::var(SERVER).ok()
}

fn require<T>(what: &str, answer: std::result::Result<T, impl Debug>) -> T {
    #[expect(clippy::panic, reason = "a test that cannot have its server has failed")]
    answer.unwrap_or_else(|error| panic!("cannot {what} for a test: {error:?}"))
}

async fn make_schema(server: &str) -> Answer<String> {
    let client = connect(server).await?;
    let name = new_name(&client).await?;
    client.batch_execute(&format!("CREATE SCHEMA {name}")).await?;
    Ok(name)
}

/// The name of the database with all tables and nothing in them. Makes it unless the server has it.
///
/// # Errors
/// As [`PostgresStore::migrate`].
async fn ensure_template(client: &Client, server: &str) -> Result<String> {
    let name =
        format!("windlass_template_{:016x}", require("read the migrations", hash_migrations()));
    if require("look for the template", has_database(client, &name).await) {
        return Ok(name);
    }
    // Other tests wait here until the connection that makes it is closed, and then find it.
    let making = require("connect", connect(server).await);
    require("wait for the template", making.batch_execute(TEMPLATE_LOCK).await);
    if require("look for the template", has_database(client, &name).await) {
        return Ok(name);
    }
    let unfinished = format!("{name}_unfinished");
    let statements = [
        format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"),
        format!("CREATE DATABASE {unfinished}"),
    ];
    for statement in statements {
        require("make a template", making.batch_execute(&statement).await);
    }
    PostgresStore::migrate(&database_url(server, &unfinished)).await?;
    let finish = format!("ALTER DATABASE {unfinished} RENAME TO {name}");
    require("finish the template", making.batch_execute(&finish).await);
    Ok(name)
}

/// Changes with the text of the migrations: a server may outlive an edit.
fn hash_migrations() -> std::io::Result<u64> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let folders: std::io::Result<BTreeSet<_>> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut hasher = DefaultHasher::new();
    for folder in folders? {
        std::fs::read(folder.join("up.sql"))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

async fn has_database(client: &Client, name: &str) -> Answer<bool> {
    let query = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
    Ok(client.query_one(query, &[&name]).await?.get(0))
}

async fn database_name(url: &str) -> Answer<String> {
    Ok(connect(url).await?.query_one("SELECT current_database()::text", &[]).await?.get(0))
}

async fn copy_database(client: &Client, template: &str) -> Answer<String> {
    // Since version 15 a copy is logged row by row by default, which costs three times as much.
    let query = "SELECT current_setting('server_version_num')::int >= 150000";
    let strategy =
        if client.query_one(query, &[]).await?.get(0) { "STRATEGY file_copy" } else { "" };
    let name = new_name(client).await?;
    let copy = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
    client.batch_execute(&copy).await?;
    Ok(name)
}

async fn new_name(client: &Client) -> Answer<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);

    // Another test may drop the same leftover at this moment; what stays is dropped next time.
    drop(drop_leftovers(client).await);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let suffix = format!("{}_{count}", std::process::id());
    let query =
        "SELECT $1 || extract(epoch FROM now())::bigint || '_' || pg_backend_pid() || '_' || $2";
    Ok(client.query_one(query, &[&PREFIX, &suffix]).await?.get(0))
}

async fn drop_leftovers(client: &Client) -> Answer<()> {
    let query = "SELECT statement FROM (\
                 SELECT nspname::text, 'DROP SCHEMA IF EXISTS ' || nspname || ' CASCADE' FROM pg_namespace \
                 UNION ALL \
                 SELECT datname::text, 'DROP DATABASE IF EXISTS ' || datname || ' WITH (FORCE)' FROM pg_database\
                 ) AS made (name, statement) \
                 WHERE name ~ ('^' || $1 || '[0-9]+_') \
                 AND split_part(substr(name, length($1) + 1), '_', 1)::bigint < extract(epoch FROM now()) - $2::bigint";
    for row in client.query(query, &[&PREFIX, &LEFTOVER_S]).await? {
        client.batch_execute(row.get(0)).await?;
    }
    Ok(())
}

async fn execute(server: &str, statement: &str) -> Answer<()> {
    connect(server).await?.batch_execute(statement).await
}

async fn truncate(url: &str) -> Answer<()> {
    // Everything else refers to a workspace.
    execute(url, "TRUNCATE workspaces CASCADE").await
}

/// The URL of a database of the same server, with a parameter as a schema's has.
fn database_url(server: &str, name: &str) -> String {
    let (address, parameters) = server.split_once('?').unwrap_or((server, ""));
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", address));
    let host = rest.split('/').next().unwrap_or_default();
    let separator = if parameters.is_empty() { "" } else { "&" };
    format!("{scheme}://{host}/{name}?{parameters}{separator}options=-csearch_path%3Dpublic")
}

async fn connect(server: &str) -> Answer<Client> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    // Ends with the client; what goes wrong with it, the client tells.
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_in_place_of_the_one_of_the_server() {
        let urls = [
            "postgres://ann@host:5/main",
            "postgres://ann@host:5",
            "postgres://ann@host:5/main?a=b",
        ]
        .map(|server| database_url(server, "other"));

        let parameter = "options=-csearch_path%3Dpublic";
        let bare = format!("postgres://ann@host:5/other?{parameter}");
        assert_eq!(
            urls,
            [bare.clone(), bare, format!("postgres://ann@host:5/other?a=b&{parameter}")]
        );
    }
}
