//! The JSON Schemas of what authors of plans write: drafts, and the results of nodes.

use serde_json::{Value, json};
use windlass_core::Text;
use windlass_core::graph::{
    ArtifactKind, CheckType, FailureAction, FailureTrigger, JoinMode, MAX_ATTEMPTS, MAX_NODES,
    MAX_PARALLEL, NodeType, OwnerType, ResultStatus, Severity,
};

/// The JSON Schema of a draft.
#[must_use]
pub fn draft_schema() -> Value {
    json!({
        "type": "object",
        "required": ["title", "objective", "nodes"],
        "properties": draft_properties(),
    })
}

/// The fields of a draft with their schemas.
pub(crate) fn draft_properties() -> Value {
    json!({
        "title": {"type": "string", "description": "What the plan is called."},
        "objective": {"type": "string", "description": "What it is for."},
        "lead": {"type": "string", "description": "Who leads it and may submit the results of all agents, for example `agent:planner`. By default who begins it."},
        "schemas": {
            "type": "object",
            "description": "Schemas of inputs and outputs by name: JSON Schemas, or `required: true` at each field.",
            "additionalProperties": {"type": "object"},
        },
        "nodes": {
            "type": "array", "minItems": 1, "maxItems": MAX_NODES, "items": node(),
            "description": "What is to be done, by agents, tools and people.",
        },
        "edges": {
            "type": "array", "items": edge(),
            "description": "Which node waits for which. A node without incoming edges begins at once.",
        },
        "entryNodeIds": {
            "type": "array", "items": {"type": "string"},
            "description": "The nodes to begin with. By default all without incoming edges.",
        },
        "maxParallel": {"type": "integer", "minimum": 1, "maximum": MAX_PARALLEL, "description": "How many nodes may be at work at once. 1 by default."},
        "failureBudget": {"type": "integer", "minimum": 1, "description": "How many final failures in a row stop the run. 2 by default."},
    })
}

fn node() -> Value {
    let mut properties = json!({
        "id": {"type": "string", "description": "Its id: letters, digits, `-` and `_`."},
        "type": {
            "enum": words(NodeType::ALL),
            "description": "`action` is work; `tool` one call of a tool; `switch` chooses between its outgoing edges; `join` brings branches together; `human-…` asks a person.",
        },
        "label": {"type": "string", "description": "Its name for people."},
        "owner": {
            "type": "object",
            "description": "Who does it.",
            "required": ["executorType", "ref"],
            "properties": {
                "executorType": {"enum": words(OwnerType::ALL)},
                "ref": {"type": "string", "description": "The name of the agent or the person, or the tool of `system`, such as `Files.append`."},
            },
        },
        "objective": {"type": "string", "description": "What it is for."},
        "instructions": {"type": "string", "description": "What is to be done. A person is shown it as the question."},
        "input": {"type": "object", "description": "Constants of its input. What edges map goes over them."},
        "inputSchemaRef": {"type": "string", "description": "The name of its input's schema in `schemas`."},
        "outputSchemaRef": {"type": "string", "description": "The name of its output's schema in `schemas`. A result that breaks it is rejected."},
        "successCriteria": {"type": "array", "items": {"type": "string"}, "description": "When it is done well."},
        "timeoutMs": {"type": "integer", "minimum": 0, "description": "How long it may take; 0 is no limit."},
        "joinMode": {"enum": words(JoinMode::ALL), "description": "When it may begin where several edges lead to it."},
    });
    let policies = policies();
    if let (Some(properties), Value::Object(policies)) = (properties.as_object_mut(), policies) {
        properties.extend(policies);
    }
    json!({"type": "object", "required": ["id", "label", "owner"], "properties": properties})
}

fn policies() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "deliverables": {"type": "array", "description": "What it makes.", "items": {
            "type": "object", "required": ["name", "kind"],
            "properties": {
                "name": {"type": "string"}, "kind": {"enum": words(ArtifactKind::ALL)},
                "required": {"type": "boolean"}, "description": {"type": "string"},
            },
        }},
        "completionChecks": {"type": "array", "description": "What its result is checked for.", "items": {
            "type": "object", "required": ["type"],
            "properties": {
                "type": {"enum": words(CheckType::ALL)}, "description": {"type": "string"},
                "target": {"type": "string", "description": "The deliverable, or the field of the output."},
                "value": {}, "min": {"type": "integer", "minimum": 0}, "max": {"type": "integer", "minimum": 0},
                "severity": {"enum": words(Severity::ALL)},
            },
        }},
        "retryPolicy": {"type": "object", "description": "When it is tried again.", "properties": {
            "maxAttempts": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS},
            "backoffMs": {"type": "integer", "minimum": 0},
            "retryOn": {"type": "array", "items": {"enum": words(FailureTrigger::ALL)}},
        }},
        "failurePolicy": {
            "type": "array",
            "description": "What happens when it failed for good: the first rule that fits. By default it blocks.",
            "items": {
                "type": "object", "required": ["on", "action"],
                "properties": {"on": {"enum": words(FailureTrigger::ALL)}, "action": {"enum": words(FailureAction::ALL)}},
            },
        },
        "toolPolicy": {"type": "object", "properties": {"allow": texts, "deny": texts}},
        "contextPolicy": {"type": "object", "properties": {
            "retrievalScopes": texts, "attachmentPolicy": {"type": "string"}, "webPolicy": {"type": "string"},
        }},
    })
}

fn edge() -> Value {
    json!({
        "type": "object", "required": ["from", "to"],
        "properties": {
            "id": {"type": "string"},
            "from": {"type": "string", "description": "The node that it leaves."},
            "to": {"type": "string", "description": "The node that it leads to."},
            "when": {
                "type": "object",
                "description": "It is taken only if this holds: `{path, op, value}`, `{all: […]}`, `{any: […]}` or `{not: …}`. A path begins with `output.`, `response.` or is `status`.",
            },
            "map": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "Fields of the target's input, and the paths in the source that fill them, such as `output.text`.",
            },
            "default": {"type": "boolean", "description": "It is taken where no edge with a condition beside it is."},
            "label": {"type": "string"},
        },
    })
}

/// The JSON Schema of the result of a node.
pub(crate) fn result_schema() -> Value {
    json!({
        "type": "object", "required": ["status"],
        "properties": {
            "status": {"enum": words(ResultStatus::ALL), "description": "What became of the node."},
            "output": {"description": "The data for the nodes after it. It has to fit the node's output schema."},
            "artifacts": {"type": "array", "description": "What was made: a node's deliverables.", "items": {
                "type": "object", "required": ["name", "kind"],
                "properties": {
                    "name": {"type": "string"}, "kind": {"enum": words(ArtifactKind::ALL)},
                    "content": {}, "pointer": {"type": "string", "description": "Where it is, instead of its content."},
                    "description": {"type": "string"},
                },
            }},
            "criteria": {"type": "array", "description": "Whether each success criterion is met.", "items": {
                "type": "object", "required": ["criterion", "met"],
                "properties": {"criterion": {"type": "string"}, "met": {"type": "boolean"}, "evidence": {"type": "string"}},
            }},
            "notes": {"type": "string"},
            "reason": {"type": "string", "description": "Why it failed, is blocked or is not whole."},
            "failureClass": {"enum": words(FailureTrigger::ALL)},
        },
    })
}

fn words<T: Text>(all: &[T]) -> Vec<String> {
    all.iter().map(Text::to_text).collect()
}

#[cfg(test)]
mod tests {
    use windlass_core::graph::{Draft, mismatches};

    use super::*;

    #[test]
    fn what_a_draft_can_say_is_what_its_schema_says() {
        let node = json!({
            "id": "a", "type": "action", "label": "A", "objective": "o", "instructions": "i",
            "owner": {"executorType": "agent", "ref": "ada"}, "input": {"x": 1}, "inputSchemaRef": "s", "outputSchemaRef": "s",
            "deliverables": [{"name": "d", "kind": "text"}], "successCriteria": ["good"],
            "completionChecks": [{"type": "schema"}], "retryPolicy": {"maxAttempts": 1},
            "failurePolicy": [{"on": "any", "action": "block-run"}], "timeoutMs": 1, "toolPolicy": {"allow": []},
            "contextPolicy": {}, "joinMode": "any",
        });
        let draft = json!({
            "title": "t", "objective": "o", "lead": "agent:ada", "schemas": {"s": {"type": "object"}}, "nodes": [node],
            "edges": [{"id": "e", "from": "a", "to": "a", "when": {}, "map": {}, "default": true, "label": "l"}],
            "entryNodeIds": ["a"], "maxParallel": 2, "failureBudget": 3,
        });
        let names = |value: &Value| -> std::collections::BTreeSet<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let schema = draft_schema();

        assert_eq!(mismatches(&schema, &draft), []);
        assert_eq!(names(&schema["properties"]), names(&draft));
        for (list, item) in [("nodes", &draft["nodes"][0]), ("edges", &draft["edges"][0])] {
            assert_eq!(names(&schema["properties"][list]["items"]["properties"]), names(item));
        }
        let read: Draft = serde_json::from_value(draft).unwrap();
        assert!(read.unknown.is_empty() && read.nodes[0].unknown.is_empty());
        assert!(read.edges[0].unknown.is_empty());
    }
}
