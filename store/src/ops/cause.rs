//! Why a run stops.

use windlass_core::{Failure, FailureClass, ScriptPosition};

use crate::rows::storable;

/// Why a run stops.
pub(super) struct Cause {
    pub(super) message: String,
    pub(super) class: Option<FailureClass>,
    pub(super) at: Option<ScriptPosition>,
}

impl From<&Failure> for Cause {
    fn from(failure: &Failure) -> Self {
        Self {
            message: storable(failure.message.clone()),
            class: Some(failure.class),
            at: failure.at.as_deref().cloned(),
        }
    }
}
