//! Converts the result of a call from the server's form to the form that scripts get.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

/// The largest result that is accepted from a server.
pub(super) const MAX_RESULT_BYTES: usize = 10 * 1024 * 1024;

/// A result that the library does not understand, with a text in place of each part that Windlass cannot read.
pub(super) fn from_json(mut result: Value) -> Result<CallToolResult, serde_json::Error> {
    for part in result.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
        if serde_json::from_value::<ContentBlock>(part.clone()).is_err() {
            let kind = part.get("type").and_then(Value::as_str).unwrap_or("unknown");
            let text = format!("(a part of the kind `{kind}`, which cannot be read)");
            *part = json!({"type": "text", "text": text});
        }
    }
    serde_json::from_value(result)
}

/// The text of a result.
pub(super) fn text(result: &CallToolResult) -> String {
    let texts = result.content.iter().filter_map(ContentBlock::as_text);
    texts.map(|it| it.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// The value that a script gets. `is_structured` means that the tool's definition has an output schema.
pub(super) fn value(result: CallToolResult, is_structured: bool) -> Result<Value, String> {
    let value = if is_structured {
        result.structured_content.ok_or("the answer has no structured content, as was promised")?
    } else {
        let text = text(&result);
        json!({"content": result.content, "text": text})
    };
    let n_bytes = value.to_string().len();
    if n_bytes > MAX_RESULT_BYTES {
        return Err(format!("the answer of {n_bytes} bytes is larger than 10 MiB"));
    }
    Ok(value)
}
