//! One isolate with its limits, used for many calls by one thread.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use windlass_core::ScriptLimits;

use crate::active_call::ActiveCall;
use crate::api::Function;
use crate::buffers::Budget;
use crate::call_runtime::CallRuntime;
use crate::code::{CodeCache, SharedCode};
use crate::context::{self, FreshContext};
use crate::end::{End, Fault, Halt};
use crate::execution::Execution;
use crate::heap::HeapGuard;
use crate::job::Work;
use crate::{exception, fatal_error, halt, platform, rejection, stack};

/// After this many calls an isolate is replaced, so that nothing accumulates in it for ever.
const MAX_CALLS: u32 = 1_000;

/// How much more than a fresh isolate one may keep after a call, beside the compiled script. Scripts can leave things that no collection
/// removes, for example symbols of `Symbol.for`.
const MAX_KEPT_BYTES: usize = 4 << 20;

/// How much memory compiled code needs for each byte of its source, with the source itself.
const CODE_BYTES_PER_SOURCE_BYTE: usize = 4;

/// An isolate and what belongs to it. The fields are dropped in this order: first what points into the isolate, last what the
/// isolate points to.
pub(crate) struct ScriptIsolate {
    /// The context of the next call, if it was made ahead.
    next: Option<FreshContext>,
    code: CodeCache,
    shared: Arc<SharedCode>,
    functions: Arc<[Function]>,
    isolate: v8::OwnedIsolate,
    heap: Box<HeapGuard>,
    buffers: Arc<Budget>,
    calls: u32,
    /// The heap that was in use before the first call.
    fresh_heap_bytes: usize,
}

impl ScriptIsolate {
    /// Makes an isolate for the calling thread, with these limits.
    pub(crate) fn new(
        limits: &ScriptLimits,
        shared: Arc<SharedCode>,
        functions: Arc<[Function]>,
    ) -> Self {
        let buffers = Budget::new(mib(limits.array_buffers_mib));
        let params = v8::CreateParams::default()
            .heap_limits(0, mib(limits.heap_mib))
            .allow_atomics_wait(false)
            .array_buffer_allocator(buffers.allocator());
        let params = stack::limit(params, limits.stack_kib as usize * 1024);
        let mut isolate = v8::Isolate::new(params);
        isolate.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
        isolate.set_capture_stack_trace_for_uncaught_exceptions(true, exception::MAX_FRAMES.into());
        rejection::watch(&mut isolate);
        fatal_error::handle_out_of_memory(&mut isolate);
        let heap = HeapGuard::install(&mut isolate);
        let (next, code) = (None, CodeCache::default());
        let fresh_heap_bytes = isolate.get_heap_statistics().used_heap_size();
        Self { next, code, shared, functions, isolate, heap, buffers, calls: 0, fresh_heap_bytes }
    }

    /// Whether a script has run in it.
    pub(crate) const fn is_used(&self) -> bool {
        self.calls > 0
    }

    /// Whether the heap's limit was reached.
    pub(crate) fn is_full(&self) -> bool {
        self.heap.is_full()
    }

    /// The same, to be read by other threads.
    pub(crate) fn fullness(&self) -> Arc<AtomicBool> {
        self.heap.fullness()
    }

    /// The isolate's handle, with which another thread can stop it.
    pub(crate) fn handle(&self) -> v8::IsolateHandle {
        self.isolate.thread_safe_handle()
    }

    /// Runs `work` in a fresh context. `None`: it was stopped from outside.
    pub(crate) fn run(
        &mut self,
        current: &Rc<ActiveCall>,
        work: &Work,
        runtime: &mut CallRuntime<'_>,
    ) -> Option<End> {
        self.calls += 1;
        self.buffers.forget_refusals();
        self.isolate.set_slot(Rc::clone(current));
        let result = self.perform(current, work, runtime);
        self.discard_microtasks();
        self.isolate.remove_slot::<Rc<ActiveCall>>();
        current.pending.take();
        current.rejections.take();
        match result {
            Ok(value) => return Some(current.end.take().unwrap_or(End::Returned(value))),
            Err(halt) => current.record_end(halt.map(|fault| self.explain(fault, &current.limits))),
        }
        if self.heap.is_full() {
            let fault = self.buffer_fault(&current.limits);
            current.record_end(fault.unwrap_or_else(|| runtime.memory_fault()).into());
        }
        current.end.take()
    }

    /// Adds the limit to an error that V8 throws when that limit is exceeded.
    fn explain(&self, mut fault: Fault, limits: &ScriptLimits) -> Fault {
        let message = &fault.failure.message;
        let cause = if message.ends_with("RangeError: Maximum call stack size exceeded") {
            Some(Fault::limit(message, "stack_kib", limits.stack_kib))
        } else if message.ends_with("Array buffer allocation failed") {
            self.buffer_fault(limits)
        } else {
            None
        };
        match cause {
            Some(cause) => cause.at(fault.failure.at.take().map(|at| *at)),
            None => fault,
        }
    }

    /// The failure of a script that was refused a buffer. V8 collects garbage then, and may find the heap full as well.
    fn buffer_fault(&self, limits: &ScriptLimits) -> Option<Fault> {
        let what = "the script's `ArrayBuffer`s use too much memory";
        let max = limits.array_buffers_mib;
        self.buffers.was_refused().then(|| Fault::limit(what, "array_buffers_mib", max))
    }

    fn perform(
        &mut self,
        current: &Rc<ActiveCall>,
        work: &Work,
        runtime: &mut CallRuntime<'_>,
    ) -> Result<Option<serde_json::Value>, Halt> {
        let control = runtime.control();
        let mut execution = Execution {
            current: Rc::clone(current),
            code: &mut self.code,
            shared: &self.shared,
            runtime,
        };
        v8::scope!(let scope, &mut self.isolate);
        let fresh = self.next.take().or_else(|| context::make(scope, &self.functions));
        let Some(FreshContext { context, helpers }) = fresh else {
            return Err(match scope.is_execution_terminating() {
                true => Halt::Terminated,
                false => Fault::internal("V8 made no context").into(),
            });
        };
        let context = v8::Local::new(scope, context);
        let scope = &mut v8::ContextScope::new(scope, context);
        // No call has set them before.
        let _none_before = current.helpers.set(helpers);
        halt::may_halt(&control.halt, || execution.perform(scope, work))
    }

    /// Drops the microtasks that the script has left: a checkpoint during a termination runs none of them. Otherwise they would
    /// run in the next call, and as part of it.
    fn discard_microtasks(&mut self) {
        self.isolate.terminate_execution();
        self.isolate.perform_microtask_checkpoint();
        self.isolate.cancel_terminate_execution();
    }

    /// Tidies up after a call of a script whose source has that many bytes. `false`: the isolate has to be replaced.
    pub(crate) fn refresh(&mut self, source_bytes: usize) -> bool {
        if self.heap.is_full() || self.calls >= MAX_CALLS {
            return false;
        }
        platform::run_waiting_tasks(&self.isolate);
        let code = source_bytes.saturating_mul(CODE_BYTES_PER_SOURCE_BYTE);
        let max = self.fresh_heap_bytes.saturating_add(MAX_KEPT_BYTES).saturating_add(code);
        // Most calls leave little: then nothing has to be collected to know that little is kept.
        if self.heap_bytes() > max {
            self.isolate.low_memory_notification();
        }
        self.heap_bytes() <= max
    }

    fn heap_bytes(&mut self) -> usize {
        self.isolate.get_heap_statistics().used_heap_size()
    }

    /// Makes the context of the next call. `false`: the isolate has to be replaced.
    pub(crate) fn make_context_ahead(&mut self) -> bool {
        v8::scope!(let scope, &mut self.isolate);
        self.next = context::make(scope, &self.functions);
        // The garbage of an earlier script may have filled the heap only now.
        self.next.is_some() && !self.heap.is_full()
    }
}

const fn mib(count: u32) -> usize {
    (count as usize) << 20
}
