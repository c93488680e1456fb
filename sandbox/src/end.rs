//! How a script ends, as the modules of the sandbox see it.

use std::any::Any;

use serde_json::Value;
use windlass_core::{Failure, ScriptPosition, panic_message};

use crate::api::{HostCall, LogLine};

/// The result of a call. Without an end it was cancelled.
#[derive(Debug)]
pub(crate) struct CallResult {
    pub(crate) end: Option<End>,
    pub(crate) logs: Vec<LogLine>,
    /// Whether it found too little memory in an isolate that other scripts had used: in a fresh one it may find enough.
    pub(crate) is_worth_repeating: bool,
}

impl CallResult {
    /// The result of a call that was cancelled before it began.
    pub(crate) const fn cancelled() -> Self {
        Self { end: None, logs: Vec::new(), is_worth_repeating: false }
    }
}

impl From<Fault> for CallResult {
    fn from(fault: Fault) -> Self {
        let end = Some(End::Failed(fault));
        Self { end, logs: Vec::new(), is_worth_repeating: false }
    }
}

/// How a script ended that was not stopped from outside.
#[derive(Debug)]
pub(crate) enum End {
    /// It returned.
    Returned(Option<Value>),
    /// It asked for the mutation that ends it.
    Mutation(HostCall),
    /// It failed.
    Failed(Fault),
}

/// A failure, with the stable code under which `check` reports it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) code: &'static str,
    pub(crate) failure: Failure,
}

/// Why a step of a script returned no value.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It was terminated. The code that terminated it has recorded why.
    Terminated,
    /// It asked for the mutation that ends it.
    Mutation(Box<HostCall>),
    /// It failed.
    Failed(Box<Fault>),
}

impl Halt {
    /// Puts what failed in front of a failure's message.
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

    /// Adds where it happened, unless that is already known.
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

/// The failure of a host whose code panicked.
pub(crate) fn host_panic(panic: &(dyn Any + Send)) -> Failure {
    Failure::internal(format!("the host panicked: {}", panic_message(panic)))
}
