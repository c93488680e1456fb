//! What people decide for a workspace.

use serde::{Deserialize, Serialize};
use windlass_core::Grant;

/// What people decide for a workspace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WorkspaceSettings {
    /// The tools that plans of agents may call without being asked about.
    pub(crate) plan_grant: Grant,
    /// Settings that a newer program knows.
    #[serde(flatten)]
    pub(crate) others: serde_json::Map<String, serde_json::Value>,
}
