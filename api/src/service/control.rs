//! What a person orders of a workflow: which version runs, whether it runs, where and how urgently.

use serde::Serialize;
use windlass_core::{Action, LimitKey, RunLimit, ScriptId, WorkflowId};
use windlass_store::{
    ActivateScript, ControlWorkflow, Limit, RouteWorkflow, ScriptVersion, SetLimit, StoreError,
    Workflow,
};

use super::error::{Result, ServiceError};
use super::handle::Service;
use super::journal::{JournalError, is_recorded};
use crate::text::nearest;

/// A workflow after it was controlled, and the version that runs.
#[derive(Debug, Serialize)]
pub struct ControlledWorkflow {
    /// The workflow.
    #[serde(flatten)]
    pub workflow: Workflow,
    /// Its active version, `major.minor`.
    pub version: Option<String>,
}

/// Which workers may take a workflow's runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelChange {
    /// The same as before.
    Keep,
    /// Any worker.
    AnyWorker,
    /// Only workers with this label.
    Only(String),
}

impl Service {
    /// Makes a version of a workflow the one that runs; without `version` the newest.
    ///
    /// # Errors
    /// [`ServiceError::NoSuchVersion`], [`ServiceError::NoScript`], and those of the store.
    pub async fn activate(
        &self,
        name_or_id: &str,
        version: Option<&str>,
    ) -> Result<ControlledWorkflow> {
        let workflow = self.store.find_workflow(self.workspace, name_or_id).await?;
        let scripts = self.scripts_of(&workflow).await?;
        let script = choose_version(&workflow, &scripts, version)?;
        let workflow = self.activate_script(workflow.id, script.id).await?;
        Ok(ControlledWorkflow { workflow, version: Some(script.version()) })
    }

    /// The versions of a workflow's script, newest first.
    pub(super) async fn scripts_of(&self, workflow: &Workflow) -> Result<Vec<ScriptVersion>> {
        if workflow.kind.is_graph() {
            let (kind, workflow) = (workflow.kind, workflow.name.clone());
            return Err(ServiceError::NotAScript { workflow, kind });
        }
        Ok(self.store.all_scripts(self.workspace, workflow.id).await?)
    }

    /// Makes a script version the one that runs.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn activate_script(
        &self,
        workflow: WorkflowId,
        script: ScriptId,
    ) -> Result<Workflow> {
        let (workspace, actor) = (self.workspace, self.actor.clone());
        let params = ActivateScript { workspace, workflow, script, actor };
        Ok(self.store.activate_script(params).await?)
    }

    /// Pauses, resumes, archives or unarchives a workflow.
    ///
    /// # Errors
    /// [`JournalError::NotControlled`], and those of the store, for example that the action does not fit the workflow's state.
    pub async fn control(&self, name_or_id: &str, action: Action) -> Result<ControlledWorkflow> {
        let found = match self.store.find_workflow(self.workspace, name_or_id).await {
            Err(StoreError::NotFound { .. }) if is_recorded(name_or_id) => {
                return Err(JournalError::NotControlled { id: name_or_id.to_owned() }.into());
            }
            found => found?,
        };
        let params = ControlWorkflow {
            workspace: self.workspace,
            workflow: found.id,
            action,
            actor: self.actor.clone(),
        };
        let workflow = self.store.control_workflow(params).await?;
        let script = workflow.active_script_id.filter(|_script| !workflow.kind.is_graph());
        let version = match script {
            Some(script) => Some(self.store.script(self.workspace, script).await?.version()),
            None => None,
        };
        Ok(ControlledWorkflow { workflow, version })
    }

    /// Says which workers may take a workflow's runs, and how urgent those are; without `priority` as before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn route(
        &self,
        name_or_id: &str,
        label: LabelChange,
        priority: Option<i32>,
    ) -> Result<Workflow> {
        let workflow = self.store.find_workflow(self.workspace, name_or_id).await?;
        let params = RouteWorkflow {
            workspace: self.workspace,
            workflow: workflow.id,
            label: match label {
                LabelChange::Keep => workflow.label,
                LabelChange::AnyWorker => None,
                LabelChange::Only(label) => Some(label),
            },
            priority: priority.unwrap_or(workflow.priority),
            actor: self.actor.clone(),
        };
        Ok(self.store.route_workflow(params).await?)
    }

    /// Sets the limit of a key, or removes it. A limit is set only for a workflow that exists.
    ///
    /// # Errors
    /// [`ServiceError::UnknownWorkflow`], and those of the store.
    pub async fn set_limit(&self, key: LimitKey, limit: Option<RunLimit>) -> Result<()> {
        if let (LimitKey::Workflow(name), Some(_)) = (&key, limit) {
            self.require_workflow(name).await?;
        }
        let (workspace, actor) = (self.workspace, self.actor.clone());
        Ok(self.store.set_limit(SetLimit { workspace, key, limit, actor }).await?)
    }

    async fn require_workflow(&self, name: &str) -> Result<()> {
        let all = self.store.all_workflows(self.workspace).await?;
        if all.iter().any(|workflow| workflow.name == *name) {
            return Ok(());
        }
        let known = all.iter().map(|workflow| workflow.name.as_str());
        let nearest = nearest(name, known).map(str::to_owned);
        Err(ServiceError::UnknownWorkflow { name: name.to_owned(), nearest })
    }

    /// The limits of the workspace with how much of them is used; with `key` only that one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn limits(&self, key: Option<&LimitKey>) -> Result<Vec<Limit>> {
        let mut limits = self.store.limits(self.workspace).await?;
        if let Some(key) = key {
            limits.retain(|limit| limit.key == key.to_string());
        }
        Ok(limits)
    }
}

/// The version with that number; without one the newest.
pub(super) fn choose_version<'a>(
    workflow: &Workflow,
    scripts: &'a [ScriptVersion],
    version: Option<&str>,
) -> Result<&'a ScriptVersion> {
    let name = || workflow.name.clone();
    let Some(version) = version else {
        return scripts.first().ok_or_else(|| ServiceError::NoScript { workflow: name() });
    };
    scripts.iter().find(|script| script.version() == version).ok_or_else(|| {
        ServiceError::NoSuchVersion {
            workflow: name(),
            version: version.to_owned(),
            known: scripts.iter().map(ScriptVersion::version).collect(),
        }
    })
}
