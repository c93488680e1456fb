//! What a thread of the pool is given to do.

use std::sync::Arc;

use serde_json::Value;
use tokio::runtime::Handle;

use crate::active_call::World;
use crate::api::Script;
use crate::call_control::CallControl;
use crate::log::CallLog;

/// What to do with a script.
pub(crate) enum Work {
    /// Call this handler.
    Handle { world: World, handler: String, arguments: Vec<Value> },
    /// Evaluate the file and describe `workflow`.
    Describe,
}

/// One call, for a thread.
pub(crate) struct Job {
    /// The script. What runs is its source without types.
    pub(crate) script: Script,
    /// The text as it was written.
    pub(crate) written: Arc<str>,
    pub(crate) work: Work,
    /// The runtime in which the host's later replies run.
    pub(crate) tokio: Handle,
    pub(crate) control: Arc<CallControl>,
    /// Whether no script may have run in its isolate before.
    pub(crate) in_fresh_isolate: bool,
    pub(crate) log: CallLog,
}
