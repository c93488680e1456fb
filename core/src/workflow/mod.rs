//! Workflows: who may change what, what a script declares, and what is due.

mod controls;
mod due;
mod manifest;
mod validate;

pub use controls::{Action, ActionRefused, WorkflowStatus};
pub use due::{
    ConsumerDue, DueView, NextStep, PendingRetryView, ProducerDue, Step, next_step, wake_at,
};
pub use manifest::{Consumer, Manifest, Producer};
pub use validate::{FUNCTION, Problem, validate};
