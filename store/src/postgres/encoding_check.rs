//! Checks that a database can keep every text: one in another encoding than UTF-8 refuses some characters, and then an effect that
//! happened cannot be recorded.

use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::address::Address;
use super::failure;
use crate::error::{Result, StoreError};

const ENCODING: &str = "SELECT pg_encoding_to_char(encoding)::text AS encoding, datname::text AS name \
                        FROM pg_database WHERE datname = current_database()";

#[derive(diesel::QueryableByName)]
struct Database {
    #[diesel(sql_type = Text)]
    encoding: String,
    #[diesel(sql_type = Text)]
    name: String,
}

/// Refuses a database whose encoding is not UTF-8.
pub(super) async fn check(conn: &mut AsyncPgConnection, address: &Address) -> Result<()> {
    let found: Database = diesel::sql_query(ENCODING)
        .get_result(conn)
        .await
        .map_err(|error| failure::classify(StoreError::from_diesel(error), address.shown()))?;
    if found.encoding == "UTF8" {
        return Ok(());
    }
    let name = found.name.replace('"', "\"\"");
    Err(StoreError::BadUrl {
        url: address.shown().to_owned(),
        reason: format!(
            "its encoding is {}, which cannot hold every character: use a database that was made with \
             `CREATE DATABASE \"{name}_utf8\" ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C.UTF-8'`",
            found.encoding
        ),
    })
}
