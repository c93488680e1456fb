//! Starts V8, once in a process.

use std::sync::Once;

use crate::fatal_error;

/// Each isolate uses only its own thread, so that isolates cannot wait for one another. The optimising compiler is off because it
/// removes from some endless loops the check by which a script is ended.
const FLAGS: &str = "--single-threaded --no-turbofan";

static STARTED: Once = Once::new();

/// Starts V8. Call it first in a plain `main`, before any other thread exists; later calls do nothing.
///
/// V8 protects its code memory with keys that only the descendants of the calling thread hold: a script in a thread that is older
/// than this call causes a fault.
pub fn initialize() {
    start(|| v8::new_default_platform(1, false));
}

/// Starts V8 from any thread, without the protection of its code memory. It is for tests, whose harness owns `main`.
pub fn initialize_in_tests() {
    start(|| v8::new_unprotected_default_platform(1, false));
}

/// The locale of scripts, whatever that of the machine is.
const LOCALE: &str = "en-US";

/// Lets the dates of scripts be in the time zone of that IANA name, in the whole process. Call it before the first script runs.
/// `false`: V8 does not know the zone, and the machine's stays.
#[must_use = "without the zone, dates are in that of the machine"]
pub fn use_time_zone(name: &str) -> bool {
    v8::icu::set_default_time_zone(name)
}

fn start(platform: impl FnOnce() -> v8::UniqueRef<v8::Platform>) {
    STARTED.call_once(|| {
        v8::V8::set_flags_from_string(FLAGS);
        fatal_error::install();
        v8::V8::initialize_platform(platform().make_shared());
        v8::V8::initialize();
        v8::icu::set_default_locale(LOCALE);
    });
}

/// Whether V8 has been started.
pub(crate) fn is_started() -> bool {
    STARTED.is_completed()
}

/// Runs the tasks that V8 has queued for the isolate's own thread, so that they do not accumulate.
pub(crate) fn run_waiting_tasks(isolate: &v8::Isolate) {
    let platform = v8::V8::get_current_platform();
    while v8::Platform::pump_message_loop(&platform, isolate, false) {}
}
