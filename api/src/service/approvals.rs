//! What people are asked in plans, and their answers.

use serde::Serialize;
use serde_json::Value;
use windlass_core::graph::NodeStatus;
use windlass_core::{
    ApprovalAnswer, ApprovalId, ApprovalKind, ApprovalStatus, ChatMessage, SessionId, Timestamp,
    from_messages, from_text,
};
use windlass_store::{
    AnyId, Approval, ApprovalFilter, GraphIncludes, Page, SettleApproval, SettledApproval,
    StoreError,
};

use super::error::{Result, ServiceError};
use super::handle::Service;
use super::plans::{PlanAction, PlanAnswer, PlanIncludes, PlanView};

/// How many approvals are read at a time.
const AT_ONCE: u32 = 500;

/// Something that a person is asked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalView {
    /// Its id.
    pub id: ApprovalId,
    /// The run.
    pub run_id: SessionId,
    /// The workstream.
    pub workstream: String,
    /// The node that asks; none where the run itself asks.
    pub node_id: Option<String>,
    /// What is asked for.
    pub kind: ApprovalKind,
    /// What became of it.
    pub status: ApprovalStatus,
    /// Who is asked. Another person may answer for them.
    pub owner: Option<String>,
    /// The question.
    pub prompt: String,
    /// Exactly what is shown.
    pub presented: Value,
    /// The digest of that. An answer is bound to it.
    pub presented_digest: String,
    /// Who asked.
    pub requested_by: String,
    /// When.
    pub requested_at: Timestamp,
    /// The answer.
    pub response: Option<Value>,
    /// What has to be done otherwise.
    pub required_edits: Vec<String>,
    /// What the person said about it.
    pub comments: Option<String>,
    /// Who answered.
    pub responded_by: Option<String>,
    /// The message that the answer came in.
    pub approval_message_id: Option<String>,
    /// When it was settled.
    pub responded_at: Option<Timestamp>,
}

impl From<Approval> for ApprovalView {
    fn from(approval: Approval) -> Self {
        Self {
            id: approval.id,
            run_id: approval.session_id,
            workstream: approval.workflow,
            node_id: approval.node_id,
            kind: approval.kind,
            status: approval.status,
            owner: approval.owner,
            prompt: approval.prompt,
            presented: approval.presented,
            presented_digest: approval.presented_digest,
            requested_by: approval.requested_by,
            requested_at: approval.requested_at,
            response: approval.response,
            required_edits: approval.required_edits,
            comments: approval.comments,
            responded_by: approval.responded_by,
            approval_message_id: approval.message_id,
            responded_at: approval.settled_at,
        }
    }
}

impl Service {
    /// What people were asked, the oldest first; without `all` only what nobody has answered.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn approvals(&self, all: bool) -> Result<Vec<ApprovalView>> {
        let filter =
            ApprovalFilter { workspace: self.workspace, session: None, only_pending: !all };
        let mut found = Vec::new();
        let mut page = Page::first(AT_ONCE);
        loop {
            let listed = self.store.approvals(filter, page).await?;
            found.extend(listed.items.into_iter().map(ApprovalView::from));
            match listed.next {
                Some(next) => page = Page { after: Some(next), ..page },
                None => return Ok(found),
            }
        }
    }

    /// What was asked under this id, or a beginning or an end of it that no other has.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn approval(&self, id: &str) -> Result<ApprovalView> {
        if let AnyId::Approval(id) = self.store.resolve_id(self.workspace, id).await? {
            Ok(self.store.approval(self.workspace, id).await?.into())
        } else {
            Err(StoreError::not_found("approval", id).into())
        }
    }

    /// A person answers what was asked under this id, as it was shown. A later answer changes nothing.
    ///
    /// # Errors
    /// Those of the store: an agent answers, somebody else is asked, or the answer is none.
    pub async fn answer_approval(&self, id: &str, answer: ApprovalAnswer) -> Result<PlanAnswer> {
        let asked = self.approval(id).await?;
        let presented_digest = Some(asked.presented_digest);
        let settled = self.settle(asked.id, ApprovalAnswer { presented_digest, ..answer }).await?;
        let approval = ApprovalView::from(settled.approval);
        let plan = self.plan_of_run(approval.run_id, PlanIncludes::AFTER_A_CHANGE).await?;
        let by = approval.responded_by.as_deref().unwrap_or("nobody");
        let what = match &approval.node_id {
            Some(node) => format!("node `{node}`"),
            None => "the start".to_owned(),
        };
        let said = if settled.is_settled_now {
            format!("{what} is {} by {by}", approval.status)
        } else {
            format!("nothing changes: {what} was {} before, by {by}", approval.status)
        };
        Ok(PlanAnswer {
            changed_node_id: approval.node_id.clone(),
            approval: Some(approval),
            ..PlanAnswer::about(PlanAction::ApprovalRecorded, &said, plan)
        })
    }

    /// Takes the answer that the newest message of an assistant carries, if one does. What a person clicked comes in such messages.
    ///
    /// # Errors
    /// [`ServiceError::OtherWorkstream`] where it answers something of another workstream, and those of the store.
    pub async fn apply_approval_response_from_messages(
        &self,
        workstream: &str,
        messages: &[ChatMessage],
    ) -> Result<Option<PlanView>> {
        let Some(answer) = from_messages(messages) else { return Ok(None) };
        let id = answer.approval_id.clone().unwrap_or_default();
        let asked = self.approval(&id).await?;
        if asked.workstream != workstream {
            return Err(ServiceError::OtherWorkstream {
                approval: asked.id,
                asked_in: asked.workstream,
                answered_in: workstream.to_owned(),
            });
        }
        self.settle(asked.id, answer).await?;
        Ok(Some(self.plan_of_run(asked.run_id, PlanIncludes::ALL).await?))
    }

    /// Takes a person's message as the answer that the active plan of a workstream waits for. No message agrees or refuses.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn apply_human_input_from_user_message(
        &self,
        workstream: &str,
        message: &ChatMessage,
    ) -> Result<Option<PlanView>> {
        let includes = GraphIncludes { approvals: true, ..GraphIncludes::default() };
        let view = match self.active_view(workstream, includes).await {
            Ok(view) => view,
            Err(ServiceError::NoActivePlan { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let waiting = view.nodes.iter().find(|node| node.status == NodeStatus::AwaitingHuman);
        let asked = view.approvals.iter().find(|approval| {
            approval.status == ApprovalStatus::Pending
                && approval.node_id.as_ref() == waiting.map(|node| &node.node_id)
        });
        let Some(asked) = asked else { return Ok(None) };
        let Some(answer) = from_text(asked.kind, message) else { return Ok(None) };
        self.settle(asked.id, answer).await?;
        Ok(Some(self.plan_of_run(asked.session_id, PlanIncludes::ALL).await?))
    }

    async fn settle(
        &self,
        approval: ApprovalId,
        answer: ApprovalAnswer,
    ) -> Result<SettledApproval> {
        let (workspace, actor) = (self.workspace, self.acting());
        Ok(self
            .store
            .settle_approval(SettleApproval { workspace, approval, answer, actor })
            .await?)
    }
}
