//! Workflows: their status, what their scripts declare, and what is due.

mod controls;
mod due;
mod kind;
mod manifest;
mod problem;
mod rule;
mod validate;

pub use controls::{Action, ActionRefused, WorkflowStatus};
pub use due::{
    ConsumerDue, DueView, NextStep, PendingRetryView, ProducerDue, Step, next_step, wake_at,
};
pub use kind::WorkflowKind;
pub use manifest::{Consumer, Manifest, Producer};
pub use problem::{Because, Edit, FUNCTION, Fix, Problem, Severity};
pub use rule::{ProblemCode, RULE_URI, RULES, Rule};
pub use validate::{nearest, validate};
