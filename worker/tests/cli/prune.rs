//! What is over and old is removed.

use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::Value;

use crate::place::Place;

/// How many records of each kind a call tells of.
fn counts(answer: &Value) -> Vec<(String, u64)> {
    let kinds = answer["kinds"].as_array().unwrap().iter();
    let counts = kinds
        .map(|kind| (kind["kind"].as_str().unwrap().to_owned(), kind["count"].as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_dry_run_tells_what_a_prune_removes() {
    let place = Place::with_starter();
    let config = place.read("windlass.toml");
    let short = "[retention]\nevents = \"1s\"\nruns = \"1s\"\nsessions = \"1s\"\n";
    place.write("windlass.toml", format!("{config}\n{short}"));
    assert_eq!(place.call("deploy workflow.js --name notes --activate").code, 0);
    assert_eq!(place.call("run notes").code, 0);

    let until = Instant::now() + Duration::from_secs(20);
    let mut told = counts(&place.json("prune --dry-run"));
    // What ended last is old a second later.
    while told.iter().all(|(kind, _)| kind != "sessions" && kind != "runs") {
        assert!(Instant::now() < until, "{told:?}");
        told = counts(&place.json("prune --dry-run"));
    }
    let again = counts(&place.json("prune --dry-run"));
    let removed = counts(&place.json("prune"));

    assert!(
        told.len() <= again.len() && again.len() <= removed.len(),
        "{told:?} {again:?} {removed:?}"
    );
    place.expect(&["prune"], &expect![[r#""#]]);
}
