//! What a person should know about a connector.

use std::sync::Arc;

use serde::Serialize;
use windlass_core::Timestamp;
use windlass_scheduler::Effect;

use super::binding::{self, EffectSource, ToolBinding};
use super::definition::{Hints, ToolChange, changes};
use super::server::Server;
use super::snapshot::Snapshot;

/// A server and its tools.
#[derive(Debug, Serialize)]
pub struct ConnectorReport {
    /// Its name in the configuration.
    pub name: String,
    /// Its namespace in scripts.
    pub namespace: String,
    /// Its command line or URL, without secrets.
    #[serde(rename = "place")]
    pub address: String,
    /// How its current tools compare with the accepted ones.
    #[serde(rename = "condition")]
    pub state: ConnectorState,
    /// Why it could not be asked, or what is wrong in its configuration.
    pub problem: Option<String>,
    /// When its tools were accepted.
    pub accepted_at: Option<Timestamp>,
    /// Who accepted them.
    pub accepted_by: Option<String>,
    /// The differences between its current tools and the accepted ones.
    pub changes: Vec<ToolChange>,
    /// The accepted tools.
    pub tools: Vec<ToolReport>,
}

/// How the current tools of a server compare with the accepted ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorState {
    /// None were accepted for this endpoint, so the current ones were accepted just now.
    New,
    /// They are the same.
    AsAccepted,
    /// They differ: a person should look.
    Changed,
    /// The server could not be asked.
    Unreachable,
}

/// A tool of a server.
#[derive(Debug, Serialize)]
pub struct ToolReport {
    /// The server's name for it.
    pub tool: String,
    /// Its method in scripts.
    pub method: String,
    /// `read` or `mutation`.
    pub effect: &'static str,
    /// Who says so.
    #[serde(rename = "why")]
    pub effect_source: EffectSource,
    /// What the server claims about it.
    #[serde(flatten)]
    pub hints: Hints,
    /// The tool that looks its effects up.
    pub reconciled_by: Option<String>,
    /// Why scripts cannot call it.
    pub problem: Option<String>,
}

impl ConnectorReport {
    /// The report on a server that could not be asked and has no accepted tools.
    pub(super) fn unreachable(server: &Server, problem: String) -> Self {
        Self { problem: Some(problem), ..Self::without_tools(server) }
    }

    /// Asks the server for its current tools and compares them with the accepted ones.
    pub(super) async fn compare(server: &Arc<Server>, accepted: Snapshot, is_new: bool) -> Self {
        let definitions = accepted.definitions();
        let mut report = Self {
            accepted_at: Some(accepted.accepted_at),
            accepted_by: Some(accepted.accepted_by),
            ..Self::without_tools(server)
        };
        match binding::bind_all(server, &definitions) {
            Ok(bindings) => report.tools = bindings.iter().map(ToolReport::from).collect(),
            Err(error) => report.problem = Some(error.to_string()),
        }
        match server.tools().await {
            Ok(current) => {
                report.problem = report.problem.or_else(|| server.list_problem());
                report.changes = changes(&definitions, &current);
                report.state = match report.changes.is_empty() {
                    true if is_new => ConnectorState::New,
                    true => ConnectorState::AsAccepted,
                    false => ConnectorState::Changed,
                };
            }
            Err(failure) => report.problem = Some(failure.message),
        }
        report
    }

    fn without_tools(server: &Server) -> Self {
        Self {
            name: server.name.to_string(),
            namespace: server.config.namespace(&server.name),
            address: server.address(),
            state: ConnectorState::Unreachable,
            problem: None,
            accepted_at: None,
            accepted_by: None,
            changes: Vec::new(),
            tools: Vec::new(),
        }
    }
}

impl From<&ToolBinding> for ToolReport {
    fn from(binding: &ToolBinding) -> Self {
        Self {
            tool: binding.definition.name.clone(),
            method: binding.method.clone(),
            effect: match binding.effect {
                Effect::Read => "read",
                Effect::Mutation => "mutation",
            },
            effect_source: binding.effect_source,
            hints: binding.definition.hints,
            reconciled_by: binding.reader.clone(),
            problem: binding.problem().map(str::to_owned),
        }
    }
}
