//! What moving an instance needs of its SQLite side.

use diesel::SqliteConnection;

use super::path::DatabasePath;
use super::{connect, failure, migrations};
use crate::error::{Result, StoreError};

/// A connection for moving an instance, and how the database is shown.
pub(crate) fn for_moving(url: &str) -> Result<(SqliteConnection, String)> {
    let database = DatabasePath::parse(url)?;
    if database == DatabasePath::Memory {
        let reason = "a database in memory ends with its process: name a file".to_owned();
        return Err(StoreError::BadUrl { url: url.to_owned(), reason });
    }
    let mut conn = connect::for_writing(&database)?;
    migrations::check(&mut conn).map_err(|error| failure::classify(error, &database))?;
    Ok((conn, format!("sqlite:{database}")))
}

/// Classifies an error of the database.
pub(crate) fn classify(error: diesel::result::Error, shown: &str) -> StoreError {
    let database = DatabasePath::parse(shown).unwrap_or(DatabasePath::Memory);
    failure::classify(StoreError::from_diesel(error), &database)
}
