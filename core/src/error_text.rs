//! Errors and panics as text.

use std::any::Any;
use std::error::Error;

/// The messages of an error and of everything that caused it, outermost first, for example `cannot read a.txt: no such file`.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// The message of a panic that was caught.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it gave no message")
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot deploy")]
    struct Outer {
        source: std::num::ParseIntError,
    }

    #[test]
    fn an_error_chain_names_every_cause() {
        let source = "x".parse::<i32>().unwrap_err();

        assert_eq!(error_chain(&Outer { source }), "cannot deploy: invalid digit found in string");
    }

    #[test]
    fn a_panic_has_the_message_that_it_was_given() {
        let text = catch_unwind(|| panic!("plain")).unwrap_err();
        let formatted = catch_unwind(|| panic!("number {}", 7)).unwrap_err();
        let other = catch_unwind(|| std::panic::panic_any(7)).unwrap_err();

        let messages = [&text, &formatted, &other].map(|panic| panic_message(&**panic).to_owned());
        assert_eq!(messages, ["plain", "number 7", "it gave no message"]);
    }
}
