//! Decides when handler runs begin, executes them, and recovers them after a crash.
//!
//! An [`Engine`] is one worker. It asks the store what is due, claims handler runs, and takes each through prepare, mutate and
//! next, with a checkpoint after each phase. The sandbox runs the script, and the [`Registry`] says what the script may call. Any
//! number of engines, in one process or on many machines, may share a store. Each claim has a lease and a fencing number, so a
//! worker that lost its run can no longer change anything.
//!
//! To embed an engine, give it a store, a sandbox and the tools that scripts may call:
//!
//! ```no_run
//! use std::sync::Arc;
//! use windlass_core::{Clock, Id, Policy, Prices, SystemClock, WorkerId};
//! use windlass_sandbox::Sandbox;
//! use windlass_scheduler::{Engine, EngineParts, MutationMode, Registry, Tool};
//! use windlass_store::{ClaimFilter, Options, WorkerInfo};
//!
//! # async fn embed(tools: Vec<Arc<dyn Tool>>) -> Result<(), Box<dyn std::error::Error>> {
//! windlass_sandbox::initialize();
//! let policy = Policy::default();
//! let registry = Arc::new(Registry::new(tools)?);
//! let sandbox = Sandbox::start(windlass_sandbox::Options {
//!     limits: policy.script.clone(),
//!     functions: registry.functions(),
//!     max_threads: 4,
//!     cores: 2,
//! });
//! let engine = Engine::new(EngineParts {
//!     store: windlass_store::open("sqlite:windlass.db", Options::default()).await?,
//!     sandbox,
//!     registry,
//!     policy,
//!     prices: Prices::default(),
//!     worker: WorkerInfo {
//!         id: WorkerId::mint(SystemClock.now()),
//!         host: "example".to_owned(),
//!         pid: std::process::id(),
//!         version: "1".to_owned(),
//!         slots: 4,
//!         filter: ClaimFilter::default(),
//!     },
//!     mutation_mode: MutationMode::Execute,
//!     workers_dir: None,
//!     observer: None,
//! })?;
//! engine.run_until_idle().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//! - The ledger row of a mutation is written before its request is sent. If it is unknown whether the effect happened, the effect is
//!   looked up or a person is asked; the request is never simply repeated.
//! - A tool asks the engine right before its effect whether its worker still has the run. If not, nothing is sent.
//! - After a crash at any point, work continues from the last checkpoint.
//! - An engine without work sleeps until a wake-up. It also polls with every heartbeat, in case a wake-up is lost.
//!
//! # What it never does
//! It keeps no state that a restart would miss. It decides no transition (the core does) and writes none itself (the store does, each
//! in one transaction).
//!
//! # Modules
//! `engine` polls for work. `drive` executes one run: `script_runner` calls its script, `host` answers the script's calls, and
//! `drive/mutation` makes its one effect. `lookup` looks up effects in doubt. `lease` renews and gives up leases, and `clock_watch`
//! watches the clock that they end by. `liveness` and `recover` take over the runs of lost workers. `tool`, `registry` and `inputs` say what scripts may call. `commit_point` is the last
//! check before an effect, which the tool makes. `place` says whether a look-up looks where the effect was to happen.

mod boot_instant;
mod clock_watch;
mod commit_point;
mod drive;
mod engine;
mod error;
#[cfg(test)]
mod fake_call;
mod host;
mod inputs;
mod lease;
mod liveness;
mod log_quota;
mod lookup;
mod panic;
mod parts;
mod persist;
mod place;
mod progress;
mod prune;
mod recover;
mod registry;
mod sample;
mod script_cache;
mod script_runner;
mod slots;
mod store_failure;
mod tool;
mod tool_request;

pub use commit_point::{CommitPoint, CommitWatch, Refused};
pub use engine::{Engine, alive_workers};
pub use error::EngineError;
pub use inputs::{INPUT_KINDS, check_input_kind};
pub use parts::{EngineParts, MutationMode};
pub use place::Place;
pub use progress::{Observer, Progress, ProgressStep};
pub use prune::{RecordCounts, prunable, prune};
pub use registry::{Callable, Registry, RegistryError, Target, TopicsFunction};
pub use store_failure::store_failure;
pub use tool::{Effect, MutationCall, MutationKey, Subject, Tool, ToolCall, ToolError, ToolSpec};
