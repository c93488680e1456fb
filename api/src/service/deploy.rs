//! Saves a script as a new version of a workflow, with what it may call.

use serde::Serialize;
use windlass_core::{Action, Capability, Grant, Manifest, ScriptId, WorkflowId, WorkflowStatus};
use windlass_store::{Bump, EventCounts, SaveScript, StoreError, WorkflowOverview};

use super::check::ValidScript;
use super::error::{Result, ServiceError};
use super::handle::Service;

/// A script to deploy.
#[derive(Debug)]
pub struct Deployment {
    /// The workflow's name; the first script of a name makes the workflow.
    pub name: String,
    /// The script.
    pub script: ValidScript,
    /// Whether it is a new version or a repair.
    pub bump: Bump,
    /// What is new in it.
    pub comment: String,
    /// What it may call.
    pub grant: Grant,
    /// Whether it runs from now on.
    pub activation: Activation,
}

/// Whether a deployed version runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The version that runs stays the same.
    Later,
    /// The deployed version runs from now on.
    Now,
}

/// What a deployment did.
#[derive(Debug, Serialize)]
pub struct DeployReport {
    /// The workflow.
    pub workflow: DeployedWorkflow,
    /// The version.
    pub script: DeployedScript,
    /// Topics with events that no consumer of this version takes, if it is the one that runs.
    pub unread: Vec<UnreadTopic>,
    /// How many events are parked, if this version runs.
    pub parked: u32,
}

/// A topic with events that no consumer takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadTopic {
    /// Its name.
    pub topic: String,
    /// How many events wait in it.
    pub pending: u32,
}

/// A workflow after a deployment.
#[derive(Debug, Serialize)]
pub struct DeployedWorkflow {
    /// Its id.
    pub id: WorkflowId,
    /// Its name.
    pub name: String,
    /// What a person ordered of it.
    pub status: WorkflowStatus,
}

/// A deployed version.
#[derive(Debug, Serialize)]
pub struct DeployedScript {
    /// Its id.
    pub id: ScriptId,
    /// `major.minor`.
    pub version: String,
    /// The digest of its text.
    pub digest: String,
    /// Whether the workflow did not have this text already.
    pub is_new: bool,
    /// Whether it is the version that runs.
    pub is_active: bool,
    /// What it may call.
    pub grant: Grant,
    /// What it calls and is not allowed to.
    pub refused: Grant,
}

impl Service {
    /// Deploys a script.
    ///
    /// # Errors
    /// [`ServiceError::BadName`], and those of the store.
    pub async fn deploy(&self, deployment: Deployment) -> Result<DeployReport> {
        let Deployment { name, script, bump, comment, grant, activation } = deployment;
        check_workflow_name(&name)?;
        if activation == Activation::Now {
            self.require_activatable(&name).await?;
        }
        let refused = not_granted(&grant, &script.tools);
        let manifest = script.manifest.clone();
        let params = SaveScript {
            workspace: self.workspace,
            name: name.clone(),
            file_name: script.file_name,
            source: script.source,
            manifest: script.manifest,
            grant,
            comment,
            bump,
            actor: self.actor.clone(),
        };
        let saved = self.store.save_script(params).await?;
        let mut workflow = self.store.find_workflow(self.workspace, &name).await?;
        if activation == Activation::Now {
            workflow = self.activate_script(workflow.id, saved.script.id).await?;
        }
        let script = DeployedScript {
            id: saved.script.id,
            version: saved.script.version(),
            digest: saved.script.digest,
            is_new: saved.is_new,
            is_active: workflow.active_script_id == Some(saved.script.id),
            grant: saved.script.grant,
            refused,
        };
        let (id, name, status) = (workflow.id, workflow.name, workflow.status);
        let (unread, parked) = if script.is_active {
            let overview = self.store.overview(self.workspace, id).await?;
            (
                unread_topics(&overview, &manifest),
                overview.events.values().map(|it| it.parked).sum(),
            )
        } else {
            (Vec::new(), 0)
        };
        let workflow = DeployedWorkflow { id, name, status };
        Ok(DeployReport { workflow, script, unread, parked })
    }

    /// Refuses a workflow that cannot be activated, before a version of it is saved.
    async fn require_activatable(&self, name: &str) -> Result<()> {
        match self.store.find_workflow(self.workspace, name).await {
            Ok(workflow) => {
                workflow.status.after(Action::Activate, true).map_err(StoreError::from)?;
                Ok(())
            }
            Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the active version of a workflow may call, or else the newest; none where there is no version yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn current_grant(&self, name: &str) -> Result<Option<Grant>> {
        let workflow = match self.store.find_workflow(self.workspace, name).await {
            Ok(workflow) => workflow,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let versions = self.scripts_of(&workflow).await?;
        let active = versions.iter().find(|version| Some(version.id) == workflow.active_script_id);
        Ok(active.or(versions.first()).map(|version| version.grant.clone()))
    }
}

/// The topics with pending events to which no consumer subscribes: nothing happens with them.
pub(crate) fn unread_topics(overview: &WorkflowOverview, manifest: &Manifest) -> Vec<UnreadTopic> {
    let is_read = |topic: &str| {
        manifest.consumers.values().any(|consumer| consumer.subscribe.contains(topic))
    };
    let pending = |(topic, counts): (&String, &EventCounts)| {
        let (topic, pending) = (topic.clone(), counts.pending);
        (pending > 0 && !is_read(&topic)).then_some(UnreadTopic { topic, pending })
    };
    overview.events.iter().filter_map(pending).collect()
}

/// Checks that a workflow can have this name: it has to be distinguishable from an id, a version and an option.
///
/// # Errors
/// [`ServiceError::BadName`] where it cannot.
pub fn check_workflow_name(name: &str) -> Result<()> {
    let is_good = !name.trim().is_empty()
        && !name.starts_with("wf_")
        && !name.contains('@')
        && !name.chars().any(char::is_control)
        && name.chars().count() <= 200;
    if is_good { Ok(()) } else { Err(ServiceError::BadName { name: name.to_owned() }) }
}

/// What a deployment would let a script call, and what of it a person has to confirm.
#[derive(Debug, PartialEq, Eq)]
pub struct GrantProposal {
    /// What the script is seen to call, each tool as narrowly as the version before it had it.
    pub grant: Grant,
    /// What a person has to confirm.
    pub confirmation: Confirmation,
}

/// What a person has to confirm of a grant.
#[derive(Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// Nothing: it lets the script call nothing new.
    Nothing,
    /// All that a first version calls.
    FirstVersion(Grant),
    /// What the version before it was not allowed.
    Wider(Grant),
}

impl GrantProposal {
    /// Proposes what a version may call, from what it is `called` and what the version before it was allowed.
    #[must_use]
    pub fn new(called: &Grant, earlier: Option<&Grant>) -> Self {
        let grant = inherit(called, earlier);
        let confirmation = match earlier {
            None if grant.is_empty() => Confirmation::Nothing,
            None => Confirmation::FirstVersion(grant.clone()),
            Some(earlier) => match earlier.not_covered(&grant) {
                beyond if beyond.is_empty() => Confirmation::Nothing,
                beyond => Confirmation::Wider(beyond),
            },
        };
        Self { grant, confirmation }
    }

    /// The grant, where no person can be asked.
    ///
    /// # Errors
    /// [`ServiceError::GrantNotConfirmed`] where a person has to confirm it.
    pub fn without_person(self) -> Result<Grant> {
        let grant = self.grant;
        match self.confirmation {
            Confirmation::Nothing => Ok(grant),
            Confirmation::FirstVersion(new) | Confirmation::Wider(new) => {
                Err(ServiceError::GrantNotConfirmed { new, grant })
            }
        }
    }
}

/// What the script calls and is not granted.
fn not_granted(grant: &Grant, called: &Grant) -> Grant {
    let has_tool = |wanted: &&Capability| grant.iter().any(|it| it.is_same_tool(wanted));
    called.iter().filter(|wanted| !has_tool(wanted)).cloned().collect()
}

/// Each tool as narrowly as the version before it had it.
fn inherit(called: &Grant, earlier: Option<&Grant>) -> Grant {
    let mut grant = Vec::new();
    for wanted in called.iter() {
        let same_tool = |it: &&Capability| it.is_same_tool(wanted);
        let known: Vec<_> = earlier.into_iter().flat_map(Grant::iter).filter(same_tool).collect();
        if known.is_empty() {
            grant.push(wanted.clone());
        }
        grant.extend(known.into_iter().cloned());
    }
    grant.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(texts: &[&str]) -> Grant {
        texts.iter().map(|text| text.parse::<Capability>().unwrap()).collect()
    }

    #[test]
    fn a_new_version_keeps_what_the_old_one_was_narrowed_to() {
        let earlier = grant(&["Http.post:a.example.com", "Http.post:b.example.com", "Files.read"]);

        let proposal = GrantProposal::new(&grant(&["Http.post", "Files.append"]), Some(&earlier));

        assert_eq!(
            proposal.grant,
            grant(&["Http.post:a.example.com", "Http.post:b.example.com", "Files.append"])
        );
        assert_eq!(proposal.confirmation, Confirmation::Wider(grant(&["Files.append"])));
    }

    #[test]
    fn without_a_person_only_what_needs_no_confirmation_is_granted() {
        let refused = |proposal: GrantProposal| match proposal.without_person() {
            Err(ServiceError::GrantNotConfirmed { new, .. }) => new,
            other => panic!("{other:?}"),
        };
        let (append, both) = (grant(&["Files.append"]), grant(&["Files.append", "Files.read"]));

        assert_eq!(refused(GrantProposal::new(&append, None)), append);
        assert_eq!(refused(GrantProposal::new(&both, Some(&append))), grant(&["Files.read"]));
        assert_eq!(GrantProposal::new(&append, Some(&both)).without_person().unwrap(), append);
        assert_eq!(GrantProposal::new(&grant(&[]), None).without_person().unwrap(), grant(&[]));
    }

    #[test]
    fn what_is_called_and_not_granted_is_named() {
        let called = grant(&["Http.post", "Files.append"]);

        assert_eq!(
            not_granted(&grant(&["Http.post:a.example.com"]), &called),
            grant(&["Files.append"])
        );
    }
}
