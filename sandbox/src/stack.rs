//! The limit of a script's stack.
#![expect(unsafe_code, reason = "V8 takes the limit as an address")]

/// How much stack V8's own code, which ignores the limit, may need in addition to a script's stack.
pub(crate) const RESERVE_BYTES: usize = 2 << 20;

/// Limits the stack of scripts to `bytes` below the caller. The isolate has to be used on the calling thread, and from
/// frames that are not much further up; the thread needs a stack of at least `bytes` plus [`RESERVE_BYTES`].
pub(crate) fn limit(params: v8::CreateParams, bytes: usize) -> v8::CreateParams {
    let here = 0_u32;
    let address = (&raw const here).addr().saturating_sub(bytes);
    // SAFETY: V8 only compares the address with the stack pointer. It lies within this thread's stack, which the
    // caller has made large enough.
    unsafe { params.set_stack_limit(std::ptr::without_provenance_mut(address)) }
}
