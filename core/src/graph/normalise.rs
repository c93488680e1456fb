//! Fills in what the author of a draft left out. Nothing wrong is repaired.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{
    CompletionCheck, Deliverable, Draft, DraftEdge, DraftNode, FailureRule, Owner, ToolPolicy,
};
use super::schema::to_json_schema;
use super::words::{ArtifactKind, FailureAction, FailureTrigger, OwnerType, Word};

/// The owner of nodes that complete by themselves.
const ENGINE: &str = "windlass";

/// The draft with trimmed texts, JSON Schemas, ids of edges and every default. Doing it again changes nothing.
#[must_use]
pub fn normalise(draft: Draft) -> Draft {
    let schemas =
        draft.schemas.into_iter().map(|(name, schema)| (trimmed(&name), to_json_schema(&schema)));
    let entries = draft.entry_node_ids.iter().map(|id| trimmed(id));
    Draft {
        title: trimmed(&draft.title),
        objective: trimmed(&draft.objective),
        lead: filled(draft.lead),
        schemas: schemas.collect(),
        nodes: draft.nodes.into_iter().map(node).collect(),
        edges: edges(draft.edges),
        entry_node_ids: distinct(entries),
        max_parallel: draft.max_parallel.or(Some(1)),
        failure_budget: draft.failure_budget.or(Some(2)),
        auto_start: draft.auto_start.or(Some(true)),
        unknown: draft.unknown,
    }
}

fn node(node: DraftNode) -> DraftNode {
    let is_structural = node.node_type.known().is_some_and(|it| it.is_structural());
    let engine =
        || Owner { executor_type: Word::Known(OwnerType::System), reference: ENGINE.to_owned() };
    let mut retry_policy = node.retry_policy;
    retry_policy.retry_on = distinct(retry_policy.retry_on);
    DraftNode {
        id: trimmed(&node.id),
        label: trimmed(&node.label),
        owner: node
            .owner
            .map(|owner| Owner { reference: trimmed(&owner.reference), ..owner })
            .or_else(|| is_structural.then(engine)),
        objective: trimmed(&node.objective),
        instructions: trimmed(&node.instructions),
        input_schema_ref: filled(node.input_schema_ref),
        output_schema_ref: filled(node.output_schema_ref),
        deliverables: node.deliverables.into_iter().map(deliverable).collect(),
        success_criteria: node.success_criteria.iter().map(|text| trimmed(text)).collect(),
        completion_checks: node.completion_checks.into_iter().map(check).collect(),
        retry_policy,
        failure_policy: failure_policy(node.failure_policy),
        timeout_ms: node.timeout_ms.filter(|timeout| *timeout != 0),
        tool_policy: ToolPolicy {
            allow: node.tool_policy.allow.iter().map(|tool| trimmed(tool)).collect(),
            deny: node.tool_policy.deny.iter().map(|tool| trimmed(tool)).collect(),
        },
        ..node
    }
}

fn deliverable(deliverable: Deliverable<Word<ArtifactKind>>) -> Deliverable<Word<ArtifactKind>> {
    Deliverable {
        name: trimmed(&deliverable.name),
        kind: artifact_kind(deliverable.kind),
        description: trimmed(&deliverable.description),
        ..deliverable
    }
}

/// The kind of an artifact. `link` is another word for an address.
pub(super) fn artifact_kind(kind: Word<ArtifactKind>) -> Word<ArtifactKind> {
    match kind {
        Word::Unknown(text) if text.trim() == "link" => Word::Known(ArtifactKind::Url),
        kind @ (Word::Known(_) | Word::Unknown(_)) => kind,
    }
}

fn check<T>(check: CompletionCheck<T>) -> CompletionCheck<T> {
    CompletionCheck {
        description: trimmed(&check.description),
        target: filled(check.target),
        ..check
    }
}

type Rule = FailureRule<Word<FailureTrigger>, Word<FailureAction>>;

fn failure_policy(rules: Vec<Rule>) -> Vec<Rule> {
    if !rules.is_empty() {
        return rules;
    }
    vec![FailureRule {
        on: Word::Known(FailureTrigger::Any),
        action: Word::Known(FailureAction::BlockRun),
    }]
}

fn edges(edges: Vec<DraftEdge>) -> Vec<DraftEdge> {
    let mut taken: BTreeSet<String> =
        edges.iter().map(|edge| trimmed(&edge.id)).filter(|id| !id.is_empty()).collect();
    let mut repeats: BTreeMap<String, usize> = BTreeMap::new();
    let mut named = |given: String, from: &str, to: &str| {
        if !given.is_empty() {
            return given;
        }
        let plain = format!("{from}->{to}");
        let count = repeats.entry(plain.clone()).or_default();
        loop {
            *count += 1;
            let id = if *count == 1 { plain.clone() } else { format!("{plain}#{count}") };
            if taken.insert(id.clone()) {
                return id;
            }
        }
    };
    let normal = |edge: DraftEdge| {
        let [from, to] = [trimmed(&edge.from), trimmed(&edge.to)];
        let map = edge.map.iter().map(|(target, source)| (trimmed(target), trimmed(source)));
        DraftEdge {
            id: named(trimmed(&edge.id), &from, &to),
            map: map.collect(),
            label: trimmed(&edge.label),
            from,
            to,
            ..edge
        }
    };
    edges.into_iter().map(normal).collect()
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| trimmed(&text)).filter(|text| !text.is_empty())
}

/// Each item once, where it stood first.
fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct: Vec<T> = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn draft(value: Value) -> Draft {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_was_left_out_is_filled_in_and_again_changes_nothing() {
        let plain = draft(json!({
            "title": "  Release ", "objective": "o",
            "schemas": {"report": {"type": "object", "required": true, "properties": {
                "count": {"type": "integer", "required": true}, "note": {"type": "any"}}}},
            "nodes": [
                {"id": " a ", "label": "A", "owner": {"executorType": " agent ", "ref": " ada "}, "timeoutMs": 0,
                 "deliverables": [{"name": "link", "kind": "link"}]},
                {"id": "j", "type": "join", "label": "J"},
            ],
            "edges": [{"from": "a", "to": "j"}, {"from": "a ", "to": "j"}, {"id": "a->j#2", "from": "a", "to": "j"}],
            "entryNodeIds": ["a", "a"],
        }));

        let normal = normalise(plain);

        assert_eq!(normal.title, "Release");
        assert_eq!(
            normal.schemas["report"],
            json!({"type": "object", "properties": {"count": {"type": "integer"}, "note": {}}, "required": ["count"]})
        );
        let ids: Vec<_> = normal.edges.iter().map(|edge| edge.id.as_str()).collect();
        assert_eq!(ids, ["a->j", "a->j#3", "a->j#2"]);
        assert_eq!(normal.entry_node_ids, ["a"]);
        let a = &normal.nodes[0];
        assert_eq!((a.id.as_str(), a.timeout_ms), ("a", None));
        assert_eq!(a.owner.as_ref().unwrap().reference, "ada");
        assert_eq!(a.deliverables[0].kind, Word::Known(ArtifactKind::Url));
        assert_eq!(a.failure_policy.len(), 1);
        assert_eq!(normal.nodes[1].owner.as_ref().unwrap().reference, ENGINE);
        assert_eq!(normalise(normal.clone()), normal);
        let written = serde_json::to_value(&normal).unwrap();
        assert_eq!(draft(written), normal, "a normalised draft reads back");
    }
}
