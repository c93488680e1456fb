//! What every script may call in every phase: `console`, `atob` and `getDocs`.
#![expect(clippy::needless_pass_by_value, reason = "V8 gives a function its arguments by value")]

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use windlass_core::LogLevel;

use crate::active_call::ActiveCall;
use crate::api::LogLine;
use crate::end::Fault;

const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `write(level, text)`: what `console` does in the end.
pub(crate) fn write<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    _result: v8::ReturnValue<'s, v8::Value>,
) {
    let Some(current) = ActiveCall::of(scope).filter(|current| !current.is_over()) else { return };
    let max = current.limits.log_lines;
    if current.log.is_full(&current.limits) {
        let fault = Fault::limit("the script logs too much", "log_lines", max);
        return current.finish(scope, fault.into());
    }
    let level = match arguments.get(0).to_rust_string_lossy(scope).as_str() {
        "debug" => LogLevel::Debug,
        "warn" => LogLevel::Warn,
        "error" => LogLevel::Error,
        _ => LogLevel::Log,
    };
    let Ok(text) = arguments.get(1).try_cast::<v8::String>() else { return };
    let message = cropped(scope, text, current.limits.log_line_chars as usize);
    current.log.add(LogLine { level, message }, &current.limits);
}

/// The beginning of `text`, without copying the rest of it.
fn cropped(
    scope: &mut v8::PinScope<'_, '_>,
    text: v8::Local<'_, v8::String>,
    max: usize,
) -> String {
    let mut units = vec![0; text.length().min(max)];
    text.write_v2(scope, 0, &mut units, v8::WriteFlags::empty());
    let mut message = String::from_utf16_lossy(&units);
    if text.length() > max {
        message.push('…');
    }
    message
}

/// `atob(text)`: decodes Base64 to one character per byte, as browsers do.
pub(crate) fn atob<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let Some(text) = arguments.get(0).to_string(scope) else { return };
    let mut text = text.to_rust_string_lossy(scope);
    text.retain(|c| !c.is_ascii_whitespace());
    let decoded = FORGIVING
        .decode(&text)
        .ok()
        .and_then(|bytes| v8::String::new_from_one_byte(scope, &bytes, v8::NewStringType::Normal));
    match decoded {
        Some(decoded) => result.set(decoded.into()),
        None => throw(scope, "`atob` was given a text that is no Base64"),
    }
}

fn throw(scope: &mut v8::PinScope<'_, '_>, message: &str) {
    if let Some(message) = v8::String::new(scope, message) {
        let error = v8::Exception::error(scope, message);
        scope.throw_exception(error);
    }
}

/// `getDocs(nameOrPrefix)`: the documentation of the functions whose name begins with it, of all functions without an argument.
pub(crate) fn get_docs<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    arguments: v8::FunctionCallbackArguments<'s>,
    mut result: v8::ReturnValue<'s, v8::Value>,
) {
    let Some(current) = ActiveCall::of(scope) else { return };
    let wanted = match arguments.get(0) {
        nothing if nothing.is_undefined() => String::new(),
        wanted => {
            let Some(wanted) = wanted.to_string(scope) else { return };
            wanted.to_rust_string_lossy(scope)
        }
    };
    let docs: Vec<String> = current
        .functions
        .iter()
        .map(|function| (format!("{}.{}", function.namespace, function.method), &function.docs))
        .filter(|(name, _)| name.starts_with(&wanted))
        .map(|(name, docs)| format!("{name}\n{docs}"))
        .collect();
    if let Some(text) = v8::String::new(scope, &docs.join("\n\n")) {
        result.set(text.into());
    }
}
