//! Runs one call of a workflow script in V8, without access to anything outside and under limits.
//!
//! A script is a file that declares a `workflow` of handlers. Each call evaluates the whole file in a fresh context and calls one
//! handler. The script has JavaScript itself, `console`, `atob`, `getDocs`, `attempt`, what `extras` adds (`URL`, `sha256` and others), and the functions of the embedder. A call of such a
//! function goes to the embedder's [`Host`]; the sandbox refuses it if the phase does not permit its operation.
//!
//! ```
//! use std::sync::Arc;
//! use windlass_core::{Failure, Operation, ScriptLimits, ScriptPhase};
//! use windlass_sandbox::{
//!     CallLog,
//!     AcceptedCall, Call, Ending, Function, Host, HostCall, Options, Reply, Sandbox, Script,
//! };
//!
//! struct Inbox;
//!
//! impl Host for Inbox {
//!     fn accept(&self, _call: HostCall) -> Result<AcceptedCall, Failure> {
//!         let files = || Reply::Now(Ok(["a.eml", "b.eml"].into_iter().collect()));
//!         Ok(AcceptedCall::new(Operation::Read, files))
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
//!                 input: true.into(),
//!                 operation: Operation::Read,
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
//!             workspace: None,
//!             phase: ScriptPhase::Producer,
//!             handler: "poll".into(),
//!             arguments: vec![],
//!             in_fresh_isolate: false,
//!             log: CallLog::default(),
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
//! # Guarantees
//! - Nothing survives a call: no global, no closure, no microtask. An isolate that keeps more memory than a fresh one is discarded.
//! - A mutation, a failing reply and a call that the phase does not permit end the script at once. No `catch`, no `finally` and no
//!   later line of it runs.
//! - A handler that returns before its calls are answered fails; only publications are waited for.
//! - Workspaces take turns where scripts wait for a core. A script that computes for long shares its core with a workspace that waits.
//! - A script that exceeds a limit ends with a failure that names the limit and its setting. If V8 cannot be interrupted, the
//!   sandbox abandons the thread and answers the caller all the same.
//! - A script that waits holds no core.
//! - A failure says where in the script it happened, as the author wrote it.
//!
//! # What it does not do
//! - It runs in the process of its embedder: it contains mistakes and mischief, not an attack on V8 itself.
//! - It knows no workflow, run or ledger. Its caller records a mutation before making it.
//!
//! # Modules
//! `api` is the contract and `sandbox` the public face. `pool` has the threads, `cores` their turns, `thread` runs the jobs of one thread,
//! `isolate` has the V8 isolate of a thread, and `execution` runs one call in it. `call_control` and `watchdog` stop a call from
//! outside, with what `processor` and `memory` tell. `halt` halts a thread that does not obey. `extras` makes globals such as `URL` at their first use. `call_runtime` receives replies while
//! the script waits, `fatal_error` halts a thread instead of the process.
//! [`Sandbox::check`] (`check/`) evaluates a file without calling anything in it, and checks its text for mistakes.

mod active_call;
mod api;
mod buffers;
mod builtins;
mod call_control;
mod call_runtime;
mod check;
mod code;
mod context;
mod cores;
mod end;
mod exception;
mod execution;
mod extras;
mod fatal_error;
mod halt;
mod heap;
mod host;
mod isolate;
mod job;
mod json;
mod log;
mod memory;
mod platform;
mod pool;
mod priority;
mod processor;
mod rejection;
mod sandbox;
mod sigtrap;
mod source;
mod stack;
mod thread;
mod typescript;
mod value;
mod watchdog;

pub use api::{
    AcceptedCall, Call, Ending, Function, Host, HostCall, LogLine, Options, Reply, Report, Script,
};
pub use log::CallLog;
pub use platform::{initialize, initialize_in_tests, use_time_zone};
pub use sandbox::Sandbox;
