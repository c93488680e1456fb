//! Runs one call of a workflow script in V8, with nothing ambient, under limits.
//!
//! A script is a file that declares a `workflow` of handlers. Each call evaluates the whole file in a fresh context and
//! calls one handler in it. All that the script finds is JavaScript itself, `console`, `atob`, `getDocs`, and the
//! functions that the embedder offers. Every use of those goes to the embedder's [`Host`], after the sandbox has made
//! sure that the phase permits it.
//!
//! ```
//! use std::sync::Arc;
//! use windlass_core::{Failure, Operation, ScriptLimits, ScriptPhase};
//! use windlass_sandbox::{Call, Ending, Function, Host, HostCall, Options, Reply, Sandbox, Script};
//!
//! struct Inbox;
//!
//! impl Host for Inbox {
//!     fn operation(&self, _call: &HostCall) -> Result<Operation, Failure> {
//!         Ok(Operation::Read)
//!     }
//!
//!     fn call(&self, _call: HostCall) -> Reply {
//!         Reply::Now(Ok(["a.eml", "b.eml"].into_iter().collect()))
//!     }
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     windlass_sandbox::initialize();
//!     tokio::runtime::Runtime::new()?.block_on(async {
//!         let sandbox = Sandbox::start(Options {
//!             limits: ScriptLimits::default(),
//!             functions: vec![Function {
//!                 namespace: "Files".into(),
//!                 method: "list".into(),
//!                 docs: "Lists the files of a folder.".into(),
//!             }],
//!             max_threads: 4,
//!             cores: 2,
//!         });
//!         let source = r#"
//!             const count = async () => (await Files.list({ dir: "inbox" })).length;
//!             const workflow = { producers: { poll: { handler: count } } };
//!         "#;
//!         let call = Call {
//!             script: Script {
//!                 name: "count.js".into(),
//!                 source: source.into(),
//!                 digest: windlass_core::digest_text(source).into(),
//!             },
//!             phase: ScriptPhase::Producer,
//!             handler: "poll".into(),
//!             arguments: vec![],
//!         };
//!
//!         let report = sandbox.call(call, Arc::new(Inbox)).await;
//!
//!         assert_eq!(report.ending, Ending::Returned(Some(2.into())));
//!         sandbox.shutdown().await;
//!     });
//!     Ok(())
//! }
//! ```
//!
//! # What it promises
//! - Nothing survives a call: no global, no closure, no microtask.
//! - A mutation ends the script on the spot, and so do a failing reply and a call that the phase does not permit: no
//!   `catch`, no `finally` and no line after it runs.
//! - Whatever a script does ends within its limits, as a failure that names the limit and its setting. Where V8 cannot be
//!   interrupted, the thread is given up, and the caller is answered all the same.
//! - A script that waits holds no core.
//! - A failure says where in the script it happened, as the author wrote it.
//!
//! # What it does not do
//! - It is one process: it contains mistakes and mischief, not an attack on V8 itself.
//! - It knows no workflow, run or ledger. That a mutation is recorded before it is made is up to its caller.
//!
//! # How it is made
//! A call waits for a core and is given to one of the pool's threads, each of which has an isolate of its own, where an
//! engine runs it. It holds the core while the script computes; while it waits, replies arrive from the tokio runtime. A
//! watchdog stops what takes too long, and the quarantine halts the thread where V8 would end the process. [`Sandbox::check`]
//! evaluates a file without calling anything in it, and reads its text for mistakes.

mod api;
mod buffers;
mod builtins;
mod check;
mod code;
mod context;
mod control;
mod current;
mod engine;
mod exception;
mod execution;
mod fault;
mod heap;
mod host;
mod platform;
mod pool;
mod priority;
mod quarantine;
mod rejection;
mod sandbox;
mod source;
mod stack;
mod thread;
mod trap;
mod turn;
mod value;
mod watchdog;

pub use api::{Call, Ending, Function, Host, HostCall, LogLevel, LogLine, Reply, Report, Script};
pub use platform::{initialize, initialize_in_tests};
pub use sandbox::{Options, Sandbox};
