//! Moves a stopped instance from one database to another.
//!
//! Both databases have the same tables and columns, and every value is a text, an integer, a boolean or null. So each row is copied as
//! one JSON array, whatever its table. The target gets everything in one transaction. The source is marked as moved before the target
//! commits, so that never both instances work. If the process dies in between, the target is still empty, and the move can be
//! repeated.

mod side;
mod sql;

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use windlass_core::digest_text;

use self::side::Side;
use self::sql::Columns;
use crate::error::{Result, StoreError};
use crate::location::Location;

/// The tables that are moved. A table stands after those that it refers to, or the reference is checked at the commit.
pub(crate) const MOVED_TABLES: &[&str] = &[
    "workspaces",
    "workflows",
    "scripts",
    "limits",
    "workflow_keys",
    "credentials",
    "topics",
    "subscriptions",
    "sessions",
    "handler_runs",
    "run_values",
    "mutations",
    "inputs",
    "past_inputs",
    "events",
    "past_events",
    "event_inputs",
    "event_rounds",
    "run_inputs",
    "handler_state",
    "run_logs",
    "graph_runs",
    "node_runs",
    "attempts",
    "artifacts",
    "approvals",
    "notifications",
    "deliveries",
    "journal",
];

/// The tables that belong to the database and not to the instance in it.
pub(crate) const LOCAL_TABLES: &[&str] = &["instance", "workers"];

/// How many rows are copied at once.
const PAGE: usize = 100;

/// A moved table, the same in both databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedTable {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// The sum of the SHA-256 of its rows: the same for the same rows in any order.
    pub digest: String,
}

/// Moves everything from the database at `from` to the one at `to`, which has the schema and is empty.
///
/// Before the commit, the rows of both databases are read again and compared. Afterwards the source can be neither opened nor changed.
///
/// # Errors
/// [`StoreError::NotNow`] if one of them is in use or the target is not empty, [`StoreError::Corrupt`] if the copies differ, and any
/// error of the databases. Then the target is unchanged.
pub async fn move_instance(
    from: impl Into<Location>,
    to: impl Into<Location>,
) -> Result<Vec<MovedTable>> {
    let (from, to) = (from.into(), to.into());
    let runtime = tokio::runtime::Handle::current();
    // SQLite's statements block.
    let moved = tokio::task::spawn_blocking(move || runtime.block_on(lock_and_move(&from, &to)));
    moved.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

async fn lock_and_move(from: &Location, to: &Location) -> Result<Vec<MovedTable>> {
    let mut source = Side::begin(from).await?;
    let moved = match Side::begin(to).await {
        Ok(mut target) => {
            let moved = transfer(&mut source, &mut target).await;
            target.release().await;
            moved
        }
        Err(error) => Err(error),
    };
    source.release().await;
    moved
}

async fn transfer(source: &mut Side, target: &mut Side) -> Result<Vec<MovedTable>> {
    refuse_elsewhere(source, target.shown()).await?;
    refuse_unknown_tables(source).await?;
    require_empty(target).await?;
    target.execute(target.defer_references()).await?;
    for table in MOVED_TABLES {
        let columns = Columns::of_both(table, source, target).await?;
        copy(table, &columns, source, target).await?;
    }
    let mut moved = Vec::with_capacity(MOVED_TABLES.len());
    for table in MOVED_TABLES {
        let columns = Columns::of_both(table, source, target).await?;
        let sent = sum(table, &columns.source, source).await?;
        let arrived = sum(table, &columns.target, target).await?;
        if sent != arrived {
            let what = format!(
                "of `{table}` {} row(s) with the digest {} were sent, and {} with {} arrived",
                sent.rows, sent.digest, arrived.rows, arrived.digest
            );
            return Err(StoreError::Corrupt { what });
        }
        moved.push(arrived);
    }
    source.mark_as_moved(target.shown()).await?;
    source.execute("COMMIT").await?;
    target.execute("COMMIT").await?;
    Ok(moved)
}

/// Refuses to repeat an interrupted move with another target.
async fn refuse_elsewhere(source: &mut Side, to: &str) -> Result<()> {
    let query = "SELECT moved_to AS line FROM instance WHERE moved_to IS NOT NULL";
    match source.texts(query, None).await?.pop() {
        Some(elsewhere) if elsewhere != to => Err(StoreError::Moved { to: elsewhere }),
        _ => Ok(()),
    }
}

/// Refuses a database with an unknown table.
async fn refuse_unknown_tables(side: &mut Side) -> Result<()> {
    let known = |name: &String| {
        MOVED_TABLES.contains(&name.as_str()) || LOCAL_TABLES.contains(&name.as_str())
    };
    match side.tables().await?.iter().find(|name| !known(name)) {
        None => Ok(()),
        Some(name) => Err(StoreError::NotNow {
            what: format!("`{}` has the table `{name}`, which cannot be moved", side.shown()),
            hint: "move it with the program that made it".to_owned(),
        }),
    }
}

async fn require_empty(target: &mut Side) -> Result<()> {
    let mut found = String::new();
    for table in MOVED_TABLES {
        let count = target
            .texts(&format!("SELECT CAST(count(*) AS TEXT) AS line FROM {table}"), None)
            .await?;
        let count = count.first().map_or("0", String::as_str);
        if count != "0" {
            let separator = if found.is_empty() { "" } else { ", " };
            let _infallible = write!(found, "{separator}{count} {table}");
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(StoreError::NotNow {
        what: format!("`{}` is not empty: it holds {found}", target.shown()),
        hint: "move to a database that holds nothing yet".to_owned(),
    })
}

async fn copy(table: &str, columns: &Columns, source: &mut Side, target: &mut Side) -> Result<()> {
    let insert = columns.target.insert(table);
    let mut after: Option<String> = None;
    loop {
        let page = columns.source.page(table, after.is_some(), PAGE);
        let rows = source.texts(&page, after.as_deref()).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = Some(columns.source.key_of(last)?);
        target.texts(&insert, Some(&format!("[{}]", rows.join(",")))).await?;
    }
}

/// How many rows a table has, and the sum of their digests.
async fn sum(table: &'static str, columns: &sql::OneSide, side: &mut Side) -> Result<MovedTable> {
    let mut total = [0_u64; 4];
    let mut rows = 0;
    let mut after: Option<String> = None;
    loop {
        let page = columns.page(table, after.is_some(), PAGE);
        let found = side.texts(&page, after.as_deref()).await?;
        let Some(last) = found.last() else { break };
        after = Some(columns.key_of(last)?);
        for row in &found {
            // In one spelling, for each database escapes in its own way.
            let row: Value = serde_json::from_str(row).map_err(sql::unreadable)?;
            add(&mut total, &digest_text(&row.to_string()));
            rows += 1;
        }
    }
    let digest = total.iter().map(|lane| format!("{lane:016x}")).collect();
    Ok(MovedTable { table, rows, digest })
}

/// Adds a digest to a sum of digests, four parts each for itself.
fn add(total: &mut [u64; 4], digest: &str) {
    for (nth, part) in total.iter_mut().enumerate() {
        let digits = digest.get(nth * 16..(nth + 1) * 16).unwrap_or_default();
        *part = part.wrapping_add(u64::from_str_radix(digits, 16).unwrap_or_default());
    }
}
