//! Statements that are sent without waiting for one another's answers.

use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use futures::future::try_join;
use windlass_store_conformance::PostgresSchema;

use super::super::ops::{Operation, Tx};
use super::super::*;
use crate::cached::CacheStatement;
use crate::pipeline::pipeline;

/// Makes a workspace, and counts those of that name without waiting for the answer; a comment sets its statements apart.
#[derive(Clone)]
struct MakeAndCount(&'static str, [usize; 2]);

impl Operation for MakeAndCount {
    type Output = i64;

    async fn run(self, tx: &Tx<'_>) -> Result<i64> {
        #[derive(diesel::QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }

        let Self(name, [nth_make, nth_count]) = self;
        let make = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $1, 0) --";
        let make = format!("{make} {nth_make}");
        let count = format!("SELECT count(*) AS n FROM workspaces WHERE name = $1 -- {nth_count}");
        let make = diesel::sql_query(make).bind::<Text, _>(name).cached();
        let count = diesel::sql_query(count).bind::<Text, _>(name).cached();
        let (mut first, mut second): (&AsyncPgConnection, &AsyncPgConnection) = (tx.conn, tx.conn);
        let made = RunQueryDsl::execute(make, &mut first);
        let both = try_join(made, count.get_result(&mut second)).await;
        let (_made, Count { n }) = both.map_err(StoreError::from_diesel)?;
        Ok(n)
    }
}

#[tokio::test]
async fn the_statements_of_a_pipeline_run_in_order() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = PostgresStore::open(&schema.url(), Policy::default(), None, 1).await.unwrap();
    let names: Vec<&'static str> = (0..50).map(|nth| &*format!("w{nth}").leak()).collect();

    for (nth, name) in names.into_iter().enumerate() {
        // Each of the two is prepared already, or not.
        let nths = [[nth, nth], [nth, 0], [0, nth], [0, 0]][nth % 4];
        let n_seen = store.write(MakeAndCount(name, nths)).await.unwrap();

        assert_eq!(n_seen, 1, "{nth}");
    }
}

/// Divides by zero beside statements that are right, of which the last is answered before anybody looks at the division.
#[derive(Clone)]
struct DivideBesides;

impl Operation for DivideBesides {
    type Output = ();

    async fn run(self, tx: &Tx<'_>) -> Result<()> {
        let execute = async |statement: &'static str| -> Result<usize> {
            let mut conn: &AsyncPgConnection = tx.conn;
            let answer = RunQueryDsl::execute(diesel::sql_query(statement).cached(), &mut conn);
            answer.await.map_err(StoreError::from_diesel)
        };
        let (refused, known) = tokio::sync::oneshot::channel();
        let right = async {
            execute("SELECT 1").await?;
            let refusal = execute("SELECT 2").await;
            refused.send(()).unwrap();
            refusal
        };
        let wrong = async {
            let failure = execute("SELECT 1 / 0").await;
            known.await.unwrap();
            failure
        };
        pipeline!(right, wrong, async { Ok(()) })?;
        Ok(())
    }
}

#[tokio::test]
async fn a_pipeline_reports_the_error_of_the_statement_that_failed() {
    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    let store = PostgresStore::open(&schema.url(), Policy::default(), None, 1).await.unwrap();

    let refused = store.write(DivideBesides).await.unwrap_err();

    assert!(
        matches!(&refused, StoreError::Database(why) if why.to_string() == "division by zero"),
        "{refused:?}"
    );
}
