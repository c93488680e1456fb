//! What can be done: workflows are controlled, doubts are settled, each as from the command line.

use axum::http::StatusCode;
use serde_json::json;

use crate::instance::{DEFAULT, Instance, resolution};

#[tokio::test]
async fn a_workflow_is_paused_and_resumed() {
    for instance in Instance::on_each_database().await {
        let workflow = format!("{DEFAULT}/workflows/receipts");

        let paused = instance.act(&format!("{workflow}/pause")).await;
        assert_eq!((paused.status, &paused.json()["status"]), (StatusCode::OK, &json!("paused")));
        assert_eq!(paused.json()["badge"], "stopped");

        let again = instance.act(&format!("{workflow}/pause")).await;
        assert_eq!(
            again.json()["status"],
            "paused",
            "the same once more changes nothing: {again:?}"
        );
        let refused = instance.act(&format!("{workflow}/unarchive")).await;
        assert_eq!(refused.json()["code"], "action_refused", "{refused:?}");
        assert_eq!(refused.status, StatusCode::CONFLICT);

        let resumed = instance.act(&format!("{workflow}/resume")).await;
        assert_eq!(resumed.json()["status"], "active");
        let journal = instance.service("default").await;
        let id = journal.store.find_workflow(journal.workspace, "receipts").await.unwrap().id;
        let entries = journal.store.all_journal(journal.workspace, id).await.unwrap();
        let by_ada = entries.iter().filter(|entry| entry.actor == "ada").count();
        assert!(by_ada >= 2, "the journal names who did it: {entries:#?}");
    }
}

#[tokio::test]
async fn a_session_begins_where_nothing_stands_against_it() {
    let instance = Instance::on_sqlite().await;
    let sessions = |workflow: &str| format!("{DEFAULT}/workflows/{workflow}/sessions");

    let begun = instance.act(&sessions("nothing-to-do")).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{begun:?}");
    let again = instance.act(&sessions("nothing-to-do")).await;
    assert_eq!(again.json()["session"], begun.json()["session"], "it is joined");

    let refused = instance.act(&sessions("script-failed")).await;
    assert_eq!(refused.json()["code"], "waits_for_person", "{refused:?}");
    assert_eq!(refused.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_doubt_is_settled_once() {
    for instance in Instance::on_each_database().await {
        let output = instance.doubt_of("asks-a-person").await;
        let path = format!("{DEFAULT}/outputs/{output}/resolution");

        let no_result = instance.post(&path, resolution("happened")).await;
        assert_eq!(no_result.status, StatusCode::UNPROCESSABLE_ENTITY, "{no_result:?}");
        let unknown = instance.post(&path, resolution("perhaps")).await;
        assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{unknown:?}");

        let settled = instance
            .post(&path, json!({ "answer": "happened", "result": { "appended": true } }))
            .await;
        assert_eq!(settled.json()["status"], "applied", "{settled:?}");
        assert_eq!(settled.json()["resolved_by"], "user_assert_applied");

        let again = instance.post(&path, resolution("did_not_happen")).await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{again:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused() {
    let instance = Instance::on_sqlite().await;
    let output = instance.doubt_of("asks-a-person").await;
    let path = format!("{DEFAULT}/outputs/{output}/resolution");

    let large = json!({ "answer": "skip", "reason": "x".repeat(2 << 20) });
    let refused = instance.post(&path, large).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{refused:?}");

    let nothing = instance.act(&path).await;
    assert_eq!(nothing.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{nothing:?}");
    assert_eq!(
        instance.read(&format!("{DEFAULT}/outputs/{output}")).await["resolved_by"],
        json!(null)
    );
}
