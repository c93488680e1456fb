//! Parts of pages: badges, facts, instants, values.

use maud::{Markup, html};
use serde_json::Value;
use windlass_core::{MutationStatus, SessionResult, Status, Timestamp};

use crate::service::{Badge, Fact};
use crate::text::TimeFormat;

/// A workflow's health: icon, word and colour.
pub(super) fn badge(badge: Badge) -> Markup {
    let (class, icon) = match badge {
        Badge::Running => ("running", "▶"),
        Badge::Idle => ("done", "✓"),
        Badge::NeedsAttention => ("waiting", "!"),
        Badge::Fixing => ("failed", "✎"),
        Badge::Stopped => ("", "■"),
    };
    mark((class, icon), badge)
}

/// What is known of an effect: icon, word and colour.
pub(super) fn outcome(status: MutationStatus) -> Markup {
    let (class, icon, words) = match status {
        MutationStatus::InFlight => ("running", "▶", "is being made"),
        MutationStatus::Applied => ("done", "✓", "happened"),
        MutationStatus::Failed => ("failed", "✗", "did not happen"),
        MutationStatus::NeedsReconcile => ("doubt", "?", "is being looked up"),
        MutationStatus::Indeterminate => ("doubt", "?", "in doubt"),
        MutationStatus::WouldSend => ("", "○", "would be made"),
    };
    mark((class, icon), words)
}

/// How a session stands: icon, word and colour.
pub(super) fn session(result: Option<SessionResult>) -> Markup {
    let (look, words) = match result {
        None => (("running", "▶"), "is open"),
        Some(SessionResult::Completed) => (("done", "✓"), "completed"),
        Some(SessionResult::Failed) => (("failed", "✗"), "failed"),
        Some(SessionResult::Cancelled) => (("", "■"), "cancelled"),
    };
    mark(look, words)
}

/// How a run stands: icon, word and colour.
pub(super) fn run(status: Status) -> Markup {
    mark(run_look(status), status)
}

/// The colour of a run, by its class, and its icon.
pub(super) const fn run_look(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Queued => ("", "○"),
        Status::Active => ("running", "▶"),
        Status::Committed => ("done", "✓"),
        Status::PausedTransient => ("waiting", "…"),
        Status::PausedApproval => ("waiting", "!"),
        Status::PausedReconciliation => ("doubt", "?"),
        Status::FailedLogic | Status::FailedInternal | Status::Crashed => ("failed", "✗"),
    }
}

fn mark((class, icon): (&str, &str), words: impl std::fmt::Display) -> Markup {
    html! { span.badge.(class) { span aria-hidden="true" { (icon) " " } (words.to_string()) } }
}

/// Facts as a list of labels and texts.
pub(super) fn facts(facts: &[Fact]) -> Markup {
    html! {
        @if !facts.is_empty() {
            dl.facts { @for fact in facts { dt { (fact.label) } dd { (fact.text) } } }
        }
    }
}

/// An instant: how far it is from now, and exactly.
pub(super) fn instant(times: TimeFormat, at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) title=(times.time(at)) { (times.distance(at)) } }
}

/// A stored value, digit for digit.
pub(super) fn value(value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|_unprintable| value.to_string());
    html! { pre { code { (text) } } }
}
