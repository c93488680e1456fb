//! The reads, written once: each is generic over a `Conn` and a `RunQueryDsl` that the backend provides in its module
//! `dialect`. This folder is mounted by both backends.
//!
//! A list is read a page at a time, through an index that has its order. A read takes a few statements, however long the list is.

pub(super) mod approvals;
pub(super) mod credentials;
pub(super) mod due;
pub(super) mod events;
pub(super) mod graph;
pub(super) mod graphs;
pub(super) mod identify;
pub(super) mod inputs;
pub(super) mod limits;
pub(super) mod mutations;
pub(super) mod notifications;
pub(super) mod open_work;
pub(super) mod overview;
pub(super) mod rounds;
pub(super) mod runs;
pub(super) mod workers;
pub(super) mod workflows;

pub(super) use due::{Workspaces, slots_by_workspace, workspaces};
pub(super) use events::event;
pub(super) use limits::limit_usages;
pub(super) use mutations::mutation;

use super::dialect;

/// How many ids are asked about in one statement: SQLite binds each of them.
const BATCH: usize = 10_000;
