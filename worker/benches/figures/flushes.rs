//! Counts the flushes of this process: the functions here replace those of the C library that SQLite calls.

#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "the C library's functions are replaced by ones that count")
)]

use std::sync::atomic::{AtomicU64, Ordering};

static FLUSHES: AtomicU64 = AtomicU64::new(0);

/// The number of flushes so far; none where they cannot be counted.
pub(crate) fn count() -> Option<u64> {
    cfg!(target_os = "linux").then(|| FLUSHES.load(Ordering::Relaxed))
}

#[cfg(target_os = "linux")]
mod counted {
    use std::ffi::c_int;

    use super::{FLUSHES, Ordering};

    // SAFETY: its name and its signature are those of POSIX, and it does what that says.
    #[unsafe(no_mangle)]
    extern "C" fn fsync(file: c_int) -> c_int {
        flush(libc::SYS_fsync, file)
    }

    // SAFETY: as above.
    #[unsafe(no_mangle)]
    extern "C" fn fdatasync(file: c_int) -> c_int {
        flush(libc::SYS_fdatasync, file)
    }

    fn flush(call: libc::c_long, file: c_int) -> c_int {
        FLUSHES.fetch_add(1, Ordering::Relaxed);
        // SAFETY: both system calls take a file descriptor, whatever it is, and nothing else.
        let answer = unsafe { libc::syscall(call, file) };
        if answer == 0 { 0 } else { -1 }
    }
}
