//! When things run: what is due, claims, the loop that drives a run through its phases, recovery.

mod tool;

pub use tool::{Effect, MutationKey, Reconciliation, Tool, ToolCall, ToolError, ToolSpec};
