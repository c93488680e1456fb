//! Errors of the store as failures of a run.

use windlass_core::{Failure, FailureClass, error_chain};
use windlass_store::StoreError;

/// The failure to which an error of the store leads while it was doing `what`, for example `could not read the events`.
///
/// A store that does not answer is a network failure, any other error is an internal one.
#[must_use]
pub fn store_failure(what: &str, error: &StoreError) -> Failure {
    let class = if error.is_transient() { FailureClass::Network } else { FailureClass::Internal };
    Failure::new(class, format!("{what}: {}", error_chain(error)))
}
