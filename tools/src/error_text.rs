//! Errors of requests as text.

use std::error::Error;

/// The message of the innermost cause. For errors of requests: the outer messages add little and may contain the URL with
/// its query.
pub(crate) fn innermost_message(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
