//! The store through its public interface, on both databases.
//!
//! One program holds all of it but `tests/plans.rs`: each program links the whole store.

mod conformance;
mod constraints;
mod differential;
mod graph_views;
mod migrations;
mod moving;
mod pooler;
mod postgres;
mod tls;
