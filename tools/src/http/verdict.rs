//! What a status means: for a look, whether it is a value; for a change, whether the change happened.

use reqwest::StatusCode;
use windlass_core::{FailureClass, Sent};

/// What the status of an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The script gets the answer.
    Answer,
    /// The call failed.
    Failure(FailureClass, Sent),
}

/// Of a look: whoever asks for a page wants to know that there is none, so most refusals are answers. What someone else has
/// to mend first, or time, is a failure.
pub(super) fn of_look(status: StatusCode) -> Verdict {
    match class_of(status) {
        None | Some(FailureClass::Logic) => Verdict::Answer,
        Some(class) => Verdict::Failure(class, Sent::No),
    }
}

/// Of a change. A refusal by the server (4xx) is definite; what a gateway or a server in trouble (5xx) says of the change is
/// not. Redirects are not followed: 301, 307 and 308 say that nothing was done here, 303 that it was done and where to look,
/// and 302 is used for both.
pub(super) fn of_change(status: StatusCode) -> Verdict {
    if status.is_success() || status == StatusCode::SEE_OTHER {
        return Verdict::Answer;
    }
    match status.as_u16() {
        301 | 307 | 308 => Verdict::Failure(FailureClass::Logic, Sent::No),
        408 => Verdict::Failure(FailureClass::Network, Sent::Maybe),
        400..500 => Verdict::Failure(class_of(status).unwrap_or(FailureClass::Logic), Sent::No),
        _ => Verdict::Failure(FailureClass::Network, Sent::Maybe),
    }
}

/// Of a change that was sent again under its key: whether the first one happened. A refusal speaks of the first one too where
/// it is about what the request says, which has not changed; not where it is about who sends it, when, or what is there now.
pub(super) fn of_repetition(status: StatusCode) -> Verdict {
    match (of_change(status), status.as_u16()) {
        (verdict @ Verdict::Failure(..), 400 | 413 | 414 | 415 | 422) => verdict,
        (Verdict::Failure(class, _), _) => Verdict::Failure(class, Sent::Maybe),
        (Verdict::Answer, _) => Verdict::Answer,
    }
}

fn class_of(status: StatusCode) -> Option<FailureClass> {
    match status.as_u16() {
        401 => Some(FailureClass::Auth),
        402 => Some(FailureClass::Balance),
        403 => Some(FailureClass::Permission),
        408 | 429 | 500.. => Some(FailureClass::Network),
        400..500 => Some(FailureClass::Logic),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn table(verdict: fn(StatusCode) -> Verdict) -> String {
        let mut rows: Vec<(Verdict, Vec<u16>)> = Vec::new();
        for code in [
            200, 201, 204, 300, 301, 302, 303, 304, 307, 308, 400, 401, 402, 403, 404, 405, 408,
            409, 410, 413, 415, 422, 425, 429, 451, 500, 501, 502, 503, 504, 599,
        ] {
            let found = verdict(StatusCode::from_u16(code).unwrap());
            match rows.iter_mut().find(|(it, _)| *it == found) {
                Some((_, codes)) => codes.push(code),
                None => rows.push((found, vec![code])),
            }
        }
        rows.iter().fold(String::new(), |mut text, (verdict, codes)| {
            writeln!(text, "{verdict:?}: {codes:?}").unwrap();
            text
        })
    }

    #[test]
    fn of_a_look() {
        expect_test::expect![[r#"
            Answer: [200, 201, 204, 300, 301, 302, 303, 304, 307, 308, 400, 404, 405, 409, 410, 413, 415, 422, 425, 451]
            Failure(Auth, No): [401]
            Failure(Balance, No): [402]
            Failure(Permission, No): [403]
            Failure(Network, No): [408, 429, 500, 501, 502, 503, 504, 599]
        "#]]
        .assert_eq(&table(of_look));
    }

    #[test]
    fn of_a_change() {
        expect_test::expect![[r#"
            Answer: [200, 201, 204, 303]
            Failure(Network, Maybe): [300, 302, 304, 408, 500, 501, 502, 503, 504, 599]
            Failure(Logic, No): [301, 307, 308, 400, 404, 405, 409, 410, 413, 415, 422, 425, 451]
            Failure(Auth, No): [401]
            Failure(Balance, No): [402]
            Failure(Permission, No): [403]
            Failure(Network, No): [429]
        "#]]
        .assert_eq(&table(of_change));
    }

    #[test]
    fn of_a_repetition() {
        expect_test::expect![[r#"
            Answer: [200, 201, 204, 303]
            Failure(Network, Maybe): [300, 302, 304, 408, 429, 500, 501, 502, 503, 504, 599]
            Failure(Logic, Maybe): [301, 307, 308, 404, 405, 409, 410, 425, 451]
            Failure(Logic, No): [400, 413, 415, 422]
            Failure(Auth, Maybe): [401]
            Failure(Balance, Maybe): [402]
            Failure(Permission, Maybe): [403]
        "#]]
        .assert_eq(&table(of_repetition));
    }
}
