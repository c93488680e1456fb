//! Runs of graphs. An operation locks the workflow, loads the run, asks `windlass-core` what changes, writes that, and lets
//! [`advance`] work out what follows, all in one transaction.
//!
//! The order is always the same: rows first, then [`advance::advance`], then the journal and the checkpoint, which
//! [`advance::save`] writes.

pub(super) mod advance;
mod approval;
mod artifacts;
mod ask;
pub(super) mod commit;
mod delete;
mod effects;
mod enqueue;
mod journal;
pub(in super::super) mod load;
mod note;
pub(super) mod notices;
mod record;
mod start;
mod steer;
pub(super) mod stopped;
mod submit;
mod versions;
mod withdraw;
mod workspace;
mod write;
