//! Closed by default: nothing is answered without a token, outside its workspace, beyond its scopes, or under a foreign name.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;
use windlass_core::CredentialKind;

use crate::document::operations;
use crate::instance::{DEFAULT, Instance, request};

/// A path of an operation in a workspace, with ids that are well formed and belong to nothing.
fn filled(path: &str, workspace: &str) -> String {
    let id = |prefix: &str| format!("{prefix}_{}", "0".repeat(32));
    path.replace("{workspace}", workspace)
        .replace("{workflow}", "receipts")
        .replace("{output}", &id("mut"))
        .replace("{run}", &id("run"))
        .replace("{session}", &id("ses"))
}

fn operations_in_workspaces() -> Vec<(Method, String)> {
    let all = operations().into_iter();
    all.filter(|(_, path)| path.contains("{workspace}")).collect()
}

#[tokio::test]
async fn every_operation_needs_a_token() {
    let instance = Instance::on_sqlite().await;
    for (method, path) in operations_in_workspaces() {
        let path = filled(&path, "default");
        for token in [None, Some("wdl_unknown"), Some("")] {
            let answer = instance.send(request(method.clone(), &path, token, None)).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path} {token:?}");
            assert_eq!(answer.header(header::WWW_AUTHENTICATE), "Bearer");
        }
    }
}

#[tokio::test]
async fn another_workspace_is_not_found() {
    for instance in Instance::on_each_database().await {
        let token = instance.credential(CredentialKind::Token, "admin", Some("research")).await;
        for (method, path) in operations_in_workspaces() {
            for workspace in ["default", "no-such"] {
                let path = filled(&path, workspace);
                let body = (method == Method::POST).then(|| json!({ "answer": "skip" }));
                let answer =
                    instance.send(request(method.clone(), &path, Some(&token), body)).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {answer:?}");
                let detail = format!("there is no workspace `{workspace}`");
                assert_eq!(answer.json()["detail"], detail, "{method} {path}");
            }
        }
        let own = instance.get_as(&token, "/api/v1/workspaces/research/workflows").await;
        assert_eq!(own.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn every_operation_needs_its_scope() {
    let instance = Instance::on_sqlite().await;
    let reader = instance.credential(CredentialKind::Token, "read", None).await;
    let others = instance.credential(CredentialKind::Token, "metrics,agent,deploy", None).await;
    for (method, path) in operations_in_workspaces() {
        let path = filled(&path, "default");
        let token = if method == Method::GET { &others } else { &reader };
        let answer = instance.send(request(method.clone(), &path, Some(token), None)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn an_ended_or_expired_token_is_refused() {
    let instance = Instance::on_sqlite().await;
    let path = format!("{DEFAULT}/workflows");
    let token = instance.credential(CredentialKind::Token, "read", None).await;
    assert_eq!(instance.get_as(&token, &path).await.status, StatusCode::OK);

    instance.test_store.clock.advance(std::time::Duration::from_secs(3_600));

    assert_eq!(instance.get_as(&token, &path).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_foreign_name_is_refused_whatever_it_asks_for() {
    let instance = Instance::on_sqlite().await;
    for path in ["/healthz", "/", "/api/openapi.json", "/api/v1/workspaces/default/workflows"] {
        let request = Request::builder().uri(path).header(header::HOST, "evil.example");
        let answer = instance.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.json()["code"], "unknown_host", "{path}: {answer:?}");
        assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    }
}

#[tokio::test]
async fn every_answer_tells_browsers_to_do_no_more_than_was_meant() {
    let instance = Instance::on_sqlite().await;
    for path in ["/healthz", "/", "/nothing", "/api/v1/workspaces/default/workflows"] {
        let answer = instance.get(path).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{path}: {policy}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer", "{path}");
    }
}
