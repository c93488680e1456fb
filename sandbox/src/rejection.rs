//! Promises that are rejected without a handler. V8 reports each once, when it is rejected.
#![expect(unsafe_code, reason = "V8 calls back without a scope")]

use crate::active_call::{ActiveCall, Rejection};
use crate::exception;

/// How many are kept. The failure names the first.
const MAX_REJECTIONS: usize = 100;

/// Records the rejections in the isolate's calls.
pub(crate) fn watch(isolate: &mut v8::Isolate) {
    isolate.set_promise_reject_callback(on_event);
}

unsafe extern "C" fn on_event(message: v8::PromiseRejectMessage<'_>) {
    // SAFETY: V8 calls this on the isolate's thread with a message that is alive, and no other scope is used meanwhile.
    v8::callback_scope!(unsafe scope, &message);
    let Some(current) = ActiveCall::of(scope) else { return };
    let promise = message.get_promise();
    let mut rejections = current.rejections.borrow_mut();
    match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler if rejections.len() < MAX_REJECTIONS => {
            let at = exception::current_position(scope, &current);
            rejections.push(Rejection { promise: v8::Global::new(scope, promise), at });
        }
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            rejections.retain(|rejection| rejection.promise != promise);
        }
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler
        | v8::PromiseRejectEvent::PromiseRejectAfterResolved
        | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {}
    }
}
