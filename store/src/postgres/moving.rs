//! What moving an instance needs of its PostgreSQL side.

use diesel_async::AsyncPgConnection;

use super::address::Address;
use super::{connect, failure, migrations};
use crate::error::{Result, StoreError};
use crate::location::Location;

/// Tries to take the lock that every open store shares; returns whether no store is open.
pub(crate) const TRY_LOCK_EXCLUSIVELY: &str =
    concat!("SELECT CAST(pg_try_advisory_lock(", schema_lock!(), ") AS TEXT) AS line");

/// A connection for moving an instance, and how the database is shown.
pub(crate) async fn for_moving(at: &Location) -> Result<(AsyncPgConnection, String)> {
    let address = Address::parse(at)?;
    let mut conn = connect::connect(&address).await?;
    let checked = migrations::check_version(&mut conn).await;
    checked.map_err(|error| failure::classify(error, address.shown()))?;
    Ok((conn, address.shown().to_owned()))
}

/// Classifies an error of the database.
pub(crate) fn classify(error: diesel::result::Error, shown: &str) -> StoreError {
    failure::classify(StoreError::from_diesel(error), shown)
}
