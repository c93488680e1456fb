//! The checks of a node by itself.

use std::collections::BTreeSet;

use super::{Findings, Known, MAX_ATTEMPTS, MAX_ID_CHARS, MAX_TIMEOUT_MS, View};
use crate::capability::Capability;
use crate::graph::draft::DraftNode;
use crate::graph::finding::FindingCode;
use crate::graph::words::{FailureAction, OwnerType, Word};

pub(super) fn check(
    view: &View<'_>,
    (position, node): (usize, &DraftNode),
    known: &Known,
    found: &mut Findings,
) {
    let path = format!("nodes.{position}");
    identity(view, (position, node), found);
    texts((position, node), found);
    owner((position, node), known, found);
    policies((position, node), found);
    traces((position, node), known, found);
    found.unknown_fields(Some(position), &path, node.unknown.keys());
}

fn identity(view: &View<'_>, (position, node): (usize, &DraftNode), found: &mut Findings) {
    let path = format!("nodes.{position}.id");
    if !is_id(&node.id) {
        let message = format!(
            "`{}` is no id of a node: use up to {MAX_ID_CHARS} letters, digits, `-` and `_`, the first a letter or digit",
            node.id.escape_debug()
        );
        found.add(Some(position), FindingCode::NodeIdInvalid, path.clone(), message);
    }
    if view.positions.get(node.id.as_str()).is_some_and(|first| *first != position) {
        let message = format!("two nodes have the id `{}`", node.id);
        found.add(Some(position), FindingCode::NodeIdDuplicate, path, message);
    }
}

/// Letters of any script may stand in an id. A dot may not: it separates the parts of a path.
fn is_id(id: &str) -> bool {
    let is_inner = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    id.starts_with(char::is_alphanumeric)
        && id.chars().all(is_inner)
        && id.chars().nth(MAX_ID_CHARS).is_none()
}

fn texts((position, node): (usize, &DraftNode), found: &mut Findings) {
    let at = Some(position);
    if let Word::Unknown(text) = &node.node_type {
        let message = format!("`{text}` is not a type of nodes");
        found.add(at, FindingCode::NodeTypeUnknown, format!("nodes.{position}.type"), message);
    }
    if let Some(Word::Unknown(text)) = &node.join_mode {
        let message =
            format!("`{text}` is not a join mode: write `all-settled`, `all-taken` or `any`");
        found.add(at, FindingCode::JoinModeUnknown, format!("nodes.{position}.joinMode"), message);
    }
    // Of a recorded step its call says what it does, and of a structural node its edges.
    let is_plain =
        node.recorded.tool.is_some() || node.node_type.known().is_some_and(|it| it.is_structural());
    let does_work = node.node_type.known().is_none_or(|it| it.is_work());
    for (text, needed, code, name) in [
        (&node.label, true, FindingCode::NodeLabelMissing, "label"),
        (&node.objective, !is_plain, FindingCode::NodeObjectiveMissing, "objective"),
        (
            &node.instructions,
            !is_plain && does_work,
            FindingCode::NodeInstructionsMissing,
            "instructions",
        ),
    ] {
        if needed && text.trim().is_empty() {
            let message = format!("node `{}` needs `{name}`", node.id);
            found.add(at, code, format!("nodes.{position}.{name}"), message);
        }
    }
}

fn owner((position, node): (usize, &DraftNode), known: &Known, found: &mut Findings) {
    let path = format!("nodes.{position}.owner");
    let owner = node.owner.as_ref().filter(|owner| !owner.reference.trim().is_empty());
    let owner =
        owner.and_then(|owner| Some((*owner.executor_type.known()?, owner.reference.as_str())));
    let Some((owner, reference)) = owner else {
        let message = format!(
            "node `{}` needs an owner: `executorType` (agent, user, system or plugin) and `ref`",
            node.id
        );
        found.add(Some(position), FindingCode::OwnerMissing, path, message);
        return;
    };
    let Some(node_type) = node.node_type.known() else { return };
    if node_type.is_human() != (owner == OwnerType::User) && !node_type.is_structural() {
        let message = if node_type.is_human() {
            format!("node `{}` asks a person, so a `user` owns it", node.id)
        } else {
            format!("node `{}` is work, so a `user` cannot own it: use a `human-…` type", node.id)
        };
        found.add(Some(position), FindingCode::OwnerTypeMismatch, path, message);
        return;
    }
    if node_type.is_work() {
        known_owner((position, node), (owner, reference), known, found);
    }
}

fn known_owner(
    (position, node): (usize, &DraftNode),
    (owner, reference): (OwnerType, &str),
    known: &Known,
    found: &mut Findings,
) {
    let path = format!("nodes.{position}.owner.ref");
    let unknown = format!("node `{}` is owned by `{reference}`, which is not known here", node.id);
    let named = |names: &BTreeSet<String>| names.contains(reference);
    match owner {
        OwnerType::User => {}
        OwnerType::Agent | OwnerType::Plugin => {
            let Some(roster) = &known.roster else { return };
            let names = if owner == OwnerType::Agent { &roster.agents } else { &roster.plugins };
            if named(names) {
                return;
            }
            let finding = found.add(Some(position), FindingCode::OwnerUnknown, path, unknown);
            if roster.is_strict {
                *finding = finding.clone().blocking();
            }
        }
        OwnerType::System => match reference.parse::<Capability>() {
            Err(invalid) => {
                let finding =
                    found.add(Some(position), FindingCode::OwnerUnknown, path, invalid.to_string());
                *finding = finding.clone().blocking();
            }
            Ok(tool) => {
                let name = format!("{}.{}", tool.namespace(), tool.method());
                if known.tools.as_ref().is_some_and(|tools| !tools.contains_key(&name)) {
                    let message =
                        format!("node `{}` calls `{name}`, and there is no such tool", node.id);
                    let finding =
                        found.add(Some(position), FindingCode::OwnerUnknown, path, message);
                    *finding = finding.clone().blocking();
                }
            }
        },
    }
}

fn policies((position, node): (usize, &DraftNode), found: &mut Findings) {
    let at = Some(position);
    let retry = &node.retry_policy;
    if !(1..=i64::from(MAX_ATTEMPTS)).contains(&retry.max_attempts) {
        let message = format!("`maxAttempts` is between 1 and {MAX_ATTEMPTS}");
        found.add(
            at,
            FindingCode::RetryAttemptsInvalid,
            format!("nodes.{position}.retryPolicy.maxAttempts"),
            message,
        );
    }
    if retry.max_attempts > 1 && retry.retry_on.is_empty() {
        let message = format!(
            "node `{}` has {} attempts, and `retryOn` names no failure",
            node.id, retry.max_attempts
        );
        found.add(
            at,
            FindingCode::RetryOnEmpty,
            format!("nodes.{position}.retryPolicy.retryOn"),
            message,
        );
    }
    for (number, word) in retry.retry_on.iter().enumerate() {
        if let Word::Unknown(text) = word {
            let path = format!("nodes.{position}.retryPolicy.retryOn.{number}");
            found.add(
                at,
                FindingCode::FailurePolicyUnknown,
                path,
                format!("`{text}` is not a class of failures"),
            );
        }
    }
    rules((position, node), found);
    if node.timeout_ms.is_some_and(|timeout| !(0..=MAX_TIMEOUT_MS).contains(&timeout)) {
        let message = format!("`timeoutMs` is between 0 (no limit) and {MAX_TIMEOUT_MS}");
        found.add(at, FindingCode::TimeoutInvalid, format!("nodes.{position}.timeoutMs"), message);
    }
    tools((position, node), found);
}

fn rules((position, node): (usize, &DraftNode), found: &mut Findings) {
    let mut seen = Vec::new();
    for (number, rule) in node.failure_policy.iter().enumerate() {
        let path = format!("nodes.{position}.failurePolicy.{number}");
        if let Word::Unknown(text) = &rule.on {
            let message = format!("`{text}` is not a class of failures");
            found.add(
                Some(position),
                FindingCode::FailurePolicyUnknown,
                format!("{path}.on"),
                message,
            );
        }
        if let Word::Unknown(text) = &rule.action {
            let message = format!("`{text}` is not an action of a failure policy");
            found.add(
                Some(position),
                FindingCode::FailurePolicyUnknown,
                format!("{path}.action"),
                message,
            );
        }
        if rule.action.known() == Some(&FailureAction::Retry) && node.retry_policy.max_attempts <= 1
        {
            let message = format!("node `{}` retries, and `maxAttempts` is 1: raise it", node.id);
            found.add(
                Some(position),
                FindingCode::FailurePolicyRetryWithoutBudget,
                path.clone(),
                message,
            );
        }
        if seen.contains(&&rule.on) {
            let message = "another rule is for the same failures, and the first one wins";
            found.add(Some(position), FindingCode::FailurePolicyDuplicate, path, message);
        }
        seen.push(&rule.on);
    }
}

fn tools((position, node): (usize, &DraftNode), found: &mut Findings) {
    let at = Some(position);
    let path = format!("nodes.{position}.toolPolicy");
    let policy = &node.tool_policy;
    for tool in policy.allow.iter().filter(|tool| policy.deny.contains(tool)) {
        let message = format!("`{tool}` is both allowed and denied");
        found.add(at, FindingCode::ToolAllowDenyConflict, path.clone(), message);
    }
    if node.node_type.known().is_some_and(|it| it.is_human()) {
        if !policy.allow.is_empty() || !policy.deny.is_empty() {
            let message = format!("node `{}` asks a person, who has no tools", node.id);
            found.add(at, FindingCode::HumanNodeHasTools, path, message);
        }
        if node.timeout_ms.is_some() {
            let message = format!(
                "when the time of node `{}` is over, it fails with class `timeout`",
                node.id
            );
            found.add(
                at,
                FindingCode::HumanNodeTimeout,
                format!("nodes.{position}.timeoutMs"),
                message,
            );
        }
    }
}

/// A tool whose effect cannot be repeated is not retried after it had its effect.
fn traces((position, node): (usize, &DraftNode), known: &Known, found: &mut Findings) {
    let leaves_traces = known.tool_of(node).is_some_and(|tool| tool.leaves_traces);
    if leaves_traces && node.retry_policy.max_attempts > 1 {
        let message = format!(
            "node `{}` blocks instead of a retry once its effect has happened: only a person repeats it",
            node.id
        );
        found.add(
            Some(position),
            FindingCode::RetryRepeatsEffect,
            format!("nodes.{position}.retryPolicy"),
            message,
        );
    }
}
