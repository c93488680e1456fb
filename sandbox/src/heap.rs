//! The limit of an isolate's heap. Without this callback V8 ends the process where the heap is full.
#![expect(unsafe_code, reason = "V8 hands the callback's data over as a raw pointer")]

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What V8 gets in addition once the limit is reached, because it obeys the termination only after the built-in function that it
/// executes. It is given once. If it is used up as well, the thread is halted.
const SLACK_BYTES: usize = 256 << 20;

/// Ends the script of one isolate whose heap is full.
#[derive(Debug)]
pub(crate) struct HeapGuard {
    isolate: v8::IsolateHandle,
    is_full: Arc<AtomicBool>,
}

impl HeapGuard {
    /// Guards `isolate`. The guard has to outlive it, which [`ScriptIsolate`](crate::isolate::ScriptIsolate) ensures by the order of its fields.
    pub(crate) fn install(isolate: &mut v8::Isolate) -> Box<Self> {
        let guard =
            Box::new(Self { isolate: isolate.thread_safe_handle(), is_full: Arc::default() });
        isolate.add_near_heap_limit_callback(near_limit, (&raw const *guard).cast_mut().cast());
        guard
    }

    /// Whether the limit was reached. Such an isolate must not be used again.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// The same, to be read by other threads.
    pub(crate) fn fullness(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_full)
    }
}

/// V8 calls this on the isolate's thread during garbage collection. It obeys the termination once it is back in the script.
unsafe extern "C" fn near_limit(data: *mut c_void, current: usize, _initial: usize) -> usize {
    // SAFETY: `data` is the boxed guard of `install`, which lives at least as long as the isolate that calls this.
    let guard = unsafe { &*data.cast::<HeapGuard>() };
    guard.isolate.terminate_execution();
    let was_full = guard.is_full.swap(true, Ordering::Relaxed);
    if was_full { current } else { current.saturating_add(SLACK_BYTES) }
}
