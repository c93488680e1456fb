//! V8 itself, of which a process has one.

use std::sync::Once;

use crate::quarantine;

/// Each isolate uses its own thread alone, so that isolates cannot wait for one another. And loops keep the check by
/// which a script is ended: the top compiler takes it out of some that do not end.
const FLAGS: &str = "--single-threaded --no-turbofan";

static STARTED: Once = Once::new();

/// Starts V8. Call it first in a plain `main`, before any other thread exists; later calls do nothing.
///
/// V8 protects its code memory with keys that only the threads descending from the caller hold: a script that runs
/// in a thread which is older than this call faults.
pub fn initialize() {
    start(|| v8::new_default_platform(1, false));
}

/// Starts V8 from whichever thread, without the protection of its code memory: for tests, whose harness owns `main`.
pub fn initialize_in_tests() {
    start(|| v8::new_unprotected_default_platform(1, false));
}

fn start(platform: impl FnOnce() -> v8::UniqueRef<v8::Platform>) {
    STARTED.call_once(|| {
        v8::V8::set_flags_from_string(FLAGS);
        quarantine::install();
        v8::V8::initialize_platform(platform().make_shared());
        v8::V8::initialize();
    });
}

/// Whether V8 has been started.
pub(crate) fn is_started() -> bool {
    STARTED.is_completed()
}

/// Runs what V8 has left for the isolate's own thread, so that it does not pile up.
pub(crate) fn run_waiting_tasks(isolate: &v8::Isolate) {
    let platform = v8::V8::get_current_platform();
    while v8::Platform::pump_message_loop(&platform, isolate, false) {}
}
