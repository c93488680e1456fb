//! One effect: what was asked, what was answered, and where nobody knows whether it happened, the four answers of a person.

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use serde::Deserialize;
use windlass_core::MutationStatus;
use windlass_store::{Mutation, Resolution};

use super::frame::Frame;
use super::overview::open_notifications;
use super::parts;
use super::refused::Refused;
use crate::http::{HttpState, Problem, Read, Settle, Tenant};
use crate::service::{check_result, example_of_result, mutation_title};
use crate::text::TimeFormat;

/// Shows an effect.
pub(super) async fn output(
    State(state): State<HttpState>,
    tenant: Result<Tenant<Read>, Problem>,
    Path((workspace, id)): Path<(String, String)>,
) -> Result<Markup, Refused> {
    let (service, times) = (tenant?.service, state.times());
    let output = service.find_output(&id).await?;
    let inputs = service.inputs_of(&output).await?;
    let n_waiting = open_notifications(&service).await?.len();
    let title = mutation_title(&output);
    let frame = Frame { title: &title, workspace: &workspace, section: "", n_waiting, times };
    let example = example_of_result(state.registry(), &output);
    Ok(frame.around(&html! {
        h1 { (title) }
        p { (parts::outcome(output.status)) @if let Some(error) = &output.error { " " (error) } }
        (facts(times, &output))
        @if !inputs.is_empty() {
            h2 { "Because of" }
            ul { @for input in &inputs { li { (input.title) " " span.muted { (input.source) } } } }
        }
        @if output.status.is_uncertain() { (answers(&workspace, &output, &example.to_string())) }
        div.pair {
            section { h2 { "Request" } (parts::value(&output.params)) }
            section {
                h2 { "Result" }
                @match &output.result { Some(result) => (parts::value(result)), None => p.muted { "There is none." } }
            }
        }
    }))
}

/// What a person says in the form.
#[derive(Debug, Deserialize)]
pub(super) struct AnswerForm {
    answer: String,
    /// The status that the page showed.
    seen: String,
    #[serde(default)]
    result: String,
    #[serde(default)]
    reason: String,
}

/// Takes a person's answer.
pub(super) async fn resolve(
    State(state): State<HttpState>,
    tenant: Result<Tenant<Settle>, Problem>,
    Path((workspace, id)): Path<(String, String)>,
    Form(form): Form<AnswerForm>,
) -> Result<Redirect, Refused> {
    let service = tenant?.service;
    let output = service.find_output(&id).await?;
    if output.status.to_string() != form.seen {
        return Err(Problem::changed_since("the output", output.status.as_str()).into());
    }
    let resolution = match form.answer.as_str() {
        "happened" => {
            let result = serde_json::from_str(&form.result).map_err(|error| {
                Problem::unprocessable(format!("the result is no JSON: {error}"))
            })?;
            check_result(state.registry(), &output, &result)?;
            Resolution::Happened(result)
        }
        "did_not_happen" => Resolution::DidNotHappen,
        "skip" => Resolution::Skip,
        "try_again" => Resolution::TryAgain,
        other => return Err(Problem::unprocessable(format!("`{other}` is no answer")).into()),
    };
    let reason = Some(form.reason).filter(|reason| !reason.trim().is_empty());
    service.resolve_mutation(output.id, resolution, reason).await?;
    Ok(Redirect::to(&format!("/w/{workspace}/outputs/{}", output.id)))
}

fn facts(times: TimeFormat, output: &Mutation) -> Markup {
    html! {
        dl.facts {
            dt { "Tool" } dd { (output.tool_namespace) "." (output.tool_method) }
            dt { "Where" } dd { (output.target) }
            dt { "Asked" } dd { (times.time_and_distance(output.created_at)) }
            @if output.reconcile_attempts > 0 { dt { "Looked up" } dd { (output.reconcile_attempts) " time(s)" } }
            @if let Some(at) = output.next_reconcile_at { dt { "Next look-up" } dd { (times.time_and_distance(at)) } }
            @if let Some(evidence) = &output.late_evidence { dt { "Learned late" } dd { (evidence) } }
            @if let Some(by) = output.resolved_by { dt { "Settled by" } dd { (by) } }
            dt { "Key" } dd.id { (output.idempotency_key) }
            dt { "Id" } dd.id { (output.id) }
        }
    }
}

/// The four answers, each with what follows from it.
fn answers(workspace: &str, output: &Mutation, example: &str) -> Markup {
    let action = format!("/w/{workspace}/outputs/{}", output.id);
    let card = |answer: &str, label: &str, consequence: &str, field: Markup| {
        html! {
            form.card method="post" action=(action) {
                h3 { (label) }
                p { (consequence) }
                input type="hidden" name="answer" value=(answer);
                input type="hidden" name="seen" value=(output.status.as_str());
                (field)
                label for=(format!("reason-{answer}")) { "Why" }
                input id=(format!("reason-{answer}")) name="reason";
                button { (label) }
            }
        }
    };
    let result = html! {
        label for="result" { "What the tool would have answered, as JSON" }
        textarea #result name="result" { (example) }
    };
    html! {
        h2 { "Did it happen?" }
        p { "Nobody knows. Look where the effect would be seen, then say:" }
        div.cards {
            (card("happened", "It happened", "The workflow goes on with the result that you give.", result))
            (card("did_not_happen", "It did not happen", "Its events are pending again, and it is sent anew. If it did happen, it happens twice.", html! {}))
            (card("skip", "Leave it", "Its events are skipped. The workflow goes on without it.", html! {}))
            @if output.reconcilable && output.status == MutationStatus::Indeterminate {
                (card("try_again", "Look again", "Its tool looks it up again, from the first attempt.", html! {}))
            }
        }
    }
}
