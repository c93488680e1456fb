//! What a running call carries through V8, for the host functions that the script calls.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::task::AbortHandle;
use windlass_core::{Failure, ScriptLimits, ScriptPhase};

use crate::api::{Function, Host, LogLine, Script};
use crate::fault::{End, Halt};
use crate::host::Waiting;
use crate::source::{Place, Source};

/// The call that an isolate is making.
pub(crate) struct Current {
    pub(crate) source: Source,
    pub(crate) functions: Arc<[Function]>,
    pub(crate) limits: ScriptLimits,
    /// Absent while the file is evaluated: then no tool may be called.
    pub(crate) world: RefCell<Option<World>>,
    pub(crate) helpers: OnceCell<Helpers>,
    pub(crate) pending: RefCell<BTreeMap<u32, Pending>>,
    /// Later replies that the loop has yet to start.
    pub(crate) started: RefCell<Vec<(u32, Later)>>,
    pub(crate) host_calls: Cell<u32>,
    /// How many replies were left for later so far. Calls can be nested, so their own count tells no replies apart.
    pub(crate) later_replies: Cell<u32>,
    /// The size of everything passed to the host so far.
    pub(crate) passed_bytes: Cell<usize>,
    /// The promises that are rejected and that nobody looks at.
    pub(crate) rejections: RefCell<Vec<Rejection>>,
    pub(crate) logs: RefCell<Vec<LogLine>>,
    /// Set once, by what ended the script; nothing it does afterwards counts.
    pub(crate) end: RefCell<Option<End>>,
}

/// A reply that is not there yet.
pub(crate) type Later = BoxFuture<'static, Result<Value, Failure>>;

/// What the handler that runs may do, and who answers it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) phase: ScriptPhase,
    pub(crate) host: Arc<dyn Host>,
}

/// The functions of `bootstrap.js` that the host calls.
pub(crate) struct Helpers {
    pub(crate) to_json: v8::Global<v8::Function>,
    pub(crate) describe: v8::Global<v8::Function>,
}

/// A host call whose reply is awaited.
pub(crate) struct Pending {
    pub(crate) resolver: v8::Global<v8::PromiseResolver>,
    pub(crate) waiting: Waiting,
    pub(crate) task: Option<Task>,
}

/// A promise that is rejected, and where that was done.
pub(crate) struct Rejection {
    pub(crate) promise: v8::Global<v8::Promise>,
    pub(crate) place: Option<Place>,
}

/// A spawned reply; dropping gives it up.
pub(crate) struct Task(pub(crate) AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Current {
    /// A call that has not begun.
    pub(crate) fn new(
        script: Script,
        functions: Arc<[Function]>,
        limits: ScriptLimits,
    ) -> Rc<Self> {
        Rc::new(Self {
            source: Source::new(script),
            functions,
            limits,
            world: RefCell::default(),
            helpers: OnceCell::new(),
            pending: RefCell::default(),
            started: RefCell::default(),
            host_calls: Cell::new(0),
            later_replies: Cell::new(0),
            passed_bytes: Cell::new(0),
            rejections: RefCell::default(),
            logs: RefCell::default(),
            end: RefCell::default(),
        })
    }

    /// The call that the isolate of `scope` is making.
    pub(crate) fn of(scope: &v8::Isolate) -> Option<Rc<Self>> {
        scope.get_slot::<Rc<Self>>().cloned()
    }

    /// Notes what ended the script, unless something else already has.
    pub(crate) fn note(&self, halt: Halt) {
        let end = match halt {
            Halt::Terminated => return,
            Halt::Mutation(call) => End::Mutation(*call),
            Halt::Failed(fault) => End::Failed(*fault),
        };
        self.end.borrow_mut().get_or_insert(end);
    }

    /// Ends the script from inside a host function: nothing in it can catch that.
    pub(crate) fn finish(&self, scope: &mut v8::PinScope<'_, '_>, halt: Halt) {
        self.note(halt);
        scope.terminate_execution();
        // V8 obeys at the next stack check of JavaScript: this call makes one before the caller goes on.
        if let Some(helpers) = self.helpers.get() {
            let check = v8::Local::new(scope, &helpers.to_json);
            let undefined = v8::undefined(scope).into();
            let _terminated = check.call(scope, undefined, &[]);
        }
    }

    /// Whether the script is over.
    pub(crate) fn is_over(&self) -> bool {
        self.end.borrow().is_some()
    }
}
