//! What there is to know of a server, for a person.

use std::sync::Arc;

use serde::Serialize;
use windlass_core::Timestamp;
use windlass_scheduler::Effect;

use super::definition::{Change, Hints, changes};
use super::offer::{self, Offer, Why};
use super::server::Server;
use super::{ConnectorError, Connectors, Remembered};

/// A server and its tools.
#[derive(Debug, Serialize)]
pub struct Survey {
    /// Its name in the configuration.
    pub name: String,
    /// What scripts call it.
    pub namespace: String,
    /// Its command line or URL, without what may be secret.
    pub place: String,
    /// How it compares with what was accepted.
    pub condition: Condition,
    /// Why it could not be asked, or what the configuration says wrongly of it.
    pub problem: Option<String>,
    /// When its tools were accepted.
    pub accepted_at: Option<Timestamp>,
    /// Who accepted them.
    pub accepted_by: Option<String>,
    /// How what it offers now is different from what was accepted.
    pub changes: Vec<Change>,
    /// What was accepted.
    pub tools: Vec<ToolSurvey>,
}

/// How a server stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was asked for the first time, or was moved: what it offers is accepted.
    New,
    /// It offers what was accepted.
    AsAccepted,
    /// It offers something else: a person should look.
    Changed,
    /// It could not be asked.
    Unreachable,
}

/// A tool.
#[derive(Debug, Serialize)]
pub struct ToolSurvey {
    /// Its name, as the server has it.
    pub tool: String,
    /// What scripts call it.
    pub method: String,
    /// `read` or `mutation`.
    pub effect: &'static str,
    /// Why it is taken for that.
    pub why: Why,
    /// What else the server claims of it.
    #[serde(flatten)]
    pub hints: Hints,
    /// The tool that reads whether an effect is there.
    pub reconciled_by: Option<String>,
    /// Why scripts cannot call it.
    pub problem: Option<String>,
}

impl Connectors {
    /// Starts the server and asks it, beside what is remembered.
    pub(super) async fn survey_of(&self, server: &Arc<Server>) -> Result<Survey, ConnectorError> {
        let mut survey = Survey {
            name: server.name.to_string(),
            namespace: server.config.namespace(&server.name),
            place: server.place(),
            condition: Condition::Unreachable,
            problem: None,
            accepted_at: None,
            accepted_by: None,
            changes: Vec::new(),
            tools: Vec::new(),
        };
        let remembered = match self.remembered(server).await {
            Ok(remembered) => remembered,
            Err(ConnectorError::Listing { source, .. }) => {
                survey.problem = Some(source.message);
                return Ok(survey);
            }
            Err(error) => return Err(error),
        };
        let Remembered { snapshot, is_new } = remembered;
        let accepted = snapshot.definitions();
        survey.accepted_at = Some(snapshot.accepted_at);
        survey.accepted_by = Some(snapshot.accepted_by);
        match offer::all(server, &accepted) {
            Ok(offers) => survey.tools = offers.iter().map(ToolSurvey::from).collect(),
            Err(error) => survey.problem = Some(error.to_string()),
        }
        match server.tools().await {
            Ok(live) => {
                survey.changes = changes(&accepted, &live);
                survey.condition = match survey.changes.is_empty() {
                    true if is_new => Condition::New,
                    true => Condition::AsAccepted,
                    false => Condition::Changed,
                };
            }
            Err(failure) => survey.problem = Some(failure.message),
        }
        Ok(survey)
    }
}

impl ToolSurvey {
    /// Why it is taken to read or to change, in words.
    #[must_use]
    pub fn because(&self) -> String {
        let hint =
            |is_it: Option<bool>, words: &str| (is_it == Some(true)).then(|| words.to_owned());
        let why = match self.why {
            Why::Annotation => "the server says so",
            Why::Config => "the configuration says so",
            Why::Unknown => "nobody says",
        };
        let claims = [
            hint(self.hints.destructive, "destructive"),
            hint(self.hints.idempotent, "idempotent"),
        ];
        let claims: Vec<_> =
            claims.into_iter().flatten().filter(|_| self.effect == "mutation").collect();
        let separator = if claims.is_empty() { "" } else { "; " };
        format!("{why}{separator}{}", claims.join(", "))
    }
}

impl From<&Offer> for ToolSurvey {
    fn from(offer: &Offer) -> Self {
        Self {
            tool: offer.definition.name.clone(),
            method: offer.method.clone(),
            effect: match offer.effect {
                Effect::Read => "read",
                Effect::Mutation => "mutation",
            },
            why: offer.why,
            hints: offer.definition.hints,
            reconciled_by: offer.reader.clone(),
            problem: offer.problem().map(str::to_owned),
        }
    }
}
