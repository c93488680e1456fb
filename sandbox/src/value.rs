//! JSON into V8 and out of it.

use serde_json::Value;

use crate::current::Current;
use crate::exception::attempt;
use crate::fault::{Fault, Halt};

/// A value that came from the script.
pub(crate) struct Taken {
    pub(crate) value: Value,
    /// The size of its JSON.
    pub(crate) bytes: usize,
}

/// Hands a value to the script.
pub(crate) fn to_script<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &Current,
    json: &str,
) -> Result<v8::Local<'s, v8::Value>, Halt> {
    attempt(scope, current, |scope| {
        let text = v8::String::new(scope, json)?;
        v8::json::parse(scope, text)
    })
}

/// Takes a value from the script; `None` for `undefined`. It may run the script's getters.
pub(crate) fn from_script(
    scope: &mut v8::PinScope<'_, '_>,
    current: &Current,
    value: v8::Local<'_, v8::Value>,
) -> Result<Option<Taken>, Halt> {
    let Some(helpers) = current.helpers.get() else {
        return Err(Fault::internal("the context has no helpers").into());
    };
    stringify(scope, current, &helpers.to_json, value)
}

/// Takes the description of a value: JSON with functions marked.
pub(crate) fn describe(
    scope: &mut v8::PinScope<'_, '_>,
    current: &Current,
    value: v8::Local<'_, v8::Value>,
) -> Result<Option<Taken>, Halt> {
    let Some(helpers) = current.helpers.get() else {
        return Err(Fault::internal("the context has no helpers").into());
    };
    stringify(scope, current, &helpers.describe, value)
}

fn stringify(
    scope: &mut v8::PinScope<'_, '_>,
    current: &Current,
    helper: &v8::Global<v8::Function>,
    value: v8::Local<'_, v8::Value>,
) -> Result<Option<Taken>, Halt> {
    v8::scope!(let scope, scope);
    let value = v8::Local::new(scope, value);
    let json = attempt(scope, current, |scope| {
        let helper = v8::Local::new(scope, helper);
        let undefined = v8::undefined(scope).into();
        helper.call(scope, undefined, &[value])
    })?;
    if json.is_undefined() {
        if value.is_undefined() {
            return Ok(None);
        }
        return Err(Fault::logic("value", "a symbol is no JSON").into());
    }
    let json = json.try_cast::<v8::String>();
    let json = json.map_err(|_no_string| Fault::internal("JSON is no text"))?;
    // Its bytes are at least as many as its characters: what is far too big is not even copied.
    refuse_big(current, json.length())?;
    let json = json.to_rust_string_lossy(scope);
    refuse_big(current, json.len())?;
    Ok(Some(Taken { value: parse(&json)?, bytes: json.len() }))
}

/// Refuses a value whose JSON has so many bytes, if that is too many.
pub(crate) fn refuse_big(current: &Current, bytes: usize) -> Result<(), Fault> {
    let max = current.limits.value_bytes;
    if bytes > max as usize {
        return Err(Fault::limit("the value is too big", "value_bytes", max));
    }
    Ok(())
}

/// Reads what V8 wrote.
fn parse(json: &str) -> Result<Value, Fault> {
    serde_json::from_str(&mend_halves(json)).map_err(|error| {
        let message = if error.to_string().contains("recursion limit") {
            "the value is nested more than 127 levels deep".to_owned()
        } else {
            format!("the value cannot be read as JSON: {error}")
        };
        Fault::logic("value", message)
    })
}

/// Replaces what is left of a character that the script cut in two: V8 writes such a half as an escape that stands
/// alone, and everything else that is not ASCII as itself.
fn mend_halves(json: &str) -> std::borrow::Cow<'_, str> {
    if !json.contains("\\ud") {
        return json.into();
    }
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let is_half = escape.starts_with("\\ud")
            && escape
                .as_bytes()
                .get(3)
                .is_some_and(|digit| matches!(digit, b'8'..=b'9' | b'a'..=b'f'));
        let (length, replacement) =
            if is_half { (6, "\u{fffd}") } else { (2, escape.get(..2).unwrap_or("")) };
        mended.push_str(replacement);
        rest = escape.get(length..).unwrap_or("");
    }
    mended.push_str(rest);
    mended.into()
}
