//! Values into V8 and out of it, as JSON.

use crate::active_call::ActiveCall;
use crate::end::{Fault, Halt};
use crate::exception::attempt;
use crate::json::{self, SizedJson};

/// Passes a value to the script.
pub(crate) fn to_script<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    json: &str,
) -> Result<v8::Local<'s, v8::Value>, Halt> {
    attempt(scope, current, |scope| {
        let text = v8::String::new(scope, json)?;
        v8::json::parse(scope, text)
    })
}

/// Takes a value from the script; `None` for `undefined`. It may run getters of the script.
pub(crate) fn from_script(
    scope: &mut v8::PinScope<'_, '_>,
    current: &ActiveCall,
    value: v8::Local<'_, v8::Value>,
) -> Result<Option<SizedJson>, Halt> {
    let Some(helpers) = current.helpers.get() else {
        return Err(Fault::internal("the context has no helpers").into());
    };
    stringify(scope, current, &helpers.to_json, value)
}

/// Takes the description of a value: JSON with functions marked.
pub(crate) fn describe(
    scope: &mut v8::PinScope<'_, '_>,
    current: &ActiveCall,
    value: v8::Local<'_, v8::Value>,
) -> Result<Option<SizedJson>, Halt> {
    let Some(helpers) = current.helpers.get() else {
        return Err(Fault::internal("the context has no helpers").into());
    };
    stringify(scope, current, &helpers.describe, value)
}

fn stringify(
    scope: &mut v8::PinScope<'_, '_>,
    current: &ActiveCall,
    helper: &v8::Global<v8::Function>,
    value: v8::Local<'_, v8::Value>,
) -> Result<Option<SizedJson>, Halt> {
    v8::scope!(let scope, scope);
    let value = v8::Local::new(scope, value);
    let json = attempt(scope, current, |scope| json::stringify(scope, helper, value))?;
    if json.is_undefined() {
        if value.is_undefined() {
            return Ok(None);
        }
        return Err(Fault::logic("value", "a symbol is no JSON").into());
    }
    Ok(Some(json::read(scope, &current.limits, json)?))
}
