//! Whole workflows through the public interface: a real script in V8, the real tools, a real database, and a clock that the
//! test moves. Each scenario runs on SQLite and, where `WINDLASS_TEST_POSTGRES` names a server, on PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what it relies on by failing"
)]

mod abuse;
mod blame;
mod classes;
mod doubts;
mod env;
mod failures;
mod fake_tool;
mod intake;
mod long_calls;
mod server;
mod timing;
mod versions;
mod workers;

/// Makes each scenario a test on each database.
macro_rules! scenarios {
    ($($(#[$meta:meta])* async fn $name:ident($env:ident: TestEnv) $body:block)+) => {
        $($(#[$meta])* async fn $name($env: crate::scenarios::env::TestEnv) $body)+

        mod sqlite {
            $(#[test]
            fn $name() {
                crate::scenarios::env::on_sqlite(super::$name);
            })+
        }

        mod postgres {
            $(#[test]
            fn $name() {
                crate::scenarios::env::on_postgres(super::$name);
            })+
        }
    };
}
pub(crate) use scenarios;
