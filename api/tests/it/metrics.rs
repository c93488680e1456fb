//! The numbers for Prometheus: who may read them, what they say, and what no label says.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode, header};
use chrono_tz::Tz;
use windlass_api::service::Badge;
use windlass_api::text::TimeFormat;
use windlass_core::{
    Clock as _, CredentialKind, HandlerKind, Id as _, Phase, RunId, SessionId, Status, WorkflowId,
};
use windlass_scheduler::{Progress, ProgressStep};
use windlass_store_conformance::start;

use crate::instance::{DEFAULT, Instance, request};

/// Where Prometheus reads.
const PATH: &str = "/metrics";

impl Instance {
    /// The numbers as they are written.
    pub(crate) async fn numbers(&self) -> String {
        let answer = self.get(PATH).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.text
    }

    /// Lets a run of an engine of this process come to these steps.
    pub(crate) fn report(&self, run: RunId, kind: HandlerKind, steps: Vec<ProgressStep>) {
        for step in steps {
            self.metrics.observe(&Progress {
                workflow: WorkflowId::mint(start()),
                workflow_name: "receipts".to_owned(),
                session: SessionId::mint(start()),
                run,
                kind,
                handler: "record".to_owned(),
                step,
            });
        }
    }
}

/// The value of a series, as it is written before the value.
fn value(numbers: &str, series: &str) -> Option<f64> {
    let line = numbers.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

#[tokio::test]
async fn the_numbers_need_the_scope_for_them_in_all_workspaces() {
    let instance = Instance::on_sqlite().await;
    let nobody = instance.send(request(Method::GET, PATH, None, None)).await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);

    for (scopes, workspace, status) in [
        ("read,run,deploy,settle,agent", None, StatusCode::FORBIDDEN),
        ("metrics", Some("default"), StatusCode::FORBIDDEN),
        ("admin", Some("default"), StatusCode::FORBIDDEN),
        ("metrics", None, StatusCode::OK),
        ("admin", None, StatusCode::OK),
    ] {
        let token = instance.credential(CredentialKind::Token, scopes, workspace).await;
        let answer = instance.get_as(&token, PATH).await;
        assert_eq!(answer.status, status, "{scopes} {workspace:?}: {answer:?}");
    }
    let answer = instance.get(PATH).await;
    assert_eq!(answer.header(header::CONTENT_TYPE), "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test]
async fn workflows_are_counted_by_the_badges_that_people_see() {
    for instance in Instance::on_each_database().await {
        let times = TimeFormat { zone: Tz::UTC, now: instance.test_store.clock.now() };
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut in_doubt, mut parked) = (0, 0);
        for workspace in instance.test_store.store.workspaces().await.unwrap() {
            let service = instance.service(&workspace.name).await;
            for report in service.status_of_all(times).await.unwrap() {
                *seen.entry(report.health.badge.as_str()).or_default() += 1;
                in_doubt += report.overview.in_doubt.len();
                parked += report.overview.events.values().map(|it| it.parked).sum::<u32>();
            }
        }
        assert!(seen.len() > 3 && in_doubt > 0 && parked > 0, "{seen:?} {in_doubt} {parked}");

        let numbers = instance.numbers().await;

        for badge in Badge::ALL {
            let badge = badge.as_str();
            let n = value(&numbers, &format!("windlass_workflows{{badge=\"{badge}\"}}"));
            let seen = seen.get(badge).copied().unwrap_or_default();
            assert_eq!(n, Some(seen as f64), "{badge}: {numbers}");
        }
        assert_eq!(value(&numbers, "windlass_mutations_in_doubt"), Some(in_doubt as f64));
        assert_eq!(value(&numbers, "windlass_events_parked"), Some(f64::from(parked)));
    }
}

#[tokio::test]
async fn a_run_is_counted_and_timed_until_it_ends_or_is_dropped() {
    let instance = Instance::on_sqlite().await;
    let entered = |phase| ProgressStep::Entered(phase);
    let mutating =
        || ProgressStep::Mutating { tool: "Files.append".to_owned(), title: String::new() };
    let ended = ProgressStep::Ended { status: Status::Committed, failure: None };
    let before = instance.numbers().await;
    let runs =
        |outcome: &str| format!("windlass_runs_total{{kind=\"consumer\",outcome=\"{outcome}\"}}");
    assert_eq!(value(&before, &runs("failed:logic")), Some(0.0), "an increase is seen: {before}");

    let (one, other) = (RunId::mint(start()), RunId::mint(start()));
    let steps = vec![
        entered(Phase::Preparing),
        entered(Phase::Mutating),
        mutating(),
        entered(Phase::Emitting),
        ended,
    ];
    instance.report(one, HandlerKind::Consumer, steps);
    let steps = vec![entered(Phase::Preparing), ProgressStep::Dropped];
    instance.report(other, HandlerKind::Consumer, steps);

    let numbers = instance.numbers().await;
    for (series, n) in [
        (runs("committed"), 1.0),
        (runs("dropped"), 1.0),
        (runs("failed:logic"), 0.0),
        ("windlass_run_duration_seconds_count{kind=\"consumer\"}".to_owned(), 2.0),
        ("windlass_phase_duration_seconds_count{phase=\"preparing\"}".to_owned(), 2.0),
        ("windlass_phase_duration_seconds_count{phase=\"mutating\"}".to_owned(), 1.0),
        ("windlass_phase_duration_seconds_count{phase=\"emitting\"}".to_owned(), 1.0),
        ("windlass_mutations_total{tool=\"Files.append\"}".to_owned(), 1.0),
    ] {
        assert_eq!(value(&numbers, &series), Some(n), "{series}: {numbers}");
    }
}

#[tokio::test]
async fn no_label_holds_an_id_a_name_or_a_path() {
    let instance = Instance::on_sqlite().await;
    let output = instance.doubt_of("asks-a-person").await;
    instance.report(RunId::mint(start()), HandlerKind::Node, vec![ProgressStep::Dropped]);
    for path in [
        &format!("{DEFAULT}/workflows/receipts"),
        &format!("{DEFAULT}/outputs/{output}"),
        "/no/such/path",
        "/w/default",
    ] {
        instance.get(path).await;
    }

    let numbers = instance.numbers().await;

    for secret in [
        "receipts",
        "asks-a-person",
        "mut_",
        "run_",
        "ses_",
        "wf_",
        "wkr_",
        "wdl_",
        "/no/such",
        "ada",
    ] {
        assert!(!numbers.contains(secret), "{secret}: {numbers}");
    }
    let requests = |route: &str, status: u16| {
        format!(
            "http_server_request_duration_seconds_count{{http_route=\"{route}\",http_request_method=\"GET\",http_response_status_code=\"{status}\"}}"
        )
    };
    let workflow = "/api/v1/workspaces/{workspace}/workflows/{workflow}";
    for (route, status) in [(workflow, 200), ("", 404)] {
        assert!(value(&numbers, &requests(route, status)) >= Some(1.0), "{route}: {numbers}");
    }
}
