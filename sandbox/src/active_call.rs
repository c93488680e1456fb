//! The state of a running call, which the host functions that the script calls find through V8.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::task::AbortHandle;
use windlass_core::{Failure, Operation, ScriptLimits, ScriptPhase, ScriptPosition};

use crate::api::{Function, Host, Script};
use crate::end::{End, Halt};
use crate::log::CallLog;
use crate::source::{LineColumn, Source};

/// The call that an isolate runs.
pub(crate) struct ActiveCall {
    pub(crate) source: Source,
    pub(crate) functions: Arc<[Function]>,
    pub(crate) limits: ScriptLimits,
    /// None while the file is evaluated: then no tool may be called.
    pub(crate) world: RefCell<Option<World>>,
    pub(crate) helpers: OnceCell<Helpers>,
    /// The host calls whose replies are awaited, by their numbers.
    pub(crate) pending: RefCell<BTreeMap<u32, PendingReply>>,
    /// Later replies whose futures have yet to be spawned, the oldest first.
    pub(crate) unspawned: RefCell<VecDeque<(u32, ReplyFuture)>>,
    /// How many futures of replies are spawned and not answered.
    pub(crate) spawned: Cell<u32>,
    pub(crate) host_calls: Cell<u32>,
    /// How many later replies there were so far. They need a number of their own because host calls can be nested.
    pub(crate) later_replies: Cell<u32>,
    /// The size of everything passed to the host so far.
    pub(crate) passed_bytes: Cell<usize>,
    /// How many elements it has.
    pub(crate) passed_elements: Cell<usize>,
    /// The rejected promises that have no handler.
    pub(crate) rejections: RefCell<Vec<Rejection>>,
    pub(crate) log: CallLog,
    /// Set once, by what ended the script. What the script does afterwards does not count.
    pub(crate) end: RefCell<Option<End>>,
}

/// The future of a reply that is not there yet.
pub(crate) type ReplyFuture = BoxFuture<'static, Result<Value, Failure>>;

/// The phase that the running handler is in, and the host that answers its calls.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) phase: ScriptPhase,
    pub(crate) host: Arc<dyn Host>,
}

/// The functions of `bootstrap.js` that the sandbox calls.
pub(crate) struct Helpers {
    pub(crate) to_json: v8::Global<v8::Function>,
    pub(crate) describe: v8::Global<v8::Function>,
}

/// A host call whose reply is awaited.
pub(crate) struct PendingReply {
    pub(crate) resolver: v8::Global<v8::PromiseResolver>,
    pub(crate) site: CallSite,
    /// What the call does.
    pub(crate) operation: Operation,
    pub(crate) task: Option<AbortOnDrop>,
}

/// Which function the script called, and where.
pub(crate) struct CallSite {
    /// `namespace.method`.
    pub(crate) function: String,
    pub(crate) at: Option<ScriptPosition>,
    /// Whether it goes through `attempt`: then the script is given a failure that is about the data.
    pub(crate) is_attempt: bool,
}

/// A rejected promise, and where it was rejected.
pub(crate) struct Rejection {
    pub(crate) promise: v8::Global<v8::Promise>,
    pub(crate) at: Option<LineColumn>,
}

/// A spawned task, aborted when this is dropped.
pub(crate) struct AbortOnDrop(pub(crate) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ActiveCall {
    /// A call that has not begun.
    pub(crate) fn new(
        script: Script,
        written: Arc<str>,
        functions: Arc<[Function]>,
        limits: ScriptLimits,
        log: CallLog,
    ) -> Rc<Self> {
        Rc::new(Self {
            source: Source::new(script, written),
            functions,
            limits,
            world: RefCell::default(),
            helpers: OnceCell::new(),
            pending: RefCell::default(),
            unspawned: RefCell::default(),
            spawned: Cell::new(0),
            host_calls: Cell::new(0),
            later_replies: Cell::new(0),
            passed_bytes: Cell::new(0),
            passed_elements: Cell::new(0),
            rejections: RefCell::default(),
            log,
            end: RefCell::default(),
        })
    }

    /// The call that the isolate of `scope` runs.
    pub(crate) fn of(scope: &v8::Isolate) -> Option<Rc<Self>> {
        scope.get_slot::<Rc<Self>>().cloned()
    }

    /// Records what ended the script, unless something else has ended it before.
    pub(crate) fn record_end(&self, halt: Halt) {
        let end = match halt {
            Halt::Terminated => return,
            Halt::Mutation(call) => End::Mutation(*call),
            Halt::Failed(fault) => End::Failed(*fault),
        };
        self.end.borrow_mut().get_or_insert(end);
    }

    /// Ends the script from inside a host function. The script cannot catch that.
    pub(crate) fn finish(&self, scope: &mut v8::PinScope<'_, '_>, halt: Halt) {
        self.record_end(halt);
        scope.terminate_execution();
        // V8 obeys at the next stack check of JavaScript: this call makes one before the caller continues.
        if let Some(helpers) = self.helpers.get() {
            let check = v8::Local::new(scope, &helpers.to_json);
            let undefined = v8::undefined(scope).into();
            let _terminated = check.call(scope, undefined, &[]);
        }
    }

    /// Whether the script has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.end.borrow().is_some()
    }
}
