//! What people are asked, and what counts as their answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::text::text_enum;

text_enum! {
    /// What a person is asked for.
    pub enum ApprovalKind ("a kind of approval") {
        /// To give something.
        HumanInput = "human-input",
        /// To agree or refuse.
        HumanApproval = "human-approval",
        /// To edit what was made.
        HumanReviewEdit = "human-review-edit",
        /// To choose.
        HumanDecision = "human-decision",
        /// To let a run start.
        Start = "start",
        /// To look at what was done.
        Review = "review",
        /// To say what is missing.
        Question = "question",
        /// What to do with a node that failed for good.
        Escalation = "escalation",
    }
}

impl ApprovalKind {
    /// Whether the answer is yes or no. No free text says that.
    #[must_use]
    pub const fn is_yes_or_no(self) -> bool {
        matches!(self, Self::HumanApproval | Self::Start | Self::Review | Self::Escalation)
    }
}

text_enum! {
    /// What became of an approval.
    pub enum ApprovalStatus ("a status of an approval") {
        /// Nobody has answered.
        Pending = "pending",
        /// A person agreed.
        Approved = "approved",
        /// A person refused.
        Rejected = "rejected",
        /// A person wants something to be done otherwise.
        ChangesRequested = "changes-requested",
        /// A person answered.
        Answered = "answered",
        /// What it was about ended before.
        Cancelled = "cancelled",
        /// Its time was over.
        Expired = "expired",
    }
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What kind of answer is wanted.
    pub kind: ApprovalKind,
    /// Whether it is still open.
    pub status: ApprovalStatus,
    /// The digest of exactly what was shown.
    pub presented_digest: &'a str,
    /// The name of the only person who may answer; none where every person may.
    pub owner: Option<&'a str>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovalAnswer {
    /// The approval that it answers; none where it answers the one that is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_id: Option<String>,
    /// Yes or no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
    /// What has to be done otherwise.
    pub required_edits: Vec<String>,
    /// What the person says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// What the person wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_text: Option<String>,
    /// Further data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Map<String, Value>>,
    /// The message that it came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The digest of what the person saw. An answer out of a chat has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presented_digest: Option<String>,
}

/// An approval that was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What became of it.
    pub status: ApprovalStatus,
    /// The output that it gives the node.
    pub response: Value,
    /// What has to be done otherwise.
    pub required_edits: Vec<String>,
    /// What the person said about it.
    pub comments: Option<String>,
    /// Who answered.
    pub by: String,
}

/// Why an answer does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalRefused {
    /// Only people answer.
    #[error("`{0}` is no person, and only a person answers an approval")]
    NoPerson(Actor),
    /// Another person is asked.
    #[error("`{0}` is asked, and nobody else")]
    OtherPerson(String),
    /// It was settled before. The caller shows how.
    #[error("the approval is {0} already: nothing changes")]
    Closed(ApprovalStatus),
    /// The person saw something else.
    #[error("what was shown is not what is asked now: look at it again")]
    Outdated,
    /// Yes or no is wanted.
    #[error("a {0} is answered with `approved`: yes or no; a text does not count")]
    YesOrNo(ApprovalKind),
    /// The answer is empty.
    #[error("the answer to a {0} is empty: write something")]
    Empty(ApprovalKind),
}

/// Settles an approval. It is settled once, by a person, who saw what is asked.
///
/// # Errors
/// [`ApprovalRefused`] says why the answer does not count.
pub fn settle(
    asked: &Asked<'_>,
    answer: ApprovalAnswer,
    by: &Actor,
) -> Result<Settled, ApprovalRefused> {
    let Actor::User(name) = by else { return Err(ApprovalRefused::NoPerson(by.clone())) };
    if let Some(owner) =
        asked.owner.filter(|owner| owner.strip_prefix("user:").unwrap_or(owner) != name)
    {
        return Err(ApprovalRefused::OtherPerson(owner.to_owned()));
    }
    if asked.status != ApprovalStatus::Pending {
        return Err(ApprovalRefused::Closed(asked.status));
    }
    if answer.presented_digest.as_ref().is_some_and(|digest| digest != asked.presented_digest) {
        return Err(ApprovalRefused::Outdated);
    }
    let text = answer.response_text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let status = if asked.kind.is_yes_or_no() {
        match answer.approved {
            None => return Err(ApprovalRefused::YesOrNo(asked.kind)),
            Some(true) => ApprovalStatus::Approved,
            Some(false) if answer.required_edits.is_empty() => ApprovalStatus::Rejected,
            Some(false) => ApprovalStatus::ChangesRequested,
        }
    } else if text.is_none() && answer.response.as_ref().is_none_or(Map::is_empty) {
        return Err(ApprovalRefused::Empty(asked.kind));
    } else {
        ApprovalStatus::Answered
    };
    Ok(Settled {
        status,
        response: response(asked.kind, &answer, text),
        required_edits: answer.required_edits,
        comments: answer.comments.filter(|comments| !comments.trim().is_empty()),
        by: by.to_string(),
    })
}

/// The answer as the output of a node. Whether a decision agrees is for the conditions after it, which read its text.
fn response(kind: ApprovalKind, answer: &ApprovalAnswer, text: Option<&str>) -> Value {
    let mut fields = answer.response.clone().unwrap_or_default();
    let own = [
        ("responseText", text.map(Value::from)),
        ("messageId", answer.message_id.clone().map(Value::from)),
        ("approved", answer.approved.filter(|_approved| kind.is_yes_or_no()).map(Value::from)),
        ("requiredEdits", kind.is_yes_or_no().then(|| json!(answer.required_edits))),
        (
            "comments",
            answer.comments.clone().filter(|text| !text.trim().is_empty()).map(Value::from),
        ),
    ];
    fields.extend(own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Value::Object(fields)
}

text_enum! {
    /// Who wrote a message of a chat.
    pub enum ChatRole ("who writes a message") {
        /// A person.
        User = "user",
        /// An agent, whose messages also carry what a person clicked.
        Assistant = "assistant",
        /// The program around them.
        System = "system",
    }
}

/// A message of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub role: ChatRole,
    /// Its text.
    pub text: String,
    /// The data that it carries.
    pub data: Vec<Value>,
}

/// The answer in the newest message of an assistant that carries one: `{approvalId, approved, requiredEdits, comments}`. The last message
/// is the newest.
#[must_use]
pub fn from_messages(messages: &[ChatMessage]) -> Option<ApprovalAnswer> {
    let of_assistant = messages.iter().rev().filter(|message| message.role == ChatRole::Assistant);
    of_assistant.flat_map(|message| message.data.iter().map(move |data| (message, data))).find_map(
        |(message, data)| {
            let answer: ApprovalAnswer = serde_json::from_value(data.clone()).ok()?;
            let is_answer = answer.approved.is_some()
                && answer.approval_id.as_ref().is_some_and(|id| !id.trim().is_empty());
            is_answer.then(|| ApprovalAnswer { message_id: Some(message.id.clone()), ..answer })
        },
    )
}

/// The answer that a person's message is to what is waited for. No text agrees or refuses, and no text at all is no answer.
#[must_use]
pub fn from_text(kind: ApprovalKind, message: &ChatMessage) -> Option<ApprovalAnswer> {
    let text = message.text.trim();
    let answers = message.role == ChatRole::User && !kind.is_yes_or_no() && !text.is_empty();
    answers.then(|| ApprovalAnswer {
        response_text: Some(text.to_owned()),
        message_id: Some(message.id.clone()),
        ..ApprovalAnswer::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: ApprovalKind) -> Asked<'static> {
        Asked { kind, status: ApprovalStatus::Pending, presented_digest: "d", owner: None }
    }

    fn person() -> Actor {
        Actor::User("ada".to_owned())
    }

    fn yes() -> ApprovalAnswer {
        ApprovalAnswer { approved: Some(true), ..ApprovalAnswer::default() }
    }

    fn message(role: ChatRole, text: &str, data: Value) -> ChatMessage {
        ChatMessage { id: format!("m-{text}"), role, text: text.to_owned(), data: vec![data] }
    }

    #[test]
    fn only_a_person_settles_once_what_was_shown() {
        let question = asked(ApprovalKind::HumanApproval);
        for nobody in ["agent:ada", "worker:wrk_1", "windlass"] {
            let by: Actor = nobody.parse().unwrap();
            assert_eq!(settle(&question, yes(), &by), Err(ApprovalRefused::NoPerson(by.clone())));
        }
        for status in ApprovalStatus::ALL.iter().filter(|it| **it != ApprovalStatus::Pending) {
            let closed = Asked { status: *status, ..question };
            assert_eq!(settle(&closed, yes(), &person()), Err(ApprovalRefused::Closed(*status)));
        }
        let of =
            |digest: &str| ApprovalAnswer { presented_digest: Some(digest.to_owned()), ..yes() };
        assert_eq!(settle(&question, of("e"), &person()), Err(ApprovalRefused::Outdated));
        assert_eq!(settle(&question, of("d"), &person()).unwrap().status, ApprovalStatus::Approved);
        let other = Asked { owner: Some("bob"), ..question };
        assert_eq!(
            settle(&other, yes(), &person()),
            Err(ApprovalRefused::OtherPerson("bob".to_owned()))
        );
    }

    #[test]
    fn a_refusal_with_edits_asks_for_changes_and_a_text_never_agrees() {
        let question = asked(ApprovalKind::HumanApproval);
        let no = ApprovalAnswer { approved: Some(false), ..ApprovalAnswer::default() };
        let edits = ApprovalAnswer { required_edits: vec!["shorter".to_owned()], ..no.clone() };
        let text =
            ApprovalAnswer { response_text: Some("yes".to_owned()), ..ApprovalAnswer::default() };

        assert_eq!(settle(&question, no, &person()).unwrap().status, ApprovalStatus::Rejected);
        let changed = settle(&question, edits, &person()).unwrap();
        assert_eq!(changed.status, ApprovalStatus::ChangesRequested);
        assert_eq!(changed.required_edits, ["shorter"]);
        let refused = settle(&question, text, &person());
        assert_eq!(refused, Err(ApprovalRefused::YesOrNo(ApprovalKind::HumanApproval)));
    }

    #[test]
    fn a_decision_is_its_text_and_does_not_agree_by_itself() {
        let said_no = message(ChatRole::User, " no ", Value::Null);
        let answer = from_text(ApprovalKind::HumanDecision, &said_no).unwrap();

        let settled = settle(&asked(ApprovalKind::HumanDecision), answer, &person()).unwrap();

        assert_eq!(settled.response, json!({"responseText": "no", "messageId": "m- no "}));
        assert_eq!(from_text(ApprovalKind::HumanApproval, &said_no), None);
        assert_eq!(
            from_text(ApprovalKind::HumanInput, &message(ChatRole::User, "  ", Value::Null)),
            None
        );
        assert_eq!(
            from_text(ApprovalKind::HumanInput, &message(ChatRole::Assistant, "x", Value::Null)),
            None
        );
        let empty = settle(&asked(ApprovalKind::HumanInput), ApprovalAnswer::default(), &person());
        assert_eq!(empty, Err(ApprovalRefused::Empty(ApprovalKind::HumanInput)));
    }

    #[test]
    fn the_newest_answer_of_an_assistant_counts() {
        let answer = |id: &str, approved: bool| json!({"approvalId": id, "approved": approved, "requiredEdits": []});
        let messages = [
            message(ChatRole::Assistant, "old", answer("apr_1", true)),
            message(ChatRole::Assistant, "new", answer("apr_2", false)),
            message(ChatRole::Assistant, "chat", json!({"approved": true})),
            message(ChatRole::User, "person", answer("apr_3", true)),
        ];

        let found = from_messages(&messages).unwrap();

        assert_eq!((found.approval_id.as_deref(), found.approved), (Some("apr_2"), Some(false)));
        assert_eq!(found.message_id.as_deref(), Some("m-new"));
        assert_eq!(from_messages(&messages[3..]), None);
    }
}
