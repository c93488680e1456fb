//! SIGTRAP, the signal by which V8 ends the process.
#![expect(unsafe_code, reason = "signal handlers are C")]

/// Calls `handler` in a thread in which V8 raises the trap. If the handler returns, the trap has its default effect.
#[cfg(unix)]
pub(crate) fn install(handler: fn()) {
    if HANDLER.set(handler).is_err() {
        return;
    }
    let on_trap: extern "C" fn(libc::c_int) = on_trap;
    // SAFETY: the handler does not return to code that has failed: either it never returns, or it has put the default back.
    unsafe { libc::signal(libc::SIGTRAP, on_trap as libc::sighandler_t) };
}

#[cfg(not(unix))]
pub(crate) fn install(_handler: fn()) {}

#[cfg(unix)]
static HANDLER: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();

/// V8 executes the trap as an instruction, outside any lock or allocation. So this is an ordinary call in its thread, and may do
/// what a signal handler otherwise may not.
#[cfg(unix)]
extern "C" fn on_trap(signal: libc::c_int) {
    if let Some(handler) = HANDLER.get() {
        handler();
    }
    // SAFETY: both functions are safe to call from a signal handler; the second ends the process.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // SAFETY: as above.
    unsafe { libc::raise(signal) };
}
