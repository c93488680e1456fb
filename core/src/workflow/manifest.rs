//! What a script declares of itself: topics, producers and consumers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::blame::{OnFailure, OnRefusal};
use crate::schedule::Schedule;

/// A script's declaration, validated: every invariant that [`validate`](super::validate()) checks holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The topics.
    pub topics: BTreeSet<String>,
    /// Kinds of inputs of its own: types by source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, BTreeSet<String>>,
    /// The producers by name.
    pub producers: BTreeMap<String, Producer>,
    /// The consumers by name.
    pub consumers: BTreeMap<String, Consumer>,
}

/// A producer's declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// The topics it may publish to; never empty.
    pub publishes: BTreeSet<String>,
    /// When it runs.
    pub schedule: Schedule,
}

/// A consumer's declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// The topics whose events it may look at and reserve; never empty.
    pub subscribe: BTreeSet<String>,
    /// The topics that its `next` may publish to.
    pub publishes: BTreeSet<String>,
    /// Whether it has a `mutate`.
    pub has_mutate: bool,
    /// Whether it has a `next`.
    pub has_next: bool,
    /// What a failure about one of its events stops.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// What a definite refusal of its request leads to.
    #[serde(default)]
    pub on_refusal: OnRefusal,
}
