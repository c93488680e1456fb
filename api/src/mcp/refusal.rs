//! Words why a call cannot be done, for an agent: what is wrong, and what to do.

use windlass_core::error_chain;
use windlass_store::StoreError;

use crate::service::ServiceError;

/// Why a call was not done. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What is wrong and what to do.
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// One refusal for everything that is wrong.
    pub(super) fn listing(what: &str, problems: impl IntoIterator<Item = String>) -> Self {
        let lines = problems.into_iter().map(|problem| format!("\n- {problem}"));
        Self { text: format!("{what}:{}", lines.collect::<String>()) }
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::new(error_chain(&error))
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::new(error_chain(&error))
    }
}
