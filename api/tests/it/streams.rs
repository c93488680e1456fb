//! Logs that are followed: nothing is lost, nothing comes twice, and the end is told.

use std::time::Duration;

use axum::http::{HeaderName, Method, StatusCode, header};
use windlass_core::{Clock as _, Failure, FailureClass, Id as _, LogLevel, WorkerId};
use windlass_store::{
    AppendLogs, ClaimRuns, ClaimScope, ClaimedRun, NewLog, StartSession, StopRun,
};

use crate::instance::{Answer, DEFAULT, Instance, request};

/// A run that somebody drives.
async fn running(instance: &Instance) -> ClaimedRun {
    let service = instance.service("default").await;
    let (store, workspace) = (&service.store, service.workspace);
    let workflow = store.find_workflow(workspace, "nothing-to-do").await.unwrap().id;
    let actor = "ada".to_owned();
    store.start_session(StartSession { workspace, workflow, actor }).await.unwrap();
    let claim = ClaimRuns {
        worker: WorkerId::mint(instance.test_store.clock.now()),
        limit: 1,
        lease: Duration::from_secs(60),
        scope: ClaimScope::Workflow(workspace, workflow),
    };
    store.claim_runs(claim).await.unwrap().remove(0)
}

async fn log(instance: &Instance, run: &ClaimedRun, message: &str) {
    let lines = vec![NewLog { level: LogLevel::Log, message: message.to_owned() }];
    let append = AppendLogs { claim: run.claim, lines };
    instance.test_store.store.append_logs(append).await.unwrap();
}

async fn stop(instance: &Instance, run: &ClaimedRun) {
    let stop = StopRun {
        claim: run.claim,
        entered: None,
        failure: Failure::new(FailureClass::Auth, "the login was refused"),
        seen: Vec::new(),
        logs: vec![NewLog { level: LogLevel::Error, message: "last\nwords".to_owned() }],
    };
    instance.test_store.store.stop_run(stop).await.unwrap();
}

/// The events of a stream: what each is, its id and its data.
fn events(answer: &Answer) -> Vec<(String, String, String)> {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/event-stream");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let field = |event: &str, name: &str| {
        let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default().to_owned()
    };
    let events = answer.text.split("\n\n").filter(|event| event.contains("event: "));
    events.map(|event| (field(event, "event"), field(event, "id"), field(event, "data"))).collect()
}

fn messages(answer: &Answer) -> Vec<String> {
    let message = |(kind, id, data): (String, String, String)| match kind.as_str() {
        "line" => {
            let line: serde_json::Value = serde_json::from_str(&data).unwrap();
            assert_eq!(line["seq"].to_string(), id);
            format!("{id} {}", line["message"].as_str().unwrap())
        }
        other => other.to_owned(),
    };
    events(answer).into_iter().map(message).collect()
}

#[tokio::test]
async fn a_log_is_followed_to_its_end_without_a_gap_or_a_repetition() {
    for instance in Instance::on_each_database().await {
        let run = running(&instance).await;
        log(&instance, &run, "one").await;
        log(&instance, &run, "two").await;
        for of in [format!("handler-runs/{}", run.claim.run), format!("sessions/{}", run.session)] {
            let path = format!("{DEFAULT}/{of}/logs/stream");
            if of.starts_with("handler") {
                let writing = async {
                    log(&instance, &run, "three").await;
                    stop(&instance, &run).await;
                };
                let (answer, ()) = tokio::join!(instance.get(&path), writing);
                let all = ["1 one", "2 two", "3 three", "4 last\nwords", "end"];
                assert_eq!(messages(&answer), all, "{answer:?}");
            }
            let mut again = request(Method::GET, &path, Some(&instance.token), None);
            let last = (HeaderName::from_static("last-event-id"), "2".parse().unwrap());
            again.headers_mut().insert(last.0, last.1);
            let answer = instance.send(again).await;
            assert_eq!(messages(&answer), ["3 three", "4 last\nwords", "end"], "{answer:?}");
            let answer = instance.get(&format!("{path}?after=4")).await;
            assert_eq!(messages(&answer), ["end"], "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_ends_when_the_server_does() {
    let instance = Instance::on_sqlite().await;
    let run = running(&instance).await;
    log(&instance, &run, "one").await;
    let path = format!("{DEFAULT}/handler-runs/{}/logs/stream", run.claim.run);

    let stopping = async { instance.stop.cancel() };
    let (answer, ()) = tokio::join!(instance.get(&path), stopping);

    assert_eq!(messages(&answer).last().map(String::as_str), Some("bye"), "{answer:?}");
}

#[tokio::test]
async fn a_stream_of_nothing_is_refused() {
    let instance = Instance::on_sqlite().await;
    let run = running(&instance).await;
    let path = format!("{DEFAULT}/handler-runs/{}/logs/stream", run.claim.run);
    let nobody = request(Method::GET, &path, None, None);
    assert_eq!(instance.send(nobody).await.status, StatusCode::UNAUTHORIZED);
    let foreign = path.replace("/default/", "/elsewhere/");
    assert_eq!(instance.get(&foreign).await.status, StatusCode::NOT_FOUND);
    let unknown = format!("{DEFAULT}/handler-runs/run_1/logs/stream");
    assert_eq!(instance.get(&unknown).await.status, StatusCode::NOT_FOUND);
    let mut odd = request(Method::GET, &path, Some(&instance.token), None);
    odd.headers_mut().insert("last-event-id", "x".parse().unwrap());
    assert_eq!(instance.send(odd).await.status, StatusCode::BAD_REQUEST);
}
