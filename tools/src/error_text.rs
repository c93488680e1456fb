//! Errors as text.

use std::error::Error;

/// The messages of an error and of everything that caused it, outermost first.
pub(crate) fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// The message of the innermost cause. For errors of requests: the outer messages add little and may contain the URL with
/// its query.
pub(crate) fn innermost_message(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
