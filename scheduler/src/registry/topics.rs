//! `Topics`: the functions that the scheduler itself offers to scripts, described like tools.

use serde_json::{Value, json};
use windlass_core::Operation;

use crate::inputs::INPUT_KINDS;
use crate::tool::ToolSpec;

/// The namespace of the scheduler's own functions.
pub(super) const NAMESPACE: &str = "Topics";

/// A function of `Topics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicsFunction {
    /// Pending events, oldest first.
    Peek,
    /// Events by message id.
    GetByIds,
    /// Publishes an event to one topic or several.
    Publish,
    /// Registers a thing of the outside world as an input.
    RegisterInput,
}

impl TopicsFunction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Peek, Self::GetByIds, Self::Publish, Self::RegisterInput];

    /// Which operation a call of it is.
    #[must_use]
    pub const fn operation(self) -> Operation {
        match self {
            Self::Peek | Self::GetByIds => Operation::TopicPeek,
            Self::Publish => Operation::TopicPublish,
            Self::RegisterInput => Operation::RegisterInput,
        }
    }

    pub(super) fn spec(self) -> ToolSpec {
        let (method, docs, input, output) = match self {
            Self::Peek => ("peek", PEEK, peek_input(), events()),
            Self::GetByIds => ("getByIds", GET_BY_IDS, get_by_ids_input(), events()),
            Self::Publish => ("publish", PUBLISH, publish_input(), json!({"type": "null"})),
            Self::RegisterInput => {
                ("registerInput", REGISTER_INPUT, register_input(), register_output())
            }
        };
        ToolSpec {
            namespace: NAMESPACE.to_owned(),
            method: method.to_owned(),
            docs: docs.to_owned(),
            input,
            output,
            input_types: Vec::new(),
        }
    }
}

const PEEK: &str = "\
Looks at the pending events of a subscribed topic, oldest first.

Only in `prepare`. Looking reserves nothing: name the events to process in the `reservations` that `prepare` returns.";

const GET_BY_IDS: &str = "\
Gets events of a subscribed topic by message id, whatever their status.

Only in `prepare`. Ids that the topic does not have are absent from the answer.";

const PUBLISH: &str = "\
Puts an event into a topic, or the same event into several.

In a producer's handler (with the `inputId` that `Topics.registerInput` gave) and in `next` (without: the inputs of the \
reserved events are inherited). Build `messageId` from the outside thing's own stable id, never from a clock, a counter \
or a random number: publishing an id again makes no second event. While the event is pending the new payload replaces \
the old one; after that it is left alone.";

const REGISTER_INPUT: &str = "\
Enters an outside thing into the input ledger and returns its input id.

Only in a producer's handler, before publishing what the thing caused. Registering the same `source`, `type` and `id` \
again returns the same input id, and the first title stays. People read the title: say what the thing is, with \
something that tells it from its neighbours, for example the sender and the subject.";

fn topic() -> Value {
    json!({"type": "string", "minLength": 1, "description": "The topic's name, as the script declares it."})
}

fn peek_input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "topic": topic(),
            "limit": {
                "type": "integer", "minimum": 1, "maximum": 1000, "default": 100,
                "description": "How many events at most."
            }
        },
        "required": ["topic"],
        "additionalProperties": false
    })
}

fn get_by_ids_input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "topic": topic(),
            "ids": {
                "type": "array", "items": {"type": "string"}, "maxItems": 1000,
                "description": "Message ids."
            }
        },
        "required": ["topic", "ids"],
        "additionalProperties": false
    })
}

fn publish_input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "topic": {
                "type": ["string", "array"], "minLength": 1, "minItems": 1,
                "items": {"type": "string", "minLength": 1},
                "description": "The topic's name, or several."
            },
            "event": {
                "type": "object",
                "properties": {
                    "messageId": {
                        "type": "string", "minLength": 1,
                        "description": "A stable id, from the outside thing's own id."
                    },
                    "payload": {"description": "Any JSON."},
                    "inputId": {"type": "string", "description": "In a producer: the input that caused it."}
                },
                "required": ["messageId", "payload"],
                "additionalProperties": false
            }
        },
        "required": ["topic", "event"],
        "additionalProperties": false
    })
}

fn register_input() -> Value {
    let mut sources: Vec<&str> = Vec::new();
    let mut types: Vec<&str> = Vec::new();
    for (source, kind) in INPUT_KINDS {
        if !sources.contains(&source) {
            sources.push(source);
        }
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    json!({
        "type": "object",
        "properties": {
            "source": {"type": "string", "description": format!("The connector: {}; or one that the workflow declares in `inputs`.", sources.join(", "))},
            "type": {"type": "string", "description": format!("What the connector yields: {}; or what the workflow declares.", types.join(", "))},
            "id": {"type": "string", "minLength": 1, "description": "The thing's own id at the source."},
            "title": {"type": "string", "minLength": 1, "description": "What people see in lists."}
        },
        "required": ["source", "type", "id", "title"],
        "additionalProperties": false
    })
}

fn register_output() -> Value {
    json!({"type": "string", "description": "The input id."})
}

fn events() -> Value {
    json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "messageId": {"type": "string"},
                "title": {"type": "string", "description": "Always empty; titles belong to inputs."},
                "payload": {"description": "What was published."},
                "status": {"type": "string", "enum": ["pending", "reserved", "consumed", "skipped"]},
                "createdAt": {"type": "string", "description": "An ISO 8601 instant in UTC."}
            },
            "required": ["messageId", "title", "payload", "status", "createdAt"],
            "additionalProperties": false
        }
    })
}
