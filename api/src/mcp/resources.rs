//! What clients can read: the documentation, plans and executions by their ids, and the rules of scripts by their codes.

use rmcp::model::{ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde::Serialize;
use windlass_core::{RULE_URI, Rule};

use super::refusal::Refusal;
use super::tool::Caller;
use crate::service::journal::LedgerInput;

const MARKDOWN: &str = "text/markdown";
const JSON: &str = "application/json";

const EXECUTION: &str = "journal://executions/";
const PLAN: &str = "journal://plans/";

/// A page: its address, name, title, what it is about, and its text.
struct Page {
    uri: &'static str,
    name: &'static str,
    title: &'static str,
    about: &'static str,
    text: &'static str,
}

const PAGES: [Page; 2] = [
    Page {
        uri: "resource://execution-journal/documentation",
        name: "documentation",
        title: "The journal of executions",
        about: "What the journal is, its tools with their fields, and how to work with it.",
        text: include_str!("documentation.md"),
    },
    Page {
        uri: "resource://execution-journal/examples",
        name: "examples",
        title: "Examples of plans",
        about: "Three plans with what to do when a step fails.",
        text: include_str!("examples.md"),
    },
];

/// The pages.
pub(super) fn resources() -> Vec<Resource> {
    let resource = |page: &Page| {
        Resource::new(page.uri, page.name)
            .with_title(page.title)
            .with_description(page.about)
            .with_mime_type(MARKDOWN)
    };
    PAGES.iter().map(resource).collect()
}

/// What can be read by an id.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |prefix: &str, name: &str, title: &str, about: &str| {
        ResourceTemplate::new(format!("{prefix}{{id}}"), name)
            .with_title(title)
            .with_description(about)
            .with_mime_type(JSON)
    };
    vec![
        template(EXECUTION, "execution", "An execution", "An execution with its steps and events."),
        template(PLAN, "plan", "A plan", "A plan as it was recorded."),
        ResourceTemplate::new(format!("{RULE_URI}{{code}}"), "rule")
            .with_title("A rule of scripts")
            .with_description("Why the check of a script reports a problem with this code.")
            .with_mime_type(MARKDOWN),
    ]
}

/// Reads what an address names.
pub(super) async fn read(caller: Caller, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    if let Some(page) = PAGES.iter().find(|page| page.uri == uri) {
        let contents = ResourceContents::text(page.text, uri).with_mime_type(MARKDOWN);
        return Ok(ReadResourceResult::new(vec![contents]));
    }
    if let Some(rule) = uri.strip_prefix(RULE_URI).and_then(Rule::find) {
        let contents = ResourceContents::text(rule.text, uri).with_mime_type(MARKDOWN);
        return Ok(ReadResourceResult::new(vec![contents]));
    }
    let journal = caller.service.journal(caller.actor);
    let text = if let Some(id) = uri.strip_prefix(EXECUTION) {
        let input = LedgerInput {
            execution_id: id.to_owned(),
            include_step_details: true,
            include_events: true,
            ..LedgerInput::default()
        };
        text_of(&journal.ledger(&input).await.map_err(refused)?)?
    } else if let Some(id) = uri.strip_prefix(PLAN) {
        text_of(&journal.plan(id).await.map_err(refused)?)?
    } else {
        return Err(ErrorData::resource_not_found(format!("there is no resource `{uri}`"), None));
    };
    let contents = ResourceContents::text(text, uri).with_mime_type(JSON);
    Ok(ReadResourceResult::new(vec![contents]))
}

fn refused(error: crate::service::ServiceError) -> ErrorData {
    ErrorData::resource_not_found(Refusal::from(error).text, None)
}

fn text_of(value: &impl Serialize) -> Result<String, ErrorData> {
    serde_json::to_string_pretty(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}
