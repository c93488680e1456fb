//! From what a server answers to what a script gets.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use super::MAX_ANSWER_BYTES;

/// The text of an answer.
pub(super) fn text(answer: &CallToolResult) -> String {
    let texts = answer.content.iter().filter_map(ContentBlock::as_text);
    texts.map(|it| it.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// What a script gets; `is_structured` says that the server promised a structured answer.
pub(super) fn value(answer: CallToolResult, is_structured: bool) -> Result<Value, String> {
    let value = if is_structured {
        answer.structured_content.ok_or("the answer has no structured content, as was promised")?
    } else {
        let text = text(&answer);
        json!({"content": answer.content, "text": text})
    };
    let n_bytes = value.to_string().len();
    if n_bytes > MAX_ANSWER_BYTES {
        return Err(format!("the answer of {n_bytes} bytes is larger than 10 MiB"));
    }
    Ok(value)
}
