//! What the tests of this crate call a tool with.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use windlass_core::{Id, MutationId, RunId, Timestamp, WorkflowId, WorkspaceId};

use crate::tool::{MutationKey, ToolCall, ToolSpec};

/// The declaration of `Fake.change`, which takes and gives anything.
pub(crate) fn spec() -> ToolSpec {
    ToolSpec {
        namespace: "Fake".to_owned(),
        method: "change".to_owned(),
        docs: String::new(),
        input: json!({}),
        output: json!({}),
        input_types: Vec::new(),
    }
}

/// A call that may take so long, by a run that is nowhere stored.
pub(crate) fn call(time_limit: Duration) -> ToolCall {
    let now = Timestamp::from_micros(0);
    ToolCall {
        input: json!({}),
        workspace: WorkspaceId::mint(now),
        workflow: WorkflowId::mint(now),
        workflow_name: "fake".to_owned(),
        run: RunId::mint(now),
        time_limit,
        grant: Arc::default(),
    }
}

/// The key of a mutation that is nowhere stored.
pub(crate) fn key() -> MutationKey {
    let id = MutationId::mint(Timestamp::from_micros(0));
    MutationKey { id, idempotency_key: String::new() }
}
