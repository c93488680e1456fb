//! Panics as failures: a panic in a tool, or in our own code around it, ends its run and nothing else.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use windlass_core::{Failure, panic_message};

/// Runs `work`. A panic becomes a failure that says that `who` panicked.
pub(crate) async fn guarded<T>(who: &str, work: impl Future<Output = T>) -> Result<T, Failure> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| {
        Failure::internal(format!("{who} panicked: {}", panic_message(panic.as_ref())))
    })
}
