//! The checks of what a node has to deliver.

use std::collections::BTreeSet;

use super::{Findings, View};
use crate::graph::draft::{CompletionCheck, DraftNode};
use crate::graph::finding::FindingCode;
use crate::graph::schema::{Place, place};
use crate::graph::words::{CheckType, OwnerType, Word};

pub(super) fn check(view: &View<'_>, (position, node): (usize, &DraftNode), found: &mut Findings) {
    let at = Some(position);
    for (name, code, field) in [
        (&node.input_schema_ref, FindingCode::InputSchemaUnknown, "inputSchemaRef"),
        (&node.output_schema_ref, FindingCode::OutputSchemaUnknown, "outputSchemaRef"),
    ] {
        if let Some(name) = name.as_ref().filter(|name| !view.draft.schemas.contains_key(*name)) {
            let message = format!(
                "node `{}` refers to schema `{name}`, which `schemas` does not have",
                node.id
            );
            found.add(at, code, format!("nodes.{position}.{field}"), message);
        }
    }
    deliverables((position, node), found);
    for (number, check) in node.completion_checks.iter().enumerate() {
        completion_check(view, (position, node), (number, check), found);
    }
    if needs_contract(node) {
        let is_empty = node.deliverables.is_empty()
            && node.success_criteria.is_empty()
            && node.completion_checks.is_empty()
            && node.output_schema_ref.is_none();
        let path = format!("nodes.{position}");
        if is_empty {
            let message = format!(
                "nothing says when node `{}` is done: give a deliverable, a success criterion, a check or an output schema",
                node.id
            );
            found.add(at, FindingCode::ContractEmpty, path.clone(), message);
        }
        if node.success_criteria.is_empty() {
            let message = format!("node `{}` has no success criteria", node.id);
            found.add(
                at,
                FindingCode::SuccessCriteriaMissing,
                format!("{path}.successCriteria"),
                message,
            );
        }
    }
}

/// Of a tool and of a recorded step its answer says that it is done.
fn needs_contract(node: &DraftNode) -> bool {
    let is_tool = node
        .owner
        .as_ref()
        .is_some_and(|owner| owner.executor_type.known() == Some(&OwnerType::System));
    !is_tool
        && node.recorded.tool.is_none()
        && node.node_type.known().is_some_and(|it| it.is_work())
}

fn deliverables((position, node): (usize, &DraftNode), found: &mut Findings) {
    let mut names = BTreeSet::new();
    for (number, deliverable) in node.deliverables.iter().enumerate() {
        let path = format!("nodes.{position}.deliverables.{number}");
        if deliverable.name.is_empty() || !names.insert(&deliverable.name) {
            let message = format!("each deliverable of node `{}` needs a name of its own", node.id);
            found.add(
                Some(position),
                FindingCode::DeliverableNameDuplicate,
                format!("{path}.name"),
                message,
            );
        }
        if let Word::Unknown(text) = &deliverable.kind {
            let message = format!("`{text}` is not a kind of deliverables");
            found.add(
                Some(position),
                FindingCode::DeliverableKindUnknown,
                format!("{path}.kind"),
                message,
            );
        }
    }
}

fn completion_check(
    view: &View<'_>,
    (position, node): (usize, &DraftNode),
    (number, check): (usize, &CompletionCheck<Word<CheckType>>),
    found: &mut Findings,
) {
    let at = Some(position);
    let path = format!("nodes.{position}.completionChecks.{number}");
    let check_type = match &check.check_type {
        Word::Known(check_type) => *check_type,
        Word::Unknown(text) => {
            let message = format!("`{text}` is not a type of completion checks");
            found.add(at, FindingCode::CheckTypeUnknown, format!("{path}.type"), message);
            return;
        }
    };
    if check_type == CheckType::Schema && node.output_schema_ref.is_none() {
        let message = format!("node `{}` has no `outputSchemaRef` to check", node.id);
        found.add(at, FindingCode::CheckSchemaWithoutOutputSchema, path.clone(), message);
    }
    let target = check.target.as_deref();
    let has_deliverable =
        || target.is_some_and(|name| node.deliverables.iter().any(|it| it.name == name));
    let is_declared = match check_type {
        CheckType::Schema | CheckType::ManualAttestation | CheckType::Custom => true,
        CheckType::DeliverablePresent => has_deliverable(),
        CheckType::MinLength => has_deliverable() || has_field(view, node, target),
        CheckType::FieldPresent | CheckType::FieldEquals | CheckType::CountRange => {
            has_field(view, node, target)
        }
    };
    if !is_declared {
        let message = format!(
            "check `{check_type}` of node `{}` needs a `target` that the node declares, not `{}`",
            node.id,
            target.unwrap_or_default()
        );
        found.add(at, FindingCode::CheckTargetUnknown, format!("{path}.target"), message);
    }
}

/// Whether the output has that field; without a schema it may.
fn has_field(view: &View<'_>, node: &DraftNode, target: Option<&str>) -> bool {
    let Some(target) = target else { return false };
    let segments: Vec<String> =
        target.strip_prefix("output.").unwrap_or(target).split('.').map(str::to_owned).collect();
    view.schema(node.output_schema_ref.as_ref())
        .is_none_or(|schema| place(schema, &segments) != Place::Unknown)
}
