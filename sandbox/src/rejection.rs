//! Promises that are rejected while nobody looks: V8 says nothing of them afterwards.
#![expect(unsafe_code, reason = "V8 calls back without a scope")]

use crate::current::{Current, Rejection};
use crate::exception;

/// More are not kept: the first is told.
const KEPT: usize = 100;

/// Has the isolate's calls note what is rejected.
pub(crate) fn watch(isolate: &mut v8::Isolate) {
    isolate.set_promise_reject_callback(on_event);
}

unsafe extern "C" fn on_event(message: v8::PromiseRejectMessage<'_>) {
    // SAFETY: V8 calls this on the isolate's thread with a message that is alive, and no other scope is used meanwhile.
    v8::callback_scope!(unsafe scope, &message);
    let Some(current) = Current::of(scope) else { return };
    let promise = message.get_promise();
    let mut rejections = current.rejections.borrow_mut();
    match message.get_event() {
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler if rejections.len() < KEPT => {
            let place = exception::here(scope, &current);
            rejections.push(Rejection { promise: v8::Global::new(scope, promise), place });
        }
        v8::PromiseRejectEvent::PromiseHandlerAddedAfterReject => {
            rejections.retain(|rejection| rejection.promise != promise);
        }
        v8::PromiseRejectEvent::PromiseRejectWithNoHandler
        | v8::PromiseRejectEvent::PromiseRejectAfterResolved
        | v8::PromiseRejectEvent::PromiseResolveAfterResolved => {}
    }
}
