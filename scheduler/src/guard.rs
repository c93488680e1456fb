//! Panics of tools, and of our own code around them, as failures: a panic costs its run and nothing else.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use windlass_core::Failure;

/// Waits for `work`; its panic is a failure that says `who` panicked.
pub(crate) async fn guarded<T>(who: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|panic| Failure::internal(format!("{who} panicked: {}", text_of(panic.as_ref()))))
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it did not say why")
}
