//! A connection to an SQLite file beside those of a store.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{
    Connection, ConnectionError, ConnectionResult, QueryResult, RunQueryDsl, SqliteConnection,
};

/// Connects to the SQLite database in the file `path`.
///
/// A statement waits up to ten seconds for a lock of another connection. SQLite itself would fail at once, and a store locks
/// its file now and then: when it commits, and when its last connection closes.
///
/// # Errors
/// A file that cannot be opened, or a path that is not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the one place where a test connects by itself")]
pub fn connect_sqlite(path: &Path) -> ConnectionResult<SqliteConnection> {
    let text = path.to_str().ok_or_else(|| {
        ConnectionError::BadConnection(format!("`{}` is not UTF-8", path.display()))
    })?;
    let mut conn = SqliteConnection::establish(text)?;
    conn.batch_execute("PRAGMA busy_timeout = 10000")
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Copies an SQLite database into the new file `to`, also while it is in use.
///
/// # Errors
/// A file that cannot be read or written.
pub fn copy_sqlite(from: &mut SqliteConnection, to: &str) -> QueryResult<()> {
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(to).execute(from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_statement_waits_for_the_lock_of_another_connection() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windlass.db");
        let mut holder = connect_sqlite(&path).unwrap();
        let mut waiter = connect_sqlite(&path).unwrap();
        holder.batch_execute("CREATE TABLE t (x); BEGIN EXCLUSIVE").unwrap();
        let (answer, answered) = mpsc::channel();

        let waiting =
            std::thread::spawn(move || answer.send(waiter.batch_execute("SELECT * FROM t")));
        let while_locked = answered.recv_timeout(Duration::from_millis(200));
        holder.batch_execute("COMMIT").unwrap();
        let after = answered.recv().unwrap();

        assert!(while_locked.is_err(), "it does not wait: {while_locked:?}");
        after.unwrap();
        waiting.join().unwrap().unwrap();
    }
}
