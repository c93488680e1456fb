//! Fatal errors of V8: halts the thread instead of the process.
//!
//! V8 ends the process when an isolate needs more memory in one piece than it may have, and when an array would be longer than
//! any can be. Neither means that an invariant is broken. So the thread is halted instead, for good, together with its isolate.
//! No other thread depends on it, because V8 runs single-threaded here. A failed check inside V8 does mean a broken invariant,
//! and still ends the process.

use std::cell::{Cell, RefCell};
use std::ffi::c_char;
use std::sync::Arc;

use crate::call_control::CallControl;
use crate::{halt, sigtrap};

thread_local! {
    /// The call that this thread runs.
    static CALL: RefCell<Option<Arc<CallControl>>> = const { RefCell::new(None) };
    /// Whether a check inside V8 has failed on this thread.
    static HAS_FAILED_CHECK: Cell<bool> = const { Cell::new(false) };
}

/// Runs `action` on behalf of a call.
pub(crate) fn on_behalf_of<T>(call: &Arc<CallControl>, action: impl FnOnce() -> T) -> T {
    CALL.set(Some(Arc::clone(call)));
    let result = action();
    CALL.set(None);
    result
}

/// Installs the handlers of the process. V8 raises a trap in both cases, and reports only a failed check before.
pub(crate) fn install() {
    v8::V8::set_fatal_error_handler(|_file: &str, _line: i32, _message: &str| {
        HAS_FAILED_CHECK.set(true);
    });
    sigtrap::install(halt_thread);
    halt::install();
}

/// Installs the handler of an isolate that runs out of memory.
pub(crate) fn handle_out_of_memory(isolate: &mut v8::Isolate) {
    isolate.set_oom_error_handler(out_of_memory);
}

extern "C" fn out_of_memory(_location: *const c_char, _details: &v8::OomDetails) {
    halt_thread();
}

/// Abandons the call of this thread and never returns. If a check has failed or the thread runs no call, it returns, and the
/// process ends.
fn halt_thread() {
    if HAS_FAILED_CHECK.get() {
        return;
    }
    let call = CALL.take();
    if let Some(call) = call {
        call.abandon_without_memory();
        loop {
            std::thread::park();
        }
    }
}
