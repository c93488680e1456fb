//! Judges the result of a node by its contract.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::same;
use super::draft::CompletionCheck;
use super::failure::NodeFailure;
use super::finding::{Finding, FindingCode, blocking_message, has_blocking};
use super::graph_type::Node;
use super::normalise::artifact_kind;
use super::path::find_in;
use super::schema::{Schemas, mismatches, unknown_fields};
use super::words::{ArtifactKind, CheckType, FailureTrigger, NodeFailureClass, Severity, Word};
use crate::text::text_enum;

/// How large an output may be, in bytes of JSON.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;

text_enum! {
    /// What whoever did a node says of its result.
    pub enum ResultStatus ("a status of a result") {
        /// It is done.
        Success = "success",
        /// It is done in part.
        Partial = "partial",
        /// Something has to happen first.
        Blocked = "blocked",
        /// It failed.
        Failed = "failed",
    }
}

/// The result of a node, as it is submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeResult {
    /// What became of it.
    pub status: Word<ResultStatus>,
    /// The data for the nodes after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// What was made.
    #[serde(default)]
    pub artifacts: Vec<MadeArtifact>,
    /// What is said of success criteria and of checks that nobody can compute.
    #[serde(default)]
    pub criteria: Vec<Attestation>,
    /// Notes for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Why it failed, is blocked or is not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What kind of failure it was; `tool-error` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_class: Option<Word<FailureTrigger>>,
}

/// Something that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MadeArtifact {
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub kind: Word<ArtifactKind>,
    /// Its content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What is said of a success criterion or a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The criterion, or the description of the check.
    pub criterion: String,
    /// Whether it is met.
    pub met: bool,
    /// How that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// A result that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What follows.
    pub verdict: Verdict,
    /// The output that is kept.
    pub output: Option<Value>,
    /// Everything that was found, in the order of code and path.
    pub findings: Vec<Finding>,
}

/// What follows from a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It keeps the contract.
    Accepted,
    /// It is a part, and the nodes after it go on.
    Partial,
    /// It broke the contract, or says that it failed.
    Failed(NodeFailure),
    /// The node cannot go on, for this reason.
    Blocked(String),
}

/// Checks a result against what its node promised.
///
/// A result that says that it failed or is blocked is checked for its reason only.
#[must_use]
pub fn judge(node: &Node, schemas: &Schemas, result: &NodeResult) -> Judged {
    let mut findings = Vec::new();
    let status = match &result.status {
        Word::Known(status) => *status,
        Word::Unknown(text) => {
            let message =
                format!("`{text}` is not a status: write success, partial, blocked or failed");
            findings.push(Finding::new(FindingCode::ResultShapeInvalid, "status", message));
            ResultStatus::Success
        }
    };
    let needs_reason = match status {
        ResultStatus::Success => None,
        ResultStatus::Partial => Some((FindingCode::PartialWithoutExplanation, "what is missing")),
        ResultStatus::Failed => Some((FindingCode::FailedWithoutReason, "why it failed")),
        ResultStatus::Blocked => {
            Some((FindingCode::BlockedWithoutReason, "what has to happen first"))
        }
    };
    let reason =
        [&result.reason, &result.notes].into_iter().flatten().find(|text| !text.trim().is_empty());
    if let (Some((code, what)), None) = (needs_reason, reason) {
        findings.push(Finding::new(code, "reason", format!("`reason` has to say {what}")));
    }
    if matches!(status, ResultStatus::Success | ResultStatus::Partial) {
        output(node, schemas, result, &mut findings);
        artifacts(node, result, &mut findings);
        for (number, check) in node.completion_checks.iter().enumerate() {
            completion_check(node, schemas, (number, check), (result, &mut findings));
        }
        criteria(node, result, &mut findings);
    }
    for finding in &mut findings {
        finding.node = Some(node.id.clone());
        // A part need not keep the whole contract, but what is there has to be right.
        if status == ResultStatus::Partial && is_about_the_whole(finding.code) {
            finding.severity = Severity::Warning;
        }
    }
    findings.sort_by(|one, other| {
        (one.code.as_str(), &one.path).cmp(&(other.code.as_str(), &other.path))
    });
    let verdict = verdict(status, result, &findings, reason);
    let keeps_output = matches!(verdict, Verdict::Accepted | Verdict::Partial);
    let output = result.output.clone().filter(|_output| keeps_output);
    Judged { verdict, output, findings }
}

const fn is_about_the_whole(code: FindingCode) -> bool {
    matches!(
        code,
        FindingCode::OutputMissing
            | FindingCode::DeliverableMissing
            | FindingCode::CompletionCheckFailed
    )
}

fn verdict(
    status: ResultStatus,
    result: &NodeResult,
    findings: &[Finding],
    reason: Option<&String>,
) -> Verdict {
    let reason = reason.map(|text| text.trim().to_owned()).unwrap_or_default();
    if has_blocking(findings) {
        let message = blocking_message(findings);
        return Verdict::Failed(NodeFailure::new(NodeFailureClass::ValidationFailed, message));
    }
    match status {
        ResultStatus::Success => Verdict::Accepted,
        ResultStatus::Partial => Verdict::Partial,
        ResultStatus::Blocked => Verdict::Blocked(reason),
        ResultStatus::Failed => {
            let class = match result.failure_class.as_ref().and_then(Word::known) {
                Some(FailureTrigger::ValidationFailed) => NodeFailureClass::ValidationFailed,
                Some(FailureTrigger::Timeout) => NodeFailureClass::Timeout,
                Some(FailureTrigger::ModelError) => NodeFailureClass::ModelError,
                // Whether a person refused is not for an agent to say.
                Some(
                    FailureTrigger::ToolError
                    | FailureTrigger::RejectedByHuman
                    | FailureTrigger::Any,
                )
                | None => NodeFailureClass::ToolError,
            };
            Verdict::Failed(NodeFailure::new(class, reason))
        }
    }
}

fn output(node: &Node, schemas: &Schemas, result: &NodeResult, findings: &mut Vec<Finding>) {
    let output = result.output.as_ref();
    if output.is_some_and(|output| output.to_string().len() > MAX_OUTPUT_BYTES) {
        let message =
            format!("the output has more than {MAX_OUTPUT_BYTES} bytes: keep it in an artifact");
        findings.push(Finding::new(FindingCode::ResultShapeInvalid, "output", message));
        return;
    }
    let Some(name) = &node.output_schema_ref else { return };
    let (Some(schema), Some(output)) = (schemas.get(name), output) else {
        let message = format!("node `{}` has to give an output of schema `{name}`", node.id);
        findings.push(Finding::new(FindingCode::OutputMissing, "output", message));
        return;
    };
    for wrong in mismatches(schema, output) {
        findings.push(Finding::new(
            FindingCode::OutputSchemaMismatch,
            in_output(&wrong.path),
            wrong.message,
        ));
    }
    for field in unknown_fields(schema, output) {
        let message = format!("schema `{name}` has no field `{field}`");
        findings.push(Finding::new(FindingCode::OutputUnknownField, in_output(&field), message));
    }
}

fn in_output(path: &str) -> String {
    if path.is_empty() { "output".to_owned() } else { format!("output.{path}") }
}

fn artifacts(node: &Node, result: &NodeResult, findings: &mut Vec<Finding>) {
    for (number, made) in result.artifacts.iter().enumerate() {
        let path = format!("artifacts.{number}");
        let is_repeated = result.artifacts.iter().take(number).any(|other| other.name == made.name);
        if made.name.trim().is_empty() || is_repeated {
            let message = "each artifact needs a name of its own";
            findings.push(Finding::new(FindingCode::ResultShapeInvalid, path.clone(), message));
        }
        if !has_content(made) {
            let message = format!("artifact `{}` needs `content` or `pointer`", made.name);
            findings.push(Finding::new(FindingCode::ArtifactEmpty, path.clone(), message));
        }
        match node.deliverables.iter().find(|it| it.name == made.name) {
            None => {
                let message = format!("node `{}` declares no deliverable `{}`", node.id, made.name);
                findings.push(Finding::new(FindingCode::DeliverableUndeclared, path, message));
            }
            Some(wanted) if artifact_kind(made.kind.clone()) != Word::Known(wanted.kind) => {
                let message = format!("deliverable `{}` is a {}", wanted.name, wanted.kind);
                findings.push(Finding::new(
                    FindingCode::DeliverableKindMismatch,
                    format!("{path}.kind"),
                    message,
                ));
            }
            Some(_) => {}
        }
        if node.deliverables.iter().all(|it| it.name != made.name)
            && artifact_kind(made.kind.clone()).known().is_none()
        {
            let message = "it is not a kind of artifacts";
            findings.push(Finding::new(
                FindingCode::ResultShapeInvalid,
                format!("artifacts.{number}.kind"),
                message,
            ));
        }
    }
    for wanted in &node.deliverables {
        if result.artifacts.iter().all(|made| made.name != wanted.name) {
            let code = if wanted.required {
                FindingCode::DeliverableMissing
            } else {
                FindingCode::DeliverableOptionalMissing
            };
            let message = format!("deliverable `{}` is not there", wanted.name);
            findings.push(Finding::new(code, format!("artifacts.{}", wanted.name), message));
        }
    }
}

fn has_content(made: &MadeArtifact) -> bool {
    let has_pointer = made.pointer.as_ref().is_some_and(|pointer| !pointer.trim().is_empty());
    has_pointer
        || made.content.as_ref().is_some_and(|content| match content {
            Value::Null => false,
            Value::String(text) => !text.trim().is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => true,
        })
}

fn completion_check(
    node: &Node,
    schemas: &Schemas,
    (number, check): (usize, &CompletionCheck),
    (result, findings): (&NodeResult, &mut Vec<Finding>),
) {
    let target = check.target.as_deref().unwrap_or_default();
    let segments: Vec<String> =
        target.strip_prefix("output.").unwrap_or(target).split('.').map(str::to_owned).collect();
    let field = result.output.as_ref().and_then(|output| find_in(output, &segments));
    let made = result.artifacts.iter().find(|made| made.name == target);
    let count = |n: usize| {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        check.min.is_none_or(|min| n >= min) && check.max.is_none_or(|max| n <= max)
    };
    let is_met = match check.check_type {
        CheckType::Schema => {
            let schema = node.output_schema_ref.as_ref().and_then(|name| schemas.get(name));
            schema
                .zip(result.output.as_ref())
                .is_some_and(|(schema, output)| mismatches(schema, output).is_empty())
        }
        CheckType::DeliverablePresent => made.is_some_and(has_content),
        CheckType::FieldPresent => field.is_some_and(|field| !field.is_null()),
        CheckType::FieldEquals => same(field, check.value.as_ref().unwrap_or(&Value::Null)),
        CheckType::MinLength => {
            let text =
                made.and_then(|made| made.content.as_ref()).or(field).and_then(Value::as_str);
            text.is_some_and(|text| count(text.chars().count()))
        }
        CheckType::CountRange => {
            field.and_then(Value::as_array).is_some_and(|list| count(list.len()))
        }
        CheckType::ManualAttestation | CheckType::Custom => result
            .criteria
            .iter()
            .any(|said| said.met && said.criterion.trim() == check.description),
    };
    if !is_met {
        let message = format!("check `{}` failed: {}", check.check_type, check.description);
        let path = format!("completionChecks.{number}");
        let finding = Finding::new(FindingCode::CompletionCheckFailed, path, message);
        findings.push(Finding { severity: check.severity, ..finding });
    }
}

fn criteria(node: &Node, result: &NodeResult, findings: &mut Vec<Finding>) {
    for (number, criterion) in node.success_criteria.iter().enumerate() {
        let is_met = |said: &Attestation| said.met && said.criterion.trim() == criterion;
        if !result.criteria.iter().any(is_met) {
            let message = format!("the result does not say that this is met: {criterion}");
            findings.push(Finding::new(
                FindingCode::SuccessCriterionUnattested,
                format!("successCriteria.{number}"),
                message,
            ));
        }
    }
}
