//! What the checks of drafts and results find.

use serde::{Deserialize, Serialize};

use super::words::Severity;
use crate::text::text_enum;

text_enum! {
    /// What is wrong.
    pub enum FindingCode ("a code of findings") {
        /// The draft is no JSON of the form of a draft.
        PlanUnreadable = "plan_unreadable",
        /// It has no nodes.
        PlanEmpty = "plan_empty",
        /// Its title is blank.
        PlanTitleMissing = "plan_title_missing",
        /// Its objective is blank.
        PlanObjectiveMissing = "plan_objective_missing",
        /// It has more text or nodes than the engine takes.
        PlanTooLarge = "plan_too_large",
        /// A text has a character that cannot be stored.
        CharacterInvalid = "character_invalid",
        /// `maxParallel` is not between 1 and its cap.
        MaxParallelInvalid = "max_parallel_invalid",
        /// A field is unknown and left out.
        FieldUnknown = "field_unknown",
        /// The id of a node is blank or has characters that ids do not have.
        NodeIdInvalid = "node_id_invalid",
        /// Two nodes share an id.
        NodeIdDuplicate = "node_id_duplicate",
        /// The type of a node is unknown.
        NodeTypeUnknown = "node_type_unknown",
        /// The label of a node is blank.
        NodeLabelMissing = "node_label_missing",
        /// The objective of a node is blank.
        NodeObjectiveMissing = "node_objective_missing",
        /// The instructions of a node that does work are blank.
        NodeInstructionsMissing = "node_instructions_missing",
        /// A node has no owner.
        OwnerMissing = "owner_missing",
        /// A node of a person is not owned by a user, or other work is.
        OwnerTypeMismatch = "owner_type_mismatch",
        /// The owner of a node is not known here.
        OwnerUnknown = "owner_unknown",
        /// A join mode is unknown.
        JoinModeUnknown = "join_mode_unknown",
        /// An edge leaves a node that is not there.
        EdgeSourceUnknown = "edge_source_unknown",
        /// An edge leads to a node that is not there.
        EdgeTargetUnknown = "edge_target_unknown",
        /// An edge leads from a node to itself.
        EdgeSelfLoop = "edge_self_loop",
        /// Two edges have the same nodes and condition, or the same id.
        EdgeDuplicate = "edge_duplicate",
        /// An entry is no node.
        EntryUnknown = "entry_unknown",
        /// An edge leads to an entry.
        EntryHasIncoming = "entry_has_incoming",
        /// No node can be begun with.
        EntryNone = "entry_none",
        /// Nodes wait for each other in a circle.
        GraphCycle = "graph_cycle",
        /// A node cannot be reached from any entry.
        NodeUnreachable = "node_unreachable",
        /// A condition is none.
        ConditionInvalid = "condition_invalid",
        /// A condition looks at what its source does not have.
        ConditionPathUnknown = "condition_path_unknown",
        /// All edges that leave a node have conditions, and none is the default.
        BranchNoDefault = "branch_no_default",
        /// Several edges that leave a node are its default.
        BranchMultipleDefault = "branch_multiple_default",
        /// A join joins nothing.
        JoinSingleUpstream = "join_single_upstream",
        /// An edge that leaves a switch has no condition and is not its default.
        SwitchUnconditionalEdge = "switch_unconditional_edge",
        /// A schema is none.
        SchemaInvalid = "schema_invalid",
        /// The input schema of a node is not there.
        InputSchemaUnknown = "input_schema_unknown",
        /// The output schema of a node is not there.
        OutputSchemaUnknown = "output_schema_unknown",
        /// No node refers to a schema.
        SchemaUnused = "schema_unused",
        /// A mapping takes what its source does not have.
        InputMappingUnknownSource = "input_mapping_unknown_source",
        /// A mapping fills what its target does not have.
        InputMappingUnknownTarget = "input_mapping_unknown_target",
        /// Nothing fills a required field of an input.
        InputRequiredUnmapped = "input_required_unmapped",
        /// A mapping fills a field with another type.
        InputTypeMismatch = "input_type_mismatch",
        /// Two deliverables of a node share a name, or one has none.
        DeliverableNameDuplicate = "deliverable_name_duplicate",
        /// The kind of a deliverable is unknown.
        DeliverableKindUnknown = "deliverable_kind_unknown",
        /// The type of a completion check is unknown.
        CheckTypeUnknown = "check_type_unknown",
        /// A check wants an output schema that the node does not have.
        CheckSchemaWithoutOutputSchema = "check_schema_without_output_schema",
        /// A check looks at a deliverable or field that is not declared.
        CheckTargetUnknown = "check_target_unknown",
        /// Nothing says when the work of a node is done.
        ContractEmpty = "contract_empty",
        /// A node has no success criteria.
        SuccessCriteriaMissing = "success_criteria_missing",
        /// `maxAttempts` is not between 1 and its cap.
        RetryAttemptsInvalid = "retry_attempts_invalid",
        /// Further attempts are allowed after no failure.
        RetryOnEmpty = "retry_on_empty",
        /// A retry is allowed that would have an effect again; the node will block instead.
        RetryRepeatsEffect = "retry_repeats_effect",
        /// A failure class or an action of a policy is unknown.
        FailurePolicyUnknown = "failure_policy_unknown",
        /// A rule retries a node that has one attempt.
        FailurePolicyRetryWithoutBudget = "failure_policy_retry_without_budget",
        /// Two rules are for the same failures; the first wins.
        FailurePolicyDuplicate = "failure_policy_duplicate",
        /// A timeout is negative or above its cap.
        TimeoutInvalid = "timeout_invalid",
        /// A tool is both allowed and denied.
        ToolAllowDenyConflict = "tool_allow_deny_conflict",
        /// A node of a person has a tool policy.
        HumanNodeHasTools = "human_node_has_tools",
        /// A node of a person has a timeout: then it fails with class `timeout`.
        HumanNodeTimeout = "human_node_timeout",
        /// A result has another form.
        ResultShapeInvalid = "result_shape_invalid",
        /// A result has no output, and the node has an output schema.
        OutputMissing = "output_missing",
        /// An output breaks its schema.
        OutputSchemaMismatch = "output_schema_mismatch",
        /// An output has a field that its schema does not name.
        OutputUnknownField = "output_unknown_field",
        /// A required deliverable is not there.
        DeliverableMissing = "deliverable_missing",
        /// An optional deliverable is not there.
        DeliverableOptionalMissing = "deliverable_optional_missing",
        /// An artifact is no deliverable of the node.
        DeliverableUndeclared = "deliverable_undeclared",
        /// An artifact has another kind than its deliverable.
        DeliverableKindMismatch = "deliverable_kind_mismatch",
        /// An artifact has neither content nor address.
        ArtifactEmpty = "artifact_empty",
        /// A completion check failed.
        CompletionCheckFailed = "completion_check_failed",
        /// A result does not say that a success criterion is met.
        SuccessCriterionUnattested = "success_criterion_unattested",
        /// A partial result does not say what is missing.
        PartialWithoutExplanation = "partial_without_explanation",
        /// A failed result does not say why.
        FailedWithoutReason = "failed_without_reason",
        /// A blocked result does not say why.
        BlockedWithoutReason = "blocked_without_reason",
    }
}

impl FindingCode {
    /// Whether it usually stops.
    #[must_use]
    pub const fn severity(self) -> Severity {
        let is_warning = matches!(
            self,
            Self::FieldUnknown
                | Self::OwnerUnknown
                | Self::BranchNoDefault
                | Self::JoinSingleUpstream
                | Self::SchemaUnused
                | Self::SuccessCriteriaMissing
                | Self::RetryOnEmpty
                | Self::RetryRepeatsEffect
                | Self::FailurePolicyDuplicate
                | Self::HumanNodeHasTools
                | Self::HumanNodeTimeout
                | Self::OutputUnknownField
                | Self::DeliverableOptionalMissing
                | Self::DeliverableUndeclared
                | Self::SuccessCriterionUnattested
        );
        if is_warning { Severity::Warning } else { Severity::Blocking }
    }
}

/// One thing that is wrong with a draft or a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing it is.
    pub code: FindingCode,
    /// Whether it stops.
    pub severity: Severity,
    /// Where it is, for example `nodes.2.owner`.
    pub path: String,
    /// What is wrong and what to do, for a person or an agent.
    pub message: String,
    /// The node that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl Finding {
    /// A finding of the code's usual severity.
    pub fn new(code: FindingCode, path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self { code, severity: code.severity(), path, message, node: None }
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same as one that stops.
    #[must_use]
    pub fn blocking(self) -> Self {
        Self { severity: Severity::Blocking, ..self }
    }
}

/// Whether one of them stops.
#[must_use]
pub fn has_blocking(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Blocking)
}

/// The ones that stop as one line: each as `CODE: message`.
#[must_use]
pub fn blocking_message(findings: &[Finding]) -> String {
    let blocking = findings.iter().filter(|finding| finding.severity == Severity::Blocking);
    let texts: Vec<String> =
        blocking.map(|finding| format!("{}: {}", finding.code, finding.message)).collect();
    texts.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_findings_that_stop_are_joined() {
        let findings = [
            Finding::new(FindingCode::PlanEmpty, "nodes", "no nodes"),
            Finding::new(FindingCode::SchemaUnused, "schemas.a", "unused"),
            Finding::new(FindingCode::PlanTitleMissing, "title", "no title"),
        ];

        assert_eq!(
            blocking_message(&findings),
            "plan_empty: no nodes | plan_title_missing: no title"
        );
        assert!(has_blocking(&findings) && !has_blocking(&findings[1..2]));
    }
}
