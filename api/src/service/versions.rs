//! The versions of a workflow's script, and how two of them differ: in their text and in what they may call.

use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use windlass_core::{Grant, ScriptId, Timestamp};
use windlass_store::ScriptVersion;

use super::control::choose_version;
use super::error::{Result, ServiceError};
use super::handle::Service;

/// A version in a list.
#[derive(Debug, Serialize)]
pub struct VersionRow {
    /// Its id.
    pub id: ScriptId,
    /// `major.minor`.
    pub version: String,
    /// Whether it is the version that runs.
    pub is_active: bool,
    /// The name of the file it came from.
    pub file_name: String,
    /// The author's comment.
    pub comment: String,
    /// When it was saved.
    pub created_at: Timestamp,
    /// What it may call.
    pub grant: Grant,
    /// How it differs from the version before it; none for the first.
    pub change: Option<VersionChange>,
}

/// How much a version differs from another one.
#[derive(Debug, Serialize)]
pub struct VersionChange {
    /// How many lines it has that the other has not.
    pub lines_added: usize,
    /// How many lines the other has that it has not.
    pub lines_removed: usize,
    /// What it may call and the other may not.
    pub newly_allowed: Grant,
    /// What the other may call and it may not.
    pub no_longer_allowed: Grant,
}

/// How one version differs from another.
#[derive(Debug, Serialize)]
pub struct VersionDifference {
    /// The workflow's name.
    pub workflow: String,
    /// The one version, `major.minor`.
    pub from: String,
    /// The other.
    pub to: String,
    /// How much they differ.
    #[serde(flatten)]
    pub change: VersionChange,
    /// The changed lines with three lines around them, as `diff -u` writes them.
    pub diff: String,
}

impl Service {
    /// The versions of a workflow, given by name or id, the newest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn versions(&self, workflow: &str) -> Result<Vec<VersionRow>> {
        let workflow = self.store.find_workflow(self.workspace, workflow).await?;
        let versions = self.scripts_of(&workflow).await?;
        let before = versions.iter().skip(1).map(Some).chain(std::iter::once(None));
        let row = |(version, before): (&ScriptVersion, Option<&ScriptVersion>)| VersionRow {
            id: version.id,
            version: version.version(),
            is_active: workflow.active_script_id == Some(version.id),
            file_name: version.file_name.clone(),
            comment: version.comment.clone(),
            created_at: version.created_at,
            grant: version.grant.clone(),
            change: before.map(|before| VersionChange::between(before, version)),
        };
        Ok(versions.iter().zip(before).map(row).collect())
    }

    /// How two versions of a workflow differ. Without `to` it is the newest version, and without `from` the one before `to`.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchVersion`], [`ServiceError::NoScript`], and those of the store.
    pub async fn version_difference(
        &self,
        workflow: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<VersionDifference> {
        let workflow = self.store.find_workflow(self.workspace, workflow).await?;
        let versions = self.scripts_of(&workflow).await?;
        let to = choose_version(&workflow, &versions, to)?;
        let from = match from {
            Some(from) => choose_version(&workflow, &versions, Some(from))?,
            None => versions.iter().skip_while(|it| it.id != to.id).nth(1).ok_or_else(|| {
                ServiceError::NoVersionBefore {
                    workflow: workflow.name.clone(),
                    version: to.version(),
                }
            })?,
        };
        let (one, other) = (from.version(), to.version());
        let diff = TextDiff::from_lines(&from.source, &to.source);
        Ok(VersionDifference {
            diff: diff.unified_diff().header(&one, &other).to_string(),
            workflow: workflow.name,
            change: VersionChange::between(from, to),
            from: one,
            to: other,
        })
    }
}

impl VersionChange {
    fn between(from: &ScriptVersion, to: &ScriptVersion) -> Self {
        let diff = TextDiff::from_lines(&from.source, &to.source);
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        Self {
            lines_added: count(ChangeTag::Insert),
            lines_removed: count(ChangeTag::Delete),
            newly_allowed: from.grant.not_covered(&to.grant),
            no_longer_allowed: to.grant.not_covered(&from.grant),
        }
    }
}
