//! Errors of the store as failures of a run.

use windlass_core::{Failure, FailureClass, error_chain};
use windlass_store::StoreError;

/// The failure of a run for which `what` was not possible. A store that does not answer is the network's fault, any other error is
/// ours.
pub(crate) fn store_failure(what: &str, error: &StoreError) -> Failure {
    let class = if error.is_transient() { FailureClass::Network } else { FailureClass::Internal };
    Failure::new(class, format!("{what}: {}", error_chain(error)))
}
