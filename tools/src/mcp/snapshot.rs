//! The accepted tools of a server, kept in a file. So they are known without starting the server.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use windlass_core::Timestamp;

use super::config::ConnectorName;
use super::definition::Definition;
use super::error::ConnectorError;
use crate::private_file;

/// The accepted tools of one server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    /// The digest of the server's endpoint. Tools are accepted for one endpoint only.
    pub(super) endpoint: String,
    pub(super) accepted_at: Timestamp,
    pub(super) accepted_by: String,
    tools: Vec<AcceptedTool>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptedTool {
    digest: String,
    definition: Definition,
}

/// Who accepted the tools, and when.
#[derive(Debug, Clone)]
pub(super) struct Acceptance {
    pub(super) by: String,
    pub(super) at: Timestamp,
}

impl Snapshot {
    pub(super) fn new(endpoint: String, acceptance: Acceptance, tools: Vec<Definition>) -> Self {
        let accept =
            |definition: Definition| AcceptedTool { digest: definition.digest(), definition };
        Self {
            endpoint,
            accepted_at: acceptance.at,
            accepted_by: acceptance.by,
            tools: tools.into_iter().map(accept).collect(),
        }
    }

    pub(super) fn definitions(&self) -> Vec<Definition> {
        self.tools.iter().map(|tool| tool.definition.clone()).collect()
    }
}

/// The file of one server's snapshot.
#[derive(Debug)]
pub(super) struct SnapshotFile {
    path: PathBuf,
}

impl SnapshotFile {
    pub(super) fn new(folder: &Path, name: &ConnectorName) -> Self {
        Self { path: folder.join(format!("{name}.json")) }
    }

    /// The accepted tools, or `None` if none were accepted yet.
    pub(super) fn load(&self) -> Result<Option<Snapshot>, ConnectorError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.error("read", source)),
        };
        let damaged =
            |what: String| self.error("read", io::Error::new(io::ErrorKind::InvalidData, what));
        let snapshot: Snapshot =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match snapshot.tools.iter().find(|tool| tool.digest != tool.definition.digest()) {
            Some(tool) => Err(damaged(format!(
                "`{}` is not what was accepted: delete the file to list the tools anew",
                tool.definition.name
            ))),
            None => Ok(Some(snapshot)),
        }
    }

    /// Replaces the file in one step: readers see the old tools or the new ones.
    pub(super) fn save(&self, snapshot: &Snapshot) -> Result<(), ConnectorError> {
        private_file::replace_json(&self.path, snapshot)
            .map_err(|source| self.error("write", source))
    }

    fn error(&self, attempt: &'static str, source: io::Error) -> ConnectorError {
        ConnectorError::Snapshot { attempt, path: self.path.clone(), source }
    }
}
