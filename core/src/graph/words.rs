//! The words of graphs: every value that is stored and shown as one text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::{Text, text_enum};

text_enum! {
    /// What a node is.
    pub enum NodeType ("a node type") {
        /// Work of an agent, a skill or a tool.
        Action = "action",
        /// One call of a tool.
        Tool = "tool",
        /// Work that checks other work.
        Validate = "validate",
        /// Work that brings data into another form.
        Transform = "transform",
        /// Chooses between its outgoing edges, and passes its input on.
        Switch = "switch",
        /// Brings branches together, and passes its input on.
        Join = "join",
        /// A person gives something.
        HumanInput = "human-input",
        /// A person agrees or refuses.
        HumanApproval = "human-approval",
        /// A person edits what was made.
        HumanReviewEdit = "human-review-edit",
        /// A person chooses.
        HumanDecision = "human-decision",
    }
}

impl NodeType {
    /// Whether a person answers it.
    #[must_use]
    pub const fn is_human(self) -> bool {
        matches!(
            self,
            Self::HumanInput | Self::HumanApproval | Self::HumanReviewEdit | Self::HumanDecision
        )
    }

    /// Whether it only directs the flow, and so completes by itself.
    #[must_use]
    pub const fn is_structural(self) -> bool {
        matches!(self, Self::Switch | Self::Join)
    }

    /// Whether an agent, a skill or a tool has to do something.
    #[must_use]
    pub const fn is_work(self) -> bool {
        !self.is_human() && !self.is_structural()
    }
}

text_enum! {
    /// Who does a node.
    pub enum OwnerType ("a type of owner") {
        /// An agent, which submits its result.
        Agent = "agent",
        /// A person.
        User = "user",
        /// A tool, which a worker calls.
        System = "system",
        /// A skill, which a worker runs.
        Plugin = "plugin",
    }
}

impl OwnerType {
    /// Whether workers run the nodes of this owner.
    #[must_use]
    pub const fn is_worker(self) -> bool {
        matches!(self, Self::System | Self::Plugin)
    }
}

text_enum! {
    /// How far a node has come.
    pub enum NodeStatus ("a node status") {
        /// It waits for nodes before it.
        Pending = "pending",
        /// It may begin.
        Ready = "ready",
        /// It is at work.
        Running = "running",
        /// A person was asked.
        AwaitingHuman = "awaiting-human",
        /// Something stopped it, and somebody has to act.
        Blocked = "blocked",
        /// It is done.
        Completed = "completed",
        /// It is done in part, and the nodes after it go on.
        Partial = "partial",
        /// It failed, and the run with it.
        Failed = "failed",
        /// It is left out.
        Skipped = "skipped",
        /// Its run ended before it.
        Cancelled = "cancelled",
    }
}

impl NodeStatus {
    /// Whether the node is over.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Partial | Self::Failed | Self::Skipped | Self::Cancelled
        )
    }

    /// Whether the node has a result that other nodes go on with.
    #[must_use]
    pub const fn has_result(self) -> bool {
        matches!(self, Self::Completed | Self::Partial)
    }

    /// Whether the node takes one of the places of `maxParallel`.
    #[must_use]
    pub const fn is_begun(self) -> bool {
        matches!(self, Self::Running | Self::AwaitingHuman)
    }
}

text_enum! {
    /// How far a run of a graph has come.
    pub enum GraphStatus ("a status of a graph's run") {
        /// It goes on by itself, or an agent is at work.
        Running = "running",
        /// It waits for a person's answer.
        AwaitingHuman = "awaiting-human",
        /// It stopped, and somebody has to act.
        Blocked = "blocked",
        /// All nodes are over.
        Completed = "completed",
        /// A node failed.
        Failed = "failed",
        /// It was cancelled or replaced.
        Aborted = "aborted",
    }
}

impl GraphStatus {
    /// Whether nothing of the run changes any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Aborted)
    }
}

text_enum! {
    /// What became of one attempt at a node.
    pub enum AttemptStatus ("an attempt status") {
        /// It is under way.
        Running = "running",
        /// Its result was accepted.
        Accepted = "accepted",
        /// Its result was accepted as a part of what was wanted.
        Partial = "partial",
        /// Its result broke the node's contract.
        Rejected = "rejected",
        /// It gave no result.
        Failed = "failed",
        /// It took too long.
        TimedOut = "timed-out",
        /// Its run ended before it.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// What kind of thing a node makes.
    pub enum ArtifactKind ("a kind of artifact") {
        /// A text with Markdown.
        Markdown = "markdown",
        /// A plain text.
        Text = "text",
        /// A JSON value.
        Json = "json",
        /// Rows.
        Table = "table",
        /// A file, by its path.
        File = "file",
        /// An address.
        Url = "url",
        /// A pull request, by its address.
        Pr = "pr",
        /// A ticket, by its address.
        Ticket = "ticket",
        /// A number that was measured.
        Metric = "metric",
        /// A build of Chromatic, by its address.
        Chromatic = "chromatic",
    }
}

text_enum! {
    /// Whether a version of an artifact counts.
    pub enum ArtifactStatus ("a status of an artifact") {
        /// It is the one that counts.
        Current = "current",
        /// A newer one counts, or its node is done anew.
        Superseded = "superseded",
        /// The result that it came with was rejected.
        Rejected = "rejected",
    }
}

text_enum! {
    /// What a completion check looks at.
    pub enum CheckType ("a type of completion check") {
        /// The output follows the node's output schema.
        Schema = "schema",
        /// The deliverable `target` is there.
        DeliverablePresent = "deliverable-present",
        /// The output has the field `target`.
        FieldPresent = "field-present",
        /// The field `target` of the output is `value`.
        FieldEquals = "field-equals",
        /// The text of the deliverable or field `target` has at least `min` characters.
        MinLength = "min-length",
        /// The list `target` of the output has between `min` and `max` items.
        CountRange = "count-range",
        /// Whoever submits the result says so.
        ManualAttestation = "manual-attestation",
        /// The same, for a check that the author describes.
        Custom = "custom",
    }
}

text_enum! {
    /// When a node with several incoming edges may begin.
    pub enum JoinMode ("a join mode") {
        /// Each edge is settled, and at least one is taken.
        AllSettled = "all-settled",
        /// Each edge is taken.
        AllTaken = "all-taken",
        /// One edge is taken.
        Any = "any",
    }
}

text_enum! {
    /// Why a node failed or is blocked.
    pub enum NodeFailureClass ("a class of failures of a node") {
        /// The result broke the node's contract.
        ValidationFailed = "validation-failed",
        /// A tool or whoever did the work failed.
        ToolError = "tool-error",
        /// It took too long.
        Timeout = "timeout",
        /// A model failed.
        ModelError = "model-error",
        /// A person refused.
        RejectedByHuman = "rejected-by-human",
        /// The input breaks the node's input schema.
        InputInvalid = "input-invalid",
        /// Whoever has the node said that it cannot go on.
        ReportedBlocked = "reported-blocked",
        /// It is not known whether the node's effect happened.
        InDoubt = "in-doubt",
        /// The node's effect happened, in this or an earlier run, and it may not be repeated without a person's word.
        EffectHappened = "effect-happened",
    }
}

text_enum! {
    /// What a rule of a failure policy is for.
    pub enum FailureTrigger ("what a failure rule is for") {
        /// [`NodeFailureClass::ValidationFailed`].
        ValidationFailed = "validation-failed",
        /// [`NodeFailureClass::ToolError`].
        ToolError = "tool-error",
        /// [`NodeFailureClass::Timeout`].
        Timeout = "timeout",
        /// [`NodeFailureClass::ModelError`].
        ModelError = "model-error",
        /// [`NodeFailureClass::RejectedByHuman`].
        RejectedByHuman = "rejected-by-human",
        /// Every failure.
        Any = "any",
    }
}

impl FailureTrigger {
    /// Whether it is for a failure of this class. A block and a doubt are no failures.
    #[must_use]
    pub const fn covers(self, class: NodeFailureClass) -> bool {
        match class {
            NodeFailureClass::ValidationFailed => {
                matches!(self, Self::ValidationFailed | Self::Any)
            }
            NodeFailureClass::ToolError => matches!(self, Self::ToolError | Self::Any),
            NodeFailureClass::Timeout => matches!(self, Self::Timeout | Self::Any),
            NodeFailureClass::ModelError => matches!(self, Self::ModelError | Self::Any),
            NodeFailureClass::RejectedByHuman => matches!(self, Self::RejectedByHuman | Self::Any),
            NodeFailureClass::InputInvalid
            | NodeFailureClass::ReportedBlocked
            | NodeFailureClass::InDoubt
            | NodeFailureClass::EffectHappened => false,
        }
    }
}

text_enum! {
    /// What a rule of a failure policy does once no retry is left.
    pub enum FailureAction ("what a failure rule does") {
        /// One more attempt than the retry policy allows.
        Retry = "retry",
        /// The node waits for a person; other branches go on.
        BlockRun = "block-run",
        /// The node and what depends on it alone are left out.
        SkipNode = "skip-node",
        /// The nodes after it go on without its result.
        ContinuePartial = "continue-partial",
        /// A person is asked.
        EscalateHuman = "escalate-human",
        /// The run fails.
        FailRun = "fail-run",
    }
}

text_enum! {
    /// How far the call of a recorded step can be undone. The engine shows it and never undoes anything.
    pub enum Cancellability ("how far a step can be undone") {
        /// Wholly.
        Reversible = "reversible",
        /// In part.
        PartiallyReversible = "partially-reversible",
        /// Not at all.
        Irreversible = "irreversible",
    }
}

text_enum! {
    /// Whether a finding stops.
    pub enum Severity ("a severity") {
        /// Nothing is accepted while it stands.
        Blocking = "blocking",
        /// It is shown and kept.
        Warning = "warning",
    }
}

/// A word of a draft: one of the known ones, or what the author wrote instead. The validator reports the unknown ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<T> {
    /// A known word.
    Known(T),
    /// Another text.
    Unknown(String),
}

impl<T: Text> Word<T> {
    /// Reads a word; spaces around it do not count.
    #[must_use]
    pub fn read(text: &str) -> Self {
        T::parse_text(text.trim())
            .map_or_else(|_unknown| Self::Unknown(text.to_owned()), Self::Known)
    }
}

impl<T> Word<T> {
    /// The word, where it is known.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(word) => Some(word),
            Self::Unknown(_) => None,
        }
    }
}

impl<T: Text + Serialize> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(word) => word.serialize(serializer),
            Self::Unknown(text) => text.serialize(serializer),
        }
    }
}

impl<'de, T: Text> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::read(&String::deserialize(deserializer)?))
    }
}
