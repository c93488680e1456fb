//! What the histories deploy.

use std::collections::{BTreeMap, BTreeSet};

use windlass_core::{Consumer, Manifest, OnFailure, OnRefusal, Producer, Schedule};

/// One of three scripts: one producer and two consumers, one of each, two producers and one consumer.
pub(crate) fn manifest(script: usize) -> Manifest {
    let mut manifest = Manifest {
        inputs: BTreeMap::new(),
        topics: names(&["mail", "large"]),
        producers: BTreeMap::from([("poll".to_owned(), producer("30s"))]),
        consumers: BTreeMap::from([("book".to_owned(), consumer(&["mail"], &["large"]))]),
    };
    match script {
        0 => drop(manifest.consumers.insert("tell".to_owned(), consumer(&["large"], &[]))),
        1 => {}
        _ => drop(manifest.producers.insert("Poll more".to_owned(), producer("5m"))),
    }
    manifest
}

/// The topic that a consumer of these scripts subscribes.
pub(crate) fn topic_of(consumer: &str) -> &'static str {
    if consumer == "tell" { "large" } else { "mail" }
}

fn producer(every: &str) -> Producer {
    Producer { publishes: names(&["mail"]), schedule: Schedule::interval(every).unwrap() }
}

fn consumer(subscribe: &[&str], publishes: &[&str]) -> Consumer {
    Consumer {
        subscribe: names(subscribe),
        publishes: names(publishes),
        has_mutate: true,
        has_next: true,
        on_failure: OnFailure::Park,
        on_refusal: OnRefusal::Fail,
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}
