//! Halts a thread whose script was given up, and which V8 does not return control to: the compiler of regular expressions, for example,
//! cannot be interrupted, and would go on using memory.
//!
//! The thread gets a signal and then waits for ever in its handler. That is safe only where it holds no lock that others need. So it is
//! halted only in V8's own code: not in the C library, whose allocator has locks, and not in calls of the embedder.
#![expect(unsafe_code, reason = "signal handlers are C")]

use std::cell::Cell;
use std::ptr::null;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the thread of a call is to be halted.
#[derive(Debug, Default)]
pub(crate) struct HaltState(AtomicU8);

const RUNS: u8 = 0;
const IS_TO_HALT: u8 = 1;
const IS_HALTED: u8 = 2;

impl HaltState {
    /// From now on the thread is halted by the next signal at which that is safe.
    pub(crate) fn request(&self) {
        let _ = self.0.compare_exchange(RUNS, IS_TO_HALT, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the thread was halted.
    pub(crate) fn is_halted(&self) -> bool {
        self.0.load(Ordering::Relaxed) == IS_HALTED
    }
}

thread_local! {
    /// The state of the call that this thread runs. Null where the thread must not be halted.
    static STATE: Cell<*const HaltState> = const { Cell::new(null()) };
}

/// Allows that the calling thread is halted while `action` runs.
pub(crate) fn may_halt<T>(state: &HaltState, action: impl FnOnce() -> T) -> T {
    let _until_the_end = Restore(STATE.replace(state));
    action()
}

/// Forbids that while `action` runs, for example because it holds locks.
pub(crate) fn may_not_halt<T>(action: impl FnOnce() -> T) -> T {
    let _until_the_end = Restore(STATE.replace(null()));
    action()
}

/// Puts the former state back.
struct Restore(*const HaltState);

impl Drop for Restore {
    fn drop(&mut self) {
        STATE.set(self.0);
    }
}

/// Whether threads can be halted here.
pub(crate) const IS_POSSIBLE: bool =
    cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use self::linux::{install, signal};

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux {
    use std::ffi::{c_char, c_int, c_void};
    use std::sync::atomic::Ordering;

    use super::{IS_HALTED, IS_TO_HALT, STATE};

    /// A signal that does nothing by default.
    const SIGNAL: c_int = libc::SIGURG;

    unsafe extern "C" {
        /// Where the program's own code begins and ends; the linker defines both.
        static __executable_start: c_char;
        static etext: c_char;
    }

    /// Installs the handler of the process.
    pub(crate) fn install() {
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
        // SAFETY: all zeros are a valid value.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        // SAFETY: the handler only reads memory that is its own thread's, and waits.
        unsafe { libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut()) };
    }

    /// Sends the signal to a thread of this process.
    pub(crate) fn signal(thread: i32) {
        // SAFETY: it has no condition.
        let process = unsafe { libc::getpid() };
        // SAFETY: a thread that has ended is not found. One that has taken its id is not halted, because its own state says so.
        unsafe { libc::syscall(libc::SYS_tgkill, process, thread, SIGNAL) };
    }

    extern "C" fn on_signal(_: c_int, _: *mut libc::siginfo_t, context: *mut c_void) {
        let state = STATE.get();
        if state.is_null() || !is_own_code(position(context)) {
            return;
        }
        // SAFETY: `may_halt` borrows the state for as long as the pointer is set.
        let state = unsafe { &(*state).0 };
        let is_to_halt =
            state.compare_exchange(IS_TO_HALT, IS_HALTED, Ordering::Relaxed, Ordering::Relaxed);
        while is_to_halt.is_ok() {
            // SAFETY: it waits for a signal, and nothing else.
            unsafe { libc::pause() };
        }
    }

    /// Which instruction was interrupted.
    fn position(context: *mut c_void) -> usize {
        // SAFETY: the system passes this structure to a handler that was installed with `SA_SIGINFO`.
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        #[cfg(target_arch = "x86_64")]
        let position = context.uc_mcontext.gregs.get(libc::REG_RIP as usize).copied().unwrap_or(0);
        #[cfg(target_arch = "aarch64")]
        let position = context.uc_mcontext.pc;
        usize::try_from(position).unwrap_or(0)
    }

    fn is_own_code(position: usize) -> bool {
        let (start, end) = ((&raw const __executable_start).addr(), (&raw const etext).addr());
        (start..end).contains(&position)
    }
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) const fn install() {}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) const fn signal(_thread: i32) {}

#[cfg(test)]
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::priority::ThreadId;

    /// A thread that computes until `is_over`.
    fn computing(state: &Arc<HaltState>, is_over: &Arc<AtomicBool>, is_allowed: bool) -> ThreadId {
        let (state, is_over) = (Arc::clone(state), Arc::clone(is_over));
        let (tell, told) = mpsc::channel();
        let compute = move || while !is_over.load(Ordering::Relaxed) {};
        std::thread::spawn(move || {
            may_halt(&state, || {
                let begin = || tell.send(ThreadId::current()).map(|()| compute());
                if is_allowed { begin() } else { may_not_halt(begin) }
            })
        });
        told.recv().unwrap()
    }

    #[test]
    fn a_thread_is_halted_only_on_request_and_where_that_is_allowed() {
        install();
        let is_over = Arc::<AtomicBool>::default();
        let [free, busy, unasked] = [true, false, true].map(|is_allowed| {
            let state = Arc::<HaltState>::default();
            let thread = computing(&state, &is_over, is_allowed);
            (state, thread)
        });
        free.0.request();
        busy.0.request();

        while !free.0.is_halted() {
            for (_, thread) in [&free, &busy, &unasked] {
                thread.halt();
            }
            std::thread::yield_now();
        }

        assert!(!busy.0.is_halted() && !unasked.0.is_halted());
        is_over.store(true, Ordering::Relaxed);
    }
}
