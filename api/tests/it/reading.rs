//! What can be read: every list and every thing, a page at a time.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use serde_json::json;

use crate::instance::{DEFAULT, Instance};

/// The lists of a workflow.
const LISTS: [&str; 5] = ["inputs", "outputs", "events", "sessions", "handler-runs"];

#[tokio::test]
async fn every_list_and_everything_in_it_can_be_read() {
    for instance in Instance::on_each_database().await {
        let workflows = instance.read(&format!("{DEFAULT}/workflows?limit=200")).await;
        let names: Vec<_> = workflows["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert!(names.contains(&"receipts") && names.is_sorted(), "{names:?}");
        for name in &names {
            let workflow = instance.read(&format!("{DEFAULT}/workflows/{name}")).await;
            assert!(!workflow["why"].as_str().unwrap().is_empty(), "{workflow}");
            for list in LISTS {
                instance.read(&format!("{DEFAULT}/workflows/{name}/{list}")).await;
            }
        }
        let path = format!("{DEFAULT}/workflows/receipts/handler-runs?limit=1");
        let run = instance.read(&path).await["items"][0].clone();
        let (run, session) = (run["id"].as_str().unwrap(), run["session"].as_str().unwrap());
        for part in ["", "/logs"] {
            instance.read(&format!("{DEFAULT}/handler-runs/{run}{part}")).await;
        }
        for part in ["", "/logs", "/handler-runs"] {
            instance.read(&format!("{DEFAULT}/sessions/{session}{part}")).await;
        }
        let outputs = instance.read(&format!("{DEFAULT}/workflows/receipts/outputs?limit=1")).await;
        let output = outputs["items"][0]["id"].as_str().unwrap();
        assert_eq!(instance.read(&format!("{DEFAULT}/outputs/{output}")).await["id"], output);
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap_or_a_repetition() {
    let instance = Instance::on_sqlite().await;
    for list in LISTS {
        let path = format!("{DEFAULT}/workflows/receipts/{list}");
        let whole = instance.read(&format!("{path}?limit=200")).await["items"].clone();
        let whole = whole.as_array().unwrap();
        assert!(whole.len() > 7, "{list} is too short to have pages");
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = instance.read(&format!("{path}?limit=7{after}")).await;
            seen.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str().filter(|_| seen.len() < whole.len()) else {
                break;
            };
            after = format!("&after={next}");
        }
        assert_eq!(seen[..whole.len().min(seen.len())], whole[..], "{list}");
        let ids: BTreeSet<_> = seen.iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), seen.len(), "{list}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_that_says_why() {
    let instance = Instance::on_sqlite().await;
    let list = format!("{DEFAULT}/workflows");
    for (path, status, code) in [
        ("/api/v1/nothing".to_owned(), StatusCode::NOT_FOUND, "not_found"),
        (format!("{list}/nobody"), StatusCode::NOT_FOUND, "not_found"),
        (format!("{DEFAULT}/handler-runs/run_1"), StatusCode::NOT_FOUND, "not_found"),
        (format!("{list}?limit=0"), StatusCode::UNPROCESSABLE_ENTITY, "bad_limit"),
        (format!("{list}?limit=many"), StatusCode::BAD_REQUEST, "bad_request"),
        (format!("{list}/receipts/outputs?after=x"), StatusCode::BAD_REQUEST, "bad_request"),
        (format!("{list}/receipts/events?status=lost"), StatusCode::BAD_REQUEST, "bad_request"),
    ] {
        let answer = instance.get(&path).await;
        let problem = answer.json();
        assert_eq!((answer.status, &problem["code"]), (status, &json!(code)), "{path}: {problem}");
        assert_eq!(answer.header(header::CONTENT_TYPE), "application/problem+json");
        assert_eq!(problem["error"], problem["detail"]);
        assert_eq!(problem["type"], format!("/problems/{code}"));
    }
}

#[tokio::test]
async fn the_health_checks_and_the_document_need_no_token() {
    let instance = Instance::on_sqlite().await;
    for path in ["/healthz", "/readyz", "/api/openapi.json"] {
        let request = Request::builder().method(Method::GET).uri(path).body(Body::empty());
        let answer = instance.send(request.unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
}
