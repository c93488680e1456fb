//! The document of the API: every answer is checked against it, and the committed one is current.

use std::sync::LazyLock;

use axum::http::Method;
use expect_test::expect_file;
use serde_json::Value;

use crate::instance::Answer;

pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(windlass_api::http::document()).unwrap());

/// Checks that an answer is one that the document promises. Pages and paths that are no routes are not in it.
pub(crate) fn check(method: &Method, path: &str, answer: &Answer) {
    let Some(operation) = operation(method, path) else { return };
    let status = answer.status.as_str();
    let range = format!("{}XX", &status[..1]);
    let responses = &operation["responses"];
    let response = responses.get(status).unwrap_or(&responses[&range]);
    assert!(response.is_object(), "{method} {path}: {status} is not documented: {answer:?}");
    let content = response["content"].as_object();
    let Some((kind, content)) = content.and_then(|content| content.iter().next()) else { return };
    assert_eq!(answer.header("content-type"), kind, "{method} {path}");
    if kind == "text/event-stream" {
        return;
    }
    let mut schema = content["schema"].clone();
    schema["components"] = DOCUMENT["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<_> =
        validator.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{method} {path}: {problems:?} in {}", answer.text);
}

/// The operation of a path.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let matches = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) =
            (template.split('/').collect(), path.split('/').collect());
        let is_same = |(part, given): (&&str, &&str)| part.starts_with('{') || part == given;
        template.len() == path.len() && template.iter().zip(&path).all(is_same)
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let (_, operations) = paths.iter().find(|(template, _)| matches(template))?;
    operations.get(method.as_str().to_lowercase())
}

/// All operations: their methods and their paths.
pub(crate) fn operations() -> Vec<(Method, String)> {
    let paths = DOCUMENT["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, operations)| {
            let methods = operations.as_object().unwrap().keys();
            methods.map(move |method| (method.to_uppercase().parse().unwrap(), path.clone()))
        })
        .collect()
}

#[test]
fn the_committed_document_is_the_one_of_the_routes() {
    let text = serde_json::to_string_pretty(&*DOCUMENT).unwrap() + "\n";

    expect_file!["../../openapi.json"].assert_eq(&text);
}

#[test]
fn every_operation_says_what_it_does_and_what_it_may_refuse() {
    for (method, path) in operations() {
        let operation = &DOCUMENT["paths"][&path][method.as_str().to_lowercase()];
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path}");
        for range in ["4XX", "5XX"] {
            assert!(operation["responses"][range].is_object(), "{method} {path} {range}");
        }
    }
}
