//! The kinds of inputs: which things of the outside world may be registered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use windlass_core::Failure;

/// The known kinds: a source (the connector's namespace) and a type (what it yields). A workflow may declare others.
pub const INPUT_KINDS: [(&str, &str); 11] = [
    ("Gmail", "email"),
    ("GoogleDrive", "file"),
    ("GoogleSheets", "row"),
    ("GoogleDocs", "document"),
    ("Notion", "page"),
    ("System", "time"),
    ("System", "random"),
    ("Web", "page"),
    ("Files", "file"),
    ("Http", "page"),
    ("Mail", "message"),
];

/// Checks that things of this kind may be registered as inputs.
///
/// # Errors
/// A logic failure that lists the known kinds.
pub fn check_input_kind(source: &str, kind: &str) -> Result<(), Failure> {
    if INPUT_KINDS.contains(&(source, kind)) {
        return Ok(());
    }
    let known: Vec<_> =
        INPUT_KINDS.iter().map(|(source, kind)| format!("{source}/{kind}")).collect();
    Err(Failure::logic(format!(
        "`{source}/{kind}` is no kind of input (known: {}): declare it in the workflow, `inputs: {{ {}: [{}] }}`",
        known.join(", "),
        Value::from(source),
        Value::from(kind)
    )))
}

/// The same in a workflow that declares kinds of its own: types by source.
pub(crate) fn check_kind_in_workflow(
    declared: &BTreeMap<String, BTreeSet<String>>,
    source: &str,
    kind: &str,
) -> Result<(), Failure> {
    match declared.get(source) {
        Some(types) if types.contains(kind) => Ok(()),
        Some(_) | None => check_input_kind(source, kind),
    }
}

/// The longest id of an input or an event, in bytes: every database can index it.
const MAX_ID_BYTES: usize = 2_000;

/// Checks the length of an id; `property` is its name in the script.
pub(crate) fn check_id(property: &str, id: &str) -> Result<(), Failure> {
    if id.len() <= MAX_ID_BYTES {
        return Ok(());
    }
    Err(Failure::logic(format!(
        "`{property}` has {} bytes, and an id may have {MAX_ID_BYTES}: take the thing's own id, and put the rest into the payload",
        id.len()
    )))
}

/// Checks the ids in the input of a function of `Topics` with half a character in it: two ids that differed may be equal now.
pub(crate) fn check_whole_ids(input: &Value) -> Result<(), Failure> {
    for (property, place) in [("messageId", "/event/messageId"), ("id", "/id")] {
        let id = input.pointer(place).and_then(Value::as_str);
        if let Some(id) = id.filter(|id| id.contains(char::REPLACEMENT_CHARACTER)) {
            return Err(Failure::logic(format!(
                "`{property}` contains half of a character (`{id}`): cut texts between characters, for example with `[...text]`"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use windlass_core::FailureClass;

    use super::*;

    #[test]
    fn every_kind_of_the_table_is_accepted() {
        for (source, kind) in INPUT_KINDS {
            assert_eq!(check_input_kind(source, kind), Ok(()));
        }
    }

    #[test]
    fn a_kind_of_ones_own_is_refused_with_the_known_ones() {
        let failure = check_input_kind("Gmail newsletter", "email").unwrap_err();

        assert_eq!(failure.class, FailureClass::Logic);
        assert!(failure.message.contains("`Gmail newsletter/email`"), "{failure}");
        assert!(
            failure.message.contains("Gmail/email") && failure.message.contains("Mail/message")
        );
    }

    #[test]
    fn a_kind_that_the_workflow_declares_is_accepted() {
        let types = BTreeSet::from(["order".to_owned()]);
        let declared = BTreeMap::from([("Shopify".to_owned(), types)]);
        let check = |source, kind| check_kind_in_workflow(&declared, source, kind);

        assert_eq!(check("Shopify", "order"), Ok(()));
        assert_eq!(check("Mail", "message"), Ok(()));
        let failure = check("Shopify", "refund").unwrap_err();
        assert!(failure.message.contains(r#"`inputs: { "Shopify": ["refund"] }`"#), "{failure}");
    }

    #[test]
    fn an_id_that_has_lost_half_a_character_is_refused() {
        for whole in [serde_json::json!({"id": "é"}), serde_json::json!({"title": "\u{fffd}"})] {
            assert_eq!(check_whole_ids(&whole), Ok(()));
        }
        for (cut, property) in [
            (serde_json::json!({"id": "a\u{fffd}"}), "`id`"),
            (serde_json::json!({"event": {"messageId": "a\u{fffd}"}}), "`messageId`"),
        ] {
            let refused = check_whole_ids(&cut).unwrap_err();
            assert!(refused.message.contains(property), "{refused}");
        }
    }

    #[test]
    fn source_and_type_belong_together() {
        assert!(check_input_kind("Gmail", "page").is_err());
    }
}
