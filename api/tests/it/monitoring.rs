//! The alert rules and the dashboard of `monitoring/` ask for nothing that a server does not tell.

use std::collections::BTreeSet;

use serde_json::Value;
use windlass_core::{HandlerKind, Id as _, Phase, RunId, Status};
use windlass_scheduler::ProgressStep;
use windlass_store_conformance::start;

use crate::instance::{DEFAULT, Instance};

const ALERTS: &str = include_str!("../../../monitoring/alerts.yml");
const DASHBOARD: &str = include_str!("../../../monitoring/grafana.json");

/// The names of all series of a server in which everything has happened that is counted.
async fn printed_names() -> BTreeSet<String> {
    let instance = Instance::on_sqlite().await;
    let mutating = ProgressStep::Mutating { tool: "Files.append".to_owned(), title: String::new() };
    let ended = ProgressStep::Ended { status: Status::Committed, failure: None };
    let steps = vec![ProgressStep::Entered(Phase::Mutating), mutating, ended];
    instance.report(RunId::mint(start()), HandlerKind::Consumer, steps);
    instance.act(&format!("{DEFAULT}/workflows/nothing-to-do/sessions")).await;
    instance.test_store.store.enqueue_due(100).await.unwrap();
    let numbers = instance.numbers().await;
    let series = numbers.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    series.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// The names of metrics in an expression.
fn asked_names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |word: &&str| word.starts_with("windlass_") || word.starts_with("http_server_");
    words.filter(is_name).map(str::to_owned).collect()
}

/// The text at `key` of each object of a list.
fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[key].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_alert_and_every_panel_asks_for_metrics_that_there_are() {
    let alerts: Value = serde_norway::from_str(ALERTS).unwrap();
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let rules = &alerts["groups"][0]["rules"];
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| texts(&panel["targets"], "expr"));
    let expressions: Vec<&str> = texts(rules, "expr").into_iter().chain(targets).collect();
    assert!(expressions.len() > 20, "{expressions:#?}");
    let printed = printed_names().await;

    for expression in expressions {
        let asked = asked_names(expression);
        assert!(!asked.is_empty(), "{expression} asks for nothing of Windlass");
        let unknown: Vec<_> = asked.difference(&printed).collect();
        assert!(unknown.is_empty(), "{expression}: {unknown:?} is not among {printed:#?}");
    }
}

#[test]
fn every_alert_says_what_it_is_and_what_to_do() {
    let alerts: Value = serde_norway::from_str(ALERTS).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    let names: BTreeSet<_> = rules.iter().map(|rule| rule["alert"].as_str().unwrap()).collect();

    assert_eq!(names.len(), rules.len(), "each has a name of its own");
    for rule in rules {
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].is_string(), "{rule}");
        }
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()));
    }
}
