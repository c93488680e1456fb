//! Answers that come in the messages of a chat.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_api::service::{PlanChecker, PlanStart, PlanView, Service, ServiceError};
use windlass_core::{ChatMessage, ChatRole, Grant};
use windlass_scheduler::Registry;
use windlass_store::{Location, Options};

use super::{draft, edge, question, work};

/// A service with a plan in workstream `w`.
struct Chat {
    service: Service,
    _folder: tempfile::TempDir,
}

impl Chat {
    async fn with(draft: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("windlass.db").display());
        let location = Location::from(url.as_str());
        windlass_store::migrate(location.clone()).await.unwrap();
        let store = windlass_store::open(location, Options::default()).await.unwrap();
        let workspace = store.ensure_workspace("default").await.unwrap();
        let service = Service { store, workspace, actor: "tester".to_owned() };
        let checker = PlanChecker::new(&Registry::new(Vec::new()).unwrap());
        let text = checker.check("plan.json", draft.to_string(), None).unwrap();
        let start = PlanStart {
            workstream: "w".to_owned(),
            text,
            grant: Grant::default(),
            idempotency_key: None,
        };
        service.create_plan(start).await.unwrap();
        Self { service, _folder: folder }
    }

    async fn hear(&self, message: &ChatMessage) -> Option<PlanView> {
        self.service.apply_human_input_from_user_message("w", message).await.unwrap()
    }

    async fn read(&self, messages: &[ChatMessage]) -> Option<PlanView> {
        self.service.apply_approval_response_from_messages("w", messages).await.unwrap()
    }
}

fn message(id: &str, role: ChatRole, text: &str, data: Vec<Value>) -> ChatMessage {
    ChatMessage { id: id.to_owned(), role, text: text.to_owned(), data }
}

fn said(text: &str) -> ChatMessage {
    message("m1", ChatRole::User, text, Vec::new())
}

fn asking(kind: &str) -> Value {
    draft(vec![question("ask", kind), work("b")], vec![edge("ask", "b")])
}

#[tokio::test]
async fn a_text_answers_what_is_asked_for_with_the_id_of_its_message() {
    let chat = Chat::with(&asking("human-input")).await;

    let plan = chat.hear(&said(" yes ")).await.unwrap();

    let output = plan.nodes[0].output.clone().unwrap();
    assert_eq!((&output["responseText"], &output["messageId"]), (&json!("yes"), &json!("m1")));
    let approvals = plan.approvals.unwrap();
    assert_eq!(approvals[0].approval_message_id.as_deref(), Some("m1"));
    assert_eq!(approvals[0].responded_by.as_deref(), Some("user:tester"));
    assert_eq!(plan.nodes[1].status.as_str(), "running");
    assert!(chat.hear(&said("more")).await.is_none(), "nobody is asked any more");
}

#[tokio::test]
async fn no_text_agrees_and_only_a_continuation_does() {
    let chat = Chat::with(&asking("human-approval")).await;
    assert!(chat.hear(&said("yes, go on")).await.is_none());
    let asked = chat.service.approvals(false).await.unwrap().remove(0);
    assert_eq!(asked.status.as_str(), "pending");
    let clicked = |id: &str, approved: bool| {
        let data = json!({"approvalId": asked.id, "approved": approved, "requiredEdits": [], "comments": "ok"});
        message(id, ChatRole::Assistant, "", vec![data])
    };

    // The newest one counts, and a person's own message is none.
    let messages = [clicked("m1", false), clicked("m2", true), said("and now?")];
    let plan = chat.read(&messages).await.unwrap();

    assert_eq!(plan.nodes[0].status.as_str(), "completed");
    let approval = plan.approvals.unwrap().remove(0);
    assert_eq!(approval.status.as_str(), "approved");
    assert_eq!(approval.approval_message_id.as_deref(), Some("m2"));
    assert_eq!(approval.comments.as_deref(), Some("ok"));
    assert!(chat.read(&[said("hello")]).await.is_none());
}

#[tokio::test]
async fn a_message_without_text_is_no_answer_and_a_decision_is_not_agreed_to() {
    let chat = Chat::with(&asking("human-decision")).await;
    assert!(chat.hear(&said("  ")).await.is_none());

    let plan = chat.hear(&said("no")).await.unwrap();

    let output = plan.nodes[0].output.clone().unwrap();
    assert_eq!((&output["responseText"], output.get("approved")), (&json!("no"), None));
}

#[tokio::test]
async fn an_answer_to_another_workstream_is_an_error_and_an_agent_answers_nothing() {
    let chat = Chat::with(&asking("human-approval")).await;
    let asked = chat.service.approvals(false).await.unwrap().remove(0);
    let data = json!({"approvalId": asked.id, "approved": true});
    let messages = [message("m1", ChatRole::Assistant, "", vec![data])];

    let elsewhere = chat.service.apply_approval_response_from_messages("other", &messages).await;
    assert!(matches!(elsewhere, Err(ServiceError::OtherWorkstream { .. })), "{elsewhere:?}");
    let agent = Service {
        store: Arc::clone(&chat.service.store),
        actor: "agent:ada".to_owned(),
        ..chat.service.clone()
    };
    let refused = agent.apply_approval_response_from_messages("w", &messages).await.unwrap_err();
    assert!(refused.to_string().contains("only a person answers"), "{refused}");
    assert_eq!(chat.service.approvals(false).await.unwrap().len(), 1);
}
