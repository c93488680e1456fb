//! When things run: what is due, claims, the loop that drives a run through its phases, recovery.
//!
//! An [`Engine`] is one worker. It asks the store what is due, claims handler runs, and drives each through prepare, mutate
//! and next, with a checkpoint after each; the sandbox runs the script, the [`Registry`] answers its calls. Any number of
//! engines, in one process or on many machines, may share a store: a claim carries a lease and a fencing number, so that a
//! worker that was taken for dead can no longer change anything.
//!
//! # What it promises
//! - The ledger row of a mutation is durable before its request leaves, and a request whose fate is unknown is looked up or put
//!   before a person, never sent again blindly.
//! - A crash at any point continues from the last checkpoint.
//! - An engine with nothing to do sleeps until a wake-up, and looks with every heartbeat should one be lost.
//!
//! # What it never does
//! It holds no state that a restart would miss, decides no transition (the core does) and writes none by itself (the store
//! does, each in one transaction).
//!
//! # How the modules fit
//! `engine` finds work and holds the slots; `drive` takes one run through its phases, `host` answers its script; `lease` keeps
//! and gives up runs, `moment` is what it counts from; `liveness` and `recover` take over from the dead; `panic` turns panics into failures; `tool`, `registry` and
//! `inputs` say what scripts may call.

mod drive;
mod engine;
mod error;
mod host;
mod inputs;
mod lease;
mod liveness;
mod lookup;
mod moment;
mod panic;
mod persist;
mod progress;
mod prune;
mod recover;
mod registry;
mod sample;
mod scripts;
mod tool;

pub use engine::{Engine, EngineParts, MutationMode, alive_workers};
pub use error::EngineError;
pub use inputs::{INPUT_KINDS, check_input_kind};
pub use progress::{Observer, Progress, ProgressStep};
pub use prune::{RecordCounts, prunable, prune};
pub use registry::{Callable, Registry, RegistryError, Target, TopicsFunction};
pub use tool::{Effect, MutationKey, Subject, Tool, ToolCall, ToolError, ToolSpec};
