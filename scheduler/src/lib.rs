//! When things run: what is due, claims, the loop that drives a run through its phases, recovery.

mod inputs;
mod registry;
mod tool;

pub use inputs::{INPUT_KINDS, check_input_kind};
pub use registry::{Callable, Registry, RegistryError, Target, TopicsFunction};
pub use tool::{Effect, MutationKey, Reconciliation, Tool, ToolCall, ToolError, ToolSpec};
