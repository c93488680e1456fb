//! The inputs of the functions of `Topics`.

use serde::Deserialize;
use serde_json::Value;
use windlass_core::{Failure, InputId};
use windlass_store::{ClaimedRun, InputKey, NewInput};

/// Reads an input that its schema has already accepted.
pub(super) fn parse<T: for<'de> Deserialize<'de>>(input: Value) -> Result<T, Failure> {
    serde_json::from_value(input)
        .map_err(|error| Failure::logic(format!("cannot read the input: {error}")))
}

/// `Topics.peek`.
#[derive(Deserialize)]
pub(super) struct Peek {
    pub(super) topic: String,
    pub(super) limit: u32,
}

/// `Topics.getByIds`.
#[derive(Deserialize)]
pub(super) struct GetByIds {
    pub(super) topic: String,
    pub(super) ids: Vec<String>,
}

/// `Topics.publish`.
#[derive(Deserialize)]
pub(super) struct Publish {
    pub(super) topic: OneOrMore,
    pub(super) event: PublishedEvent,
}

/// The event to publish.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublishedEvent {
    pub(super) message_id: String,
    pub(super) payload: Value,
    pub(super) input_id: Option<InputId>,
}

/// One topic, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
        }
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

/// `Topics.registerInput`.
#[derive(Deserialize)]
pub(super) struct RegisterInput {
    pub(super) source: String,
    #[serde(rename = "type")]
    pub(super) input_type: String,
    pub(super) id: String,
    pub(super) title: String,
}

impl RegisterInput {
    /// Its natural key, in the workflow of that run.
    pub(super) fn key(&self, run: &ClaimedRun) -> InputKey {
        InputKey {
            workspace: run.claim.workspace,
            workflow: run.claim.workflow,
            source: self.source.clone(),
            input_type: self.input_type.clone(),
            external_id: self.id.clone(),
        }
    }

    /// Whether that input is the same thing.
    pub(super) fn is_same_as(&self, input: &NewInput) -> bool {
        (&self.source, &self.input_type, &self.id)
            == (&input.source, &input.input_type, &input.external_id)
    }
}
