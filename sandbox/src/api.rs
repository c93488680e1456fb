//! The contract of the sandbox: what goes into a call of a script, what the script may ask of the host, and what comes out.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use windlass_core::{
    Failure, LogLevel, Operation, ScriptLimits, ScriptPhase, ScriptPosition, WorkspaceId,
};

use crate::log::CallLog;

/// The options of a sandbox.
#[derive(Debug, Clone)]
pub struct Options {
    /// The limits of one call.
    pub limits: ScriptLimits,
    /// The functions that scripts find besides the built-in ones.
    pub functions: Vec<Function>,
    /// How many calls may be under way at once, including those that wait for a slow reply. Each has a thread.
    pub max_threads: usize,
    /// How many of them may compute at once.
    pub cores: usize,
}

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
    /// The script. It is evaluated anew for this call.
    pub script: Script,
    /// Whose call it is: workspaces take turns where calls wait for a core.
    pub workspace: Option<WorkspaceId>,
    /// The part that is called.
    pub phase: ScriptPhase,
    /// The producer's or consumer's name, any text.
    pub handler: String,
    /// The arguments, in order. They are passed as JSON.
    pub arguments: Vec<Value>,
    /// Whether no script may have run in its isolate before. That takes a few milliseconds longer.
    pub in_fresh_isolate: bool,
    /// Where its lines go while it runs. What nobody takes from there is in the [`Report`].
    pub log: CallLog,
}

/// A function that scripts find as `namespace.method`.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// The global object's name.
    pub namespace: String,
    /// The method's name.
    pub method: String,
    /// What `getDocs("namespace.method")` answers.
    pub docs: String,
    /// The JSON Schema of its input, `true` for any.
    pub input: Value,
    /// What a call of it does; for one whose input decides, the most that it may do.
    pub operation: Operation,
}

/// A call of the host by a script. Its input is always one object.
#[derive(Debug, Clone, PartialEq)]
pub struct HostCall {
    /// The namespace of the [`Function`].
    pub namespace: String,
    /// Its method.
    pub method: String,
    /// The one argument; `{}` where the script gave none.
    pub input: Value,
    /// Whether a text of the input had half of a character, which is replaced by U+FFFD: texts that differed may be equal now.
    pub has_halves: bool,
    /// Where in the script the call is.
    pub at: Option<ScriptPosition>,
}

/// The answer of the host.
pub enum Reply {
    /// At once. A failure ends the script: it can neither catch it nor continue.
    Now(Result<Value, Failure>),
    /// Later. The script waits, and holds no core meanwhile.
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

/// A call that the host has accepted.
pub struct AcceptedCall {
    /// What the call does. The sandbox refuses it where the phase does not permit that operation.
    pub operation: Operation,
    /// Answers the call. It is used only if the phase permits the operation, and the operation is no mutation: that ends the script
    /// instead. It runs on the script's thread and must not block.
    pub answer: Box<dyn FnOnce() -> Reply + Send>,
}

impl AcceptedCall {
    /// A call that does `operation` and is answered by `answer`.
    pub fn new(operation: Operation, answer: impl FnOnce() -> Reply + Send + 'static) -> Self {
        Self { operation, answer: Box::new(answer) }
    }
}

impl std::fmt::Debug for AcceptedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AcceptedCall").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// Answers the calls that a script makes during one call of the sandbox.
pub trait Host: Send + Sync + 'static {
    /// Accepts a call, which changes nothing yet. It runs on the script's thread and must not block.
    ///
    /// # Errors
    /// The failure that ends the script, for example because the input is malformed or the call is not allowed.
    fn accept(&self, call: HostCall) -> Result<AcceptedCall, Failure>;
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// It returned. `None` is JavaScript's `undefined`.
    Returned(Option<Value>),
    /// It asked for a mutation, in the phase that permits one: the call that the host accepted last. The script is over, and
    /// the mutation is not made yet.
    Mutation(HostCall),
    /// It failed, or exceeded a limit.
    Failed(Failure),
    /// It was cancelled: the caller dropped the future, or the sandbox was shut down.
    Cancelled,
}

/// How a call ended, and what it logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended.
    pub ending: Ending,
    /// What it wrote with `console`, in order, cut to the limits, as far as nobody took it from its [`CallLog`] before.
    pub logs: Vec<LogLine>,
    /// Whether it found too little memory in an isolate that other scripts had used. In a fresh one it may find enough.
    pub is_worth_repeating: bool,
}

/// A line written with `console`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How loud it is.
    pub level: LogLevel,
    /// The text.
    pub message: String,
}
