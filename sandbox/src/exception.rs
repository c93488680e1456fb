//! Exceptions of a script as failures with a position.

use windlass_core::{ScriptPosition, crop};

use crate::active_call::ActiveCall;
use crate::end::{Fault, Halt};
use crate::json;
use crate::source::LineColumn;

/// Longer messages are cut, because a failure is stored and shown.
const MESSAGE_CHARS: usize = 2_000;

/// How many causes of an error its message names.
const MAX_CAUSES: usize = 4;

/// How many stack frames are searched for one of the script.
pub(crate) const MAX_FRAMES: u8 = 16;

/// Runs `action`. An exception becomes a failure.
pub(crate) fn attempt<'s, 'i, T>(
    scope: &mut v8::PinScope<'s, 'i>,
    current: &ActiveCall,
    action: impl FnOnce(&mut v8::PinScope<'s, 'i>) -> Option<T>,
) -> Result<T, Halt> {
    v8::tc_scope!(let tc, scope);
    if let Some(value) = action(tc) {
        return Ok(value);
    }
    if tc.has_terminated() || tc.is_execution_terminating() {
        return Err(Halt::Terminated);
    }
    let (Some(exception), message) = (tc.exception(), tc.message()) else {
        return Err(Fault::internal("V8 gave neither a value nor an exception").into());
    };
    tc.reset();
    let at = message.and_then(|message| position_of(tc, current, message));
    Err(fault_of(tc, current, exception, at).into())
}

/// The failure that an exception means. Where it was thrown is read from the exception unless `at` says it.
pub(crate) fn fault_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    exception: v8::Local<'s, v8::Value>,
    at: Option<LineColumn>,
) -> Fault {
    let message = v8::Exception::create_message(scope, exception);
    let at = at.or_else(|| position_of(scope, current, message)).or_else(|| {
        let trace = v8::Exception::get_stack_trace(scope, exception)?;
        script_frame(scope, current, trace)
    });
    let text = text_of(scope, current, exception);
    let at = at.map(|at| current.source.position(at));
    Fault::logic("thrown", crop(&text, MESSAGE_CHARS)).at(at)
}

/// The message of an exception, and those of its causes.
fn text_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    exception: v8::Local<'s, v8::Value>,
) -> String {
    if !exception.is_native_error() {
        return format!("thrown: {}", shown(scope, current, exception));
    }
    let mut text = shown(scope, current, exception);
    let mut error = exception;
    for _ in 0..MAX_CAUSES {
        let Some(cause) = cause_of(scope, current, error) else { break };
        text += &format!("; caused by {}", shown(scope, current, cause));
        error = cause;
    }
    text
}

fn cause_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    error: v8::Local<'s, v8::Value>,
) -> Option<v8::Local<'s, v8::Value>> {
    let error = error.try_cast::<v8::Object>().ok()?;
    let key = v8::String::new(scope, "cause")?;
    let cause = attempt(scope, current, |scope| error.get(scope, key.into())).ok()?;
    (!cause.is_undefined() && !cause.strict_equals(error.into())).then_some(cause)
}

/// An error's name and message, otherwise the value as JSON, otherwise V8's text for it. Only the JSON runs code of the script.
fn shown<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    value: v8::Local<'s, v8::Value>,
) -> String {
    if value.is_object()
        && !value.is_native_error()
        && let Some(json) = as_json(scope, current, value)
    {
        return crop(&json, MESSAGE_CHARS);
    }
    let message = v8::Exception::create_message(scope, value).get(scope);
    let text = message.to_rust_string_lossy(scope);
    crop(text.strip_prefix("Uncaught ").unwrap_or(&text), MESSAGE_CHARS)
}

/// The value as JSON; none where it has none.
fn as_json<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &ActiveCall,
    value: v8::Local<'s, v8::Value>,
) -> Option<String> {
    let helpers = current.helpers.get()?;
    v8::tc_scope!(let tc, scope);
    let json = json::stringify(tc, &helpers.to_json, value)?;
    let json = json::read(tc, &current.limits, json).ok()?;
    Some(json.value.to_string())
}

/// The position that the script is at: the innermost of its own frames.
pub(crate) fn current_position(
    scope: &v8::PinScope<'_, '_>,
    current: &ActiveCall,
) -> Option<LineColumn> {
    let trace = v8::StackTrace::current_stack_trace(scope, MAX_FRAMES.into())?;
    script_frame(scope, current, trace)
}

/// Where a function is defined.
pub(crate) fn definition_of(
    current: &ActiveCall,
    function: v8::Local<'_, v8::Function>,
) -> Option<ScriptPosition> {
    let (line, column) = (function.get_script_line_number()?, function.get_script_column_number()?);
    let at = LineColumn { line: line as usize + 1, column: column as usize + 1 };
    Some(current.source.position(at))
}

fn position_of(
    scope: &v8::PinScope<'_, '_>,
    current: &ActiveCall,
    message: v8::Local<'_, v8::Message>,
) -> Option<LineColumn> {
    let name = message.get_script_resource_name(scope)?;
    let is_own = name.to_rust_string_lossy(scope) == *current.source.script.name;
    let line = message.get_line_number(scope).filter(|_| is_own)?;
    Some(LineColumn { line, column: message.get_start_column() + 1 })
}

fn script_frame(
    scope: &v8::PinScope<'_, '_>,
    current: &ActiveCall,
    trace: v8::Local<'_, v8::StackTrace>,
) -> Option<LineColumn> {
    let mut frames = (0..trace.get_frame_count()).filter_map(|index| trace.get_frame(scope, index));
    frames.find_map(|frame| {
        let name = frame.get_script_name(scope)?.to_rust_string_lossy(scope);
        (name == *current.source.script.name)
            .then(|| LineColumn { line: frame.get_line_number(), column: frame.get_column() })
    })
}
