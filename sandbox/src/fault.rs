//! How a script ends, seen from inside the sandbox.

use serde_json::Value;
use windlass_core::{Failure, ScriptPosition};

use crate::api::HostCall;

/// What ended a script by itself.
#[derive(Debug)]
pub(crate) enum End {
    /// It returned.
    Returned(Option<Value>),
    /// It asked for the mutation that ends it.
    Mutation(HostCall),
    /// It failed.
    Failed(Fault),
}

/// A failure, with the stable word under which `check` reports it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) failure: Failure,
}

/// Why a step of a script gave no value.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It was terminated; whoever terminated it has noted why.
    Terminated,
    /// It asked for the mutation that ends it.
    Mutation(Box<HostCall>),
    /// It failed.
    Failed(Box<Fault>),
}

impl Halt {
    /// Says in front of a failure's message what failed.
    pub(crate) fn context(self, what: &str) -> Self {
        self.map(|mut fault| {
            fault.failure.message = format!("{what}: {}", fault.failure.message);
            fault
        })
    }

    /// Changes the failure, if it is one.
    pub(crate) fn map(self, change: impl FnOnce(Fault) -> Fault) -> Self {
        match self {
            Self::Failed(fault) => change(*fault).into(),
            Self::Terminated | Self::Mutation(_) => self,
        }
    }
}

impl Fault {
    /// The script is wrong.
    pub(crate) fn logic(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, failure: Failure::logic(message) }
    }

    /// The sandbox is wrong.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { code: "internal", failure: Failure::internal(message) }
    }

    /// A limit is exceeded.
    pub(crate) fn limit(what: &str, setting: &str, limit: impl std::fmt::Display) -> Self {
        Self::logic("limit", format!("{what}: the limit is `limits.script.{setting}` = {limit}"))
    }

    /// Says where it happened, unless that is known already.
    pub(crate) fn at(mut self, position: Option<ScriptPosition>) -> Self {
        self.failure = self.failure.at(position);
        self
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Failed(Box::new(fault))
    }
}
