//! The meaning of a status: for a read, whether the script gets the response; for a mutation, whether it had an effect.

use reqwest::StatusCode;
use windlass_core::{FailureClass, Sent};

/// The meaning of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseOutcome {
    /// The script gets the response.
    Response,
    /// The call failed.
    Failure(FailureClass, Sent),
}

/// The outcome of a read. A script wants to know that a page does not exist, so most refusals are responses. A status is a
/// failure if another person must act first, or if waiting helps.
pub(super) fn of_read(status: StatusCode) -> ResponseOutcome {
    match class_of(status) {
        None | Some(FailureClass::Logic) => ResponseOutcome::Response,
        Some(class) => ResponseOutcome::Failure(class, Sent::No),
    }
}

/// The outcome of a mutation. After a refusal (4xx) there is certainly no effect. After an error of a gateway or server (5xx)
/// there may be one. Redirects are not followed: 301, 307 and 308 mean no effect, 303 means an effect and where its result is,
/// and servers use 302 for both.
pub(super) fn of_mutation(status: StatusCode) -> ResponseOutcome {
    if status.is_success() || status == StatusCode::SEE_OTHER {
        return ResponseOutcome::Response;
    }
    match status.as_u16() {
        301 | 307 | 308 => ResponseOutcome::Failure(FailureClass::Logic, Sent::No),
        408 => ResponseOutcome::Failure(FailureClass::Network, Sent::Maybe),
        400..500 => {
            ResponseOutcome::Failure(class_of(status).unwrap_or(FailureClass::Logic), Sent::No)
        }
        _ => ResponseOutcome::Failure(FailureClass::Network, Sent::Maybe),
    }
}

/// The outcome of a mutation that was sent again with the same idempotency key: whether the first request had an effect. A
/// refusal applies to the first request too if its reason is the content of the request, which is the same. It does not if its
/// reason is the sender, the time, or the current state of the server.
pub(super) fn of_resend(status: StatusCode) -> ResponseOutcome {
    match (of_mutation(status), status.as_u16()) {
        (outcome @ ResponseOutcome::Failure(..), 400 | 413 | 414 | 415 | 422) => outcome,
        (ResponseOutcome::Failure(class, _), _) => ResponseOutcome::Failure(class, Sent::Maybe),
        (ResponseOutcome::Response, _) => ResponseOutcome::Response,
    }
}

fn class_of(status: StatusCode) -> Option<FailureClass> {
    match status.as_u16() {
        // Both are about the credentials of the request: those are missing or wrong, or they do not allow it.
        401 | 403 => Some(FailureClass::Auth),
        402 => Some(FailureClass::Balance),
        408 | 429 | 500.. => Some(FailureClass::Network),
        400..500 => Some(FailureClass::Logic),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn table(outcome: fn(StatusCode) -> ResponseOutcome) -> String {
        let mut rows: Vec<(ResponseOutcome, Vec<u16>)> = Vec::new();
        for code in [
            200, 201, 204, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 408,
            409, 410, 413, 415, 422, 425, 429, 451, 500, 501, 502, 503, 504, 599,
        ] {
            let found = outcome(StatusCode::from_u16(code).unwrap());
            match rows.iter_mut().find(|(it, _)| *it == found) {
                Some((_, codes)) => codes.push(code),
                None => rows.push((found, vec![code])),
            }
        }
        rows.iter().fold(String::new(), |mut text, (outcome, codes)| {
            writeln!(text, "{outcome:?}: {codes:?}").unwrap();
            text
        })
    }

    #[test]
    fn of_a_read() {
        expect_test::expect![[r#"
            Response: [200, 201, 204, 300, 301, 302, 303, 304, 307, 308, 400, 404, 405, 409, 410, 413, 415, 422, 425, 451]
            Failure(Auth, No): [401, 403]
            Failure(Balance, No): [402]
            Failure(Network, No): [408, 429, 500, 501, 502, 503, 504, 599]
        "#]]
        .assert_eq(&table(of_read));
    }

    #[test]
    fn of_a_mutation() {
        expect_test::expect![[r#"
            Response: [200, 201, 204, 303]
            Failure(Network, Maybe): [300, 302, 304, 408, 500, 501, 502, 503, 504, 599]
            Failure(Logic, No): [301, 307, 308, 400, 404, 405, 409, 410, 413, 415, 422, 425, 451]
            Failure(Auth, No): [401, 403]
            Failure(Balance, No): [402]
            Failure(Network, No): [429]
        "#]]
        .assert_eq(&table(of_mutation));
    }

    #[test]
    fn of_a_resend() {
        expect_test::expect![[r#"
            Response: [200, 201, 204, 303]
            Failure(Network, Maybe): [300, 302, 304, 408, 429, 500, 501, 502, 503, 504, 599]
            Failure(Logic, Maybe): [301, 307, 308, 404, 405, 409, 410, 425, 451]
            Failure(Logic, No): [400, 413, 415, 422]
            Failure(Auth, Maybe): [401, 403]
            Failure(Balance, Maybe): [402]
        "#]]
        .assert_eq(&table(of_resend));
    }
}
