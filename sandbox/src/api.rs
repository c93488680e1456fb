//! What goes into a call of a script, what it may ask of the host, and what comes out.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use windlass_core::{Failure, Operation, ScriptPhase, ScriptPosition};

/// The source of a script version. Its compiled code is cached under `digest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file name that errors show.
    pub name: Arc<str>,
    /// The text as the author wrote it.
    pub source: Arc<str>,
    /// SHA-256 of the source, hexadecimal: scripts with equal digests are the same script.
    pub digest: Arc<str>,
}

/// One call: a producer's handler, or a consumer's `prepare`, `mutate` or `next`.
#[derive(Debug, Clone)]
pub struct Call {
    /// The script that is evaluated afresh for this call.
    pub script: Script,
    /// The part that is called.
    pub phase: ScriptPhase,
    /// The producer's or consumer's name, any text.
    pub handler: String,
    /// The arguments, in order; handed over as JSON.
    pub arguments: Vec<Value>,
}

/// A function that scripts find as `namespace.method`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The global object's name.
    pub namespace: String,
    /// The method's name.
    pub method: String,
    /// What `getDocs("namespace.method")` answers.
    pub docs: String,
}

/// A call that a script makes of the host: always one object in.
#[derive(Debug, Clone, PartialEq)]
pub struct HostCall {
    /// The namespace of the [`Function`].
    pub namespace: String,
    /// Its method.
    pub method: String,
    /// The one argument; `{}` where the script gave none.
    pub input: Value,
    /// Where the script makes the call.
    pub at: Option<ScriptPosition>,
}

/// What the host answers.
pub enum Reply {
    /// At once. A failure ends the script: it can neither catch it nor continue.
    Now(Result<Value, Failure>),
    /// Later; the script waits, and no core is held meanwhile.
    Later(BoxFuture<'static, Result<Value, Failure>>),
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Now(result) => f.debug_tuple("Now").field(result).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

/// The world as one call of a script sees it.
pub trait Host: Send + Sync + 'static {
    /// Which operation this call is. The sandbox refuses it where the phase does not permit that operation.
    ///
    /// # Errors
    /// A logic failure where that cannot be said, for example because the input is malformed.
    fn operation(&self, call: &HostCall) -> Result<Operation, Failure>;

    /// Answers a call whose operation the phase permits, and which is no mutation. Called on a script's thread: it must not block.
    fn call(&self, call: HostCall) -> Reply;
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// It returned; `None` is JavaScript's `undefined`.
    Returned(Option<Value>),
    /// It asked for a mutation, in the phase that permits one. The script is over; the mutation is not yet made.
    Mutation(HostCall),
    /// It failed, by its own fault or by a limit.
    Failed(Failure),
    /// The caller gave up: the future that waited was dropped or the sandbox was shut down.
    Cancelled,
}

/// How a call ended, and what it said.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// What it wrote with `console`, in order, cropped to the limits.
    pub logs: Vec<LogLine>,
}

/// A line written with `console`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// `log`, `warn` or `error`.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}

pub use windlass_core::LogLevel;
