//! Takes variables out of the environment of this process.

#![expect(unsafe_code, reason = "the environment belongs to the C library")]

use std::ffi::CString;

/// What Windlass itself reads from the environment later, and what its connectors inherit.
const NEEDED: [&str; 3] = ["PATH", "HOME", "USER"];

/// Overwrites a variable's value and removes it, so that no other program finds it in the environment of this process. A variable that
/// Windlass needs for something else stays.
///
/// To be called before any other thread exists.
pub(crate) fn forget_variable(name: &str) {
    let is_needed = NEEDED.contains(&name)
        || ["PG", "XDG_", "WINDLASS_"].iter().any(|prefix| name.starts_with(prefix));
    let Ok(c_name) = CString::new(name) else { return };
    if is_needed {
        return;
    }
    // SAFETY: there is no other thread that could change the environment meanwhile.
    let value = unsafe { libc::getenv(c_name.as_ptr()) };
    if value.is_null() {
        return;
    }
    // SAFETY: a variable's value is a string that ends with NUL.
    let length = unsafe { libc::strlen(value) };
    // SAFETY: these bytes are the value in the memory of this process, and nobody else uses them.
    unsafe { value.write_bytes(b'x', length) };
    // SAFETY: there is no other thread that could read or change the environment meanwhile.
    unsafe { std::env::remove_var(name) };
}
