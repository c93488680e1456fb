//! What can be looked at, once: each read is written over a `Conn` and a `RunQueryDsl` that the backend provides in its module
//! `dialect`. This folder is mounted by both backends.
//!
//! A read takes a fixed number of statements, however much it returns.

mod due;
mod events;
mod identify;
mod inputs;
mod inspect;
mod limits;
mod mutations;
mod notices;
mod overview;
mod runs;
mod workers;
mod workflows;

pub(super) use due::{Workspaces, workspaces};
pub(super) use events::event;
pub(super) use limits::limit_usages;
pub(super) use mutations::mutation;

use super::{dialect, ops};
