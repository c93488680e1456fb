//! `Retry-After`: how long a server asks to wait before the next request.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windlass_core::Timestamp;

/// How long to wait, by the value of the header: a number of seconds, or a date. A date is compared with the `server_time` of the
/// response if it has one, because the clocks of both sides may differ.
pub(crate) fn asked_wait(
    value: &str,
    server_time: Option<&str>,
    now: Timestamp,
) -> Option<Duration> {
    /// No server means more, and a duration holds it.
    const MAX_SECONDS: f64 = 1e9;

    let value = value.trim();
    if let Some(seconds) = value.parse().ok().filter(|seconds: &f64| seconds.is_finite()) {
        return Duration::try_from_secs_f64(seconds.min(MAX_SECONDS)).ok();
    }
    let until = date(value)?;
    Some(until.since(server_time.and_then(date).unwrap_or(now)))
}

fn date(text: &str) -> Option<Timestamp> {
    let date: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    let since_epoch = date.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(0).after(since_epoch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_every_form_of_a_date_are_read() {
        let server_time = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(1_000_000_000)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
            ("Sun Nov  6 08:51:37 1994", Some(120)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-5", None),
            ("NaN", None),
            ("soon", None),
            ("", None),
        ] {
            let wait = asked_wait(value, server_time, Timestamp::from_micros(0));
            assert_eq!(wait, seconds.map(Duration::from_secs), "{value}");
        }
        let wait = asked_wait("1.5", None, Timestamp::from_micros(0));
        assert_eq!(wait, Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn a_date_is_compared_with_our_clock_where_the_server_tells_no_time() {
        let now = Timestamp::parse("1994-11-06T08:49:37Z").unwrap();
        for server_time in [None, Some("no date")] {
            let wait = asked_wait("Sun, 06 Nov 1994 09:49:37 GMT", server_time, now);
            assert_eq!(wait, Some(Duration::from_secs(3_600)));
        }
    }
}
