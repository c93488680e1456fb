//! What becomes of a script's thread on which V8 would end the process.
//!
//! V8 ends the process where an isolate needs more memory than it may have in one piece, and where an array would be
//! longer than any can be. Neither is a sign of a broken invariant, so the thread is halted on the spot instead, for
//! good, together with its isolate. No other thread depends on it: V8 runs single-threaded here. A failed check of V8's
//! is such a sign, and stays fatal to the process.

use std::cell::{Cell, RefCell};
use std::ffi::c_char;
use std::sync::Arc;

use crate::control::Control;
use crate::trap;

thread_local! {
    /// The call that this thread runs.
    static CALL: RefCell<Option<Arc<Control>>> = const { RefCell::new(None) };
    /// Whether a check of V8's has failed on this thread.
    static IS_BROKEN: Cell<bool> = const { Cell::new(false) };
}

/// Runs `act` on behalf of a call.
pub(crate) fn on_behalf_of<T>(call: &Arc<Control>, act: impl FnOnce() -> T) -> T {
    CALL.set(Some(Arc::clone(call)));
    let result = act();
    CALL.set(None);
    result
}

/// Watches over the process. V8 traps in both cases, but speaks of failed checks alone before.
pub(crate) fn install() {
    v8::V8::set_fatal_error_handler(|_file: &str, _line: i32, _message: &str| IS_BROKEN.set(true));
    trap::install(halt);
}

/// Watches over an isolate that runs out of memory.
pub(crate) fn guard(isolate: &mut v8::Isolate) {
    isolate.set_oom_error_handler(out_of_memory);
}

extern "C" fn out_of_memory(_location: *const c_char, _details: &v8::OomDetails) {
    halt();
}

/// Gives the call up and never returns. A thread that is broken or runs no call returns, and the process ends.
fn halt() {
    if IS_BROKEN.get() {
        return;
    }
    let call = CALL.take();
    if let Some(call) = call {
        call.abandon(call.out_of_memory());
        loop {
            std::thread::park();
        }
    }
}
