//! From what a script throws to a failure with a position.

use windlass_core::ScriptPosition;

use crate::current::Current;
use crate::fault::{Fault, Halt};
use crate::source::{Place, crop};
use crate::value;

/// Longer messages are cropped: a failure is stored and shown.
const MESSAGE_CHARS: usize = 2_000;

/// How many causes of an error are told.
const CAUSES: usize = 4;

/// How many frames are looked at for one of the author's own.
pub(crate) const FRAMES: u8 = 16;

/// Does `act`, and turns its exception, if it throws one, into a failure.
pub(crate) fn attempt<'s, 'i, T>(
    scope: &mut v8::PinScope<'s, 'i>,
    current: &Current,
    act: impl FnOnce(&mut v8::PinScope<'s, 'i>) -> Option<T>,
) -> Result<T, Halt> {
    v8::tc_scope!(let tc, scope);
    if let Some(value) = act(tc) {
        return Ok(value);
    }
    if tc.has_terminated() || tc.is_execution_terminating() {
        return Err(Halt::Terminated);
    }
    let (Some(exception), message) = (tc.exception(), tc.message()) else {
        return Err(Fault::internal("V8 gave neither a value nor an exception").into());
    };
    tc.reset();
    let place = message.and_then(|message| place_of(tc, current, message));
    Err(fault(tc, current, exception, place).into())
}

/// The failure that an exception is. Where it was thrown is asked of the exception, unless it is known.
pub(crate) fn fault<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &Current,
    exception: v8::Local<'s, v8::Value>,
    place: Option<Place>,
) -> Fault {
    let message = v8::Exception::create_message(scope, exception);
    let place = place.or_else(|| place_of(scope, current, message)).or_else(|| {
        let trace = v8::Exception::get_stack_trace(scope, exception)?;
        own_frame(scope, current, trace)
    });
    let text = text_of(scope, current, exception);
    let at = place.map(|place| current.source.position(place));
    Fault::logic("thrown", crop(&text, MESSAGE_CHARS)).at(at)
}

/// What the exception says, and what it says of its causes.
fn text_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &Current,
    exception: v8::Local<'s, v8::Value>,
) -> String {
    if !exception.is_native_error() {
        return format!("thrown: {}", shown(scope, current, exception));
    }
    let mut text = shown(scope, current, exception);
    let mut error = exception;
    for _ in 0..CAUSES {
        let Some(cause) = cause_of(scope, current, error) else { break };
        text += &format!("; caused by {}", shown(scope, current, cause));
        error = cause;
    }
    text
}

fn cause_of<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &Current,
    error: v8::Local<'s, v8::Value>,
) -> Option<v8::Local<'s, v8::Value>> {
    let error = error.try_cast::<v8::Object>().ok()?;
    let key = v8::String::new(scope, "cause")?;
    let cause = attempt(scope, current, |scope| error.get(scope, key.into())).ok()?;
    (!cause.is_undefined() && !cause.strict_equals(error.into())).then_some(cause)
}

/// An error's name and message, or else the value as JSON, or else what V8 calls it. Only JSON runs code of the script.
fn shown<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    current: &Current,
    value: v8::Local<'s, v8::Value>,
) -> String {
    if value.is_object()
        && !value.is_native_error()
        && let Ok(Some(json)) = value::from_script(scope, current, value)
    {
        return crop(&json.value.to_string(), MESSAGE_CHARS);
    }
    let message = v8::Exception::create_message(scope, value).get(scope);
    let text = message.to_rust_string_lossy(scope);
    crop(text.strip_prefix("Uncaught ").unwrap_or(&text), MESSAGE_CHARS)
}

/// Where the script is just now: the innermost of its own frames.
pub(crate) fn here(scope: &v8::PinScope<'_, '_>, current: &Current) -> Option<Place> {
    let trace = v8::StackTrace::current_stack_trace(scope, FRAMES.into())?;
    own_frame(scope, current, trace)
}

/// Where a function is written.
pub(crate) fn definition(
    current: &Current,
    function: v8::Local<'_, v8::Function>,
) -> Option<ScriptPosition> {
    let (line, column) = (function.get_script_line_number()?, function.get_script_column_number()?);
    let place = Place { line: line as usize + 1, column: column as usize + 1 };
    Some(current.source.position(place))
}

fn place_of(
    scope: &v8::PinScope<'_, '_>,
    current: &Current,
    message: v8::Local<'_, v8::Message>,
) -> Option<Place> {
    let name = message.get_script_resource_name(scope)?;
    let is_own = name.to_rust_string_lossy(scope) == *current.source.script.name;
    let line = message.get_line_number(scope).filter(|_| is_own)?;
    Some(Place { line, column: message.get_start_column() + 1 })
}

fn own_frame(
    scope: &v8::PinScope<'_, '_>,
    current: &Current,
    trace: v8::Local<'_, v8::StackTrace>,
) -> Option<Place> {
    let mut frames = (0..trace.get_frame_count()).filter_map(|index| trace.get_frame(scope, index));
    frames.find_map(|frame| {
        let name = frame.get_script_name(scope)?.to_rust_string_lossy(scope);
        (name == *current.source.script.name)
            .then(|| Place { line: frame.get_line_number(), column: frame.get_column() })
    })
}
