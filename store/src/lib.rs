//! What is remembered: one store, on SQLite and on PostgreSQL.
