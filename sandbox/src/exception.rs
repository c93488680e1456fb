//! From what a script throws to a failure with a position.

use windlass_core::ScriptPosition;

use crate::api::Script;
use crate::fault::{Fault, Halt};
use crate::source;

/// Longer messages are cropped: a failure is stored and shown.
const MESSAGE_CHARS: usize = 2_000;

/// How many frames are looked at for one of the author's own.
const FRAMES: usize = 16;

/// Does `act`, and turns its exception, if it throws one, into a failure.
pub(crate) fn attempt<'s, 'i, T>(
    scope: &mut v8::PinScope<'s, 'i>,
    script: &Script,
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
    Err(fault(tc, script, exception, message).into())
}

/// The failure that an exception is.
pub(crate) fn fault<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    script: &Script,
    exception: v8::Local<'s, v8::Value>,
    message: Option<v8::Local<'s, v8::Message>>,
) -> Fault {
    let made = v8::Exception::create_message(scope, exception);
    let message = message.unwrap_or(made);
    let text = message.get(scope).to_rust_string_lossy(scope);
    let text = text.strip_prefix("Uncaught ").unwrap_or(&text);
    let at = position_of(scope, script, message)
        .or_else(|| position_of(scope, script, made))
        .or_else(|| {
            let trace = v8::Exception::get_stack_trace(scope, exception)?;
            first_own_frame(scope, script, trace)
        });
    Fault::logic("thrown", source::crop(text, MESSAGE_CHARS)).at(at)
}

/// Where the script is just now: the innermost of its own frames.
pub(crate) fn here(scope: &v8::PinScope<'_, '_>, script: &Script) -> Option<ScriptPosition> {
    let trace = v8::StackTrace::current_stack_trace(scope, FRAMES)?;
    first_own_frame(scope, script, trace)
}

fn position_of(
    scope: &v8::PinScope<'_, '_>,
    script: &Script,
    message: v8::Local<'_, v8::Message>,
) -> Option<ScriptPosition> {
    let name = message.get_script_resource_name(scope)?;
    if name.to_rust_string_lossy(scope) != *script.name {
        return None;
    }
    let line = message.get_line_number(scope)?;
    Some(source::position(script, line, message.get_start_column() + 1))
}

fn first_own_frame(
    scope: &v8::PinScope<'_, '_>,
    script: &Script,
    trace: v8::Local<'_, v8::StackTrace>,
) -> Option<ScriptPosition> {
    (0..trace.get_frame_count()).filter_map(|index| trace.get_frame(scope, index)).find_map(
        |frame| {
            let name = frame.get_script_name(scope)?.to_rust_string_lossy(scope);
            (name == *script.name)
                .then(|| source::position(script, frame.get_line_number(), frame.get_column()))
        },
    )
}
