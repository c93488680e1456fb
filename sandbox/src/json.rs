//! JSON as V8 writes it, and its limits.

use serde_json::Value;
use windlass_core::{ScriptLimits, with_whole_characters};

use crate::end::Fault;

/// A value with the size of its JSON.
pub(crate) struct SizedJson {
    pub(crate) value: Value,
    /// The length of its JSON in bytes.
    pub(crate) bytes: usize,
    /// How many values are in it.
    pub(crate) elements: usize,
    /// Whether a text in it had half of a character, which is replaced by U+FFFD.
    pub(crate) has_halves: bool,
}

/// Calls a helper that writes a value as JSON. `None`: V8 has thrown.
pub(crate) fn stringify<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    helper: &v8::Global<v8::Function>,
    value: v8::Local<'s, v8::Value>,
) -> Option<v8::Local<'s, v8::Value>> {
    let helper = v8::Local::new(scope, helper);
    let undefined = v8::undefined(scope).into();
    helper.call(scope, undefined, &[value])
}

/// Reads the JSON that [`stringify`](fn@stringify) returned.
pub(crate) fn read(
    scope: &mut v8::PinScope<'_, '_>,
    limits: &ScriptLimits,
    json: v8::Local<'_, v8::Value>,
) -> Result<SizedJson, Fault> {
    let json = json.try_cast::<v8::String>();
    let json = json.map_err(|_no_string| Fault::internal("JSON is no text"))?;
    // It has at least as many bytes as characters, so a value that is far too big is not copied.
    check_size(limits, json.length())?;
    let json = json.to_rust_string_lossy(scope);
    check_size(limits, json.len())?;
    let elements = check_elements(limits, &json)?;
    // V8 writes only halves as such escapes. A script leaves one where it cuts a text within a character.
    let whole = json.contains("\\ud").then(|| with_whole_characters(&json)).flatten();
    let value = parse(whole.as_deref().unwrap_or(&json))?;
    Ok(SizedJson { value, bytes: json.len(), elements, has_halves: whole.is_some() })
}

/// Refuses a value of too many elements, because many small ones need far more memory than their JSON. Returns how many it has.
pub(crate) fn check_elements(limits: &ScriptLimits, json: &str) -> Result<usize, Fault> {
    let max = limits.value_elements;
    let elements = count_elements(json);
    if elements > max as usize {
        return Err(Fault::limit("the value has too many elements", "value_elements", max));
    }
    Ok(elements)
}

/// How many values a JSON text contains. The value of an empty list or object counts as one more.
fn count_elements(json: &str) -> usize {
    let (mut elements, mut is_text, mut is_escaped) = (1, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => elements += 1,
            _ => {}
        }
    }
    elements
}

/// Refuses a value whose JSON has too many bytes.
pub(crate) fn check_size(limits: &ScriptLimits, bytes: usize) -> Result<(), Fault> {
    let max = limits.value_bytes;
    if bytes > max as usize {
        return Err(Fault::limit("the value is too big", "value_bytes", max));
    }
    Ok(())
}

/// Parses the JSON that V8 wrote, without lone surrogates.
fn parse(json: &str) -> Result<Value, Fault> {
    serde_json::from_str(json).map_err(|error| {
        let message = if error.to_string().contains("recursion limit") {
            "the value is nested more than 127 levels deep".to_owned()
        } else {
            format!("the value cannot be read as JSON: {error}")
        };
        Fault::logic("value", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_elements_of_a_value_are_counted_and_not_its_text() {
        for (json, expected) in [
            ("1", 1),
            (r#"{"a":[1,2],"b":{}}"#, 6),
            (r#""a text, [with {marks \" and, an escape \\""#, 1),
            ("[[],[],[]]", 7),
        ] {
            assert_eq!(count_elements(json), expected, "{json}");
        }
    }
}
