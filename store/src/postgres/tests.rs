//! What only PostgreSQL does.

mod connections;
mod pipelines;
mod silence;
mod transactions;

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use windlass_store_conformance::PostgresSchema;

use super::ops::{Operation, Tx};
use super::*;

async fn open(schema: &PostgresSchema) -> PostgresStore {
    PostgresStore::open(&schema.url(), Policy::default(), None, 4).await.unwrap()
}

/// Makes a workspace.
#[derive(Clone)]
struct Make(&'static str);

impl Operation for Make {
    type Output = usize;

    async fn run(self, tx: &Tx<'_>) -> Result<usize> {
        let insert = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $1, 0) ON CONFLICT DO NOTHING";
        let mut conn = tx.conn;
        let made = diesel::sql_query(insert).bind::<Text, _>(self.0).execute(&mut conn).await;
        made.map_err(StoreError::from_diesel)
    }
}
