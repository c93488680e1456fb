//! Instants, durations and cropped lines in a person's words.

use std::time::Duration;

use chrono_tz::Tz;
use windlass_core::Timestamp;

/// How instants are worded: in which zone, and relative to what.
#[derive(Debug, Clone, Copy)]
pub struct TimeFormat {
    /// The zone in which instants are shown.
    pub zone: Tz,
    /// The present.
    pub now: Timestamp,
}

impl TimeFormat {
    /// An instant in the zone, to the second.
    #[must_use]
    pub fn time(&self, instant: Timestamp) -> String {
        instant.to_utc().with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// How far an instant is from now: `in 40 s`, `5 min ago`.
    #[must_use]
    pub fn distance(&self, instant: Timestamp) -> String {
        if instant > self.now {
            format!("in {}", duration(instant.since(self.now)))
        } else {
            format!("{} ago", duration(self.now.since(instant)))
        }
    }

    /// An instant, and how far it is from now.
    #[must_use]
    pub fn time_and_distance(&self, instant: Timestamp) -> String {
        format!("{} ({})", self.time(instant), self.distance(instant))
    }
}

/// A duration in its largest unit.
#[must_use]
pub fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        s @ 1..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// The first `n_chars` of the first line, with a mark where something is left out.
#[must_use]
pub fn crop(text: &str, n_chars: usize) -> String {
    let line = text.lines().next().unwrap_or_default();
    let is_whole = line.len() == text.trim_end().len();
    match line.char_indices().nth(n_chars.saturating_sub(1)) {
        Some((end, _)) if line.chars().count() > n_chars => {
            format!("{}…", line.get(..end).unwrap_or(line))
        }
        _ if is_whole => line.to_owned(),
        _ => format!("{line}…"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cropped_text_is_one_line() {
        assert_eq!(crop("abcdef", 6), "abcdef");
        assert_eq!(crop("abcdefg", 6), "abcde…");
        assert_eq!(crop("äöüß", 3), "äö…");
        assert_eq!(crop("one\ntwo", 9), "one…");
        assert_eq!(crop("", 9), "");
    }

    #[test]
    fn a_duration_is_told_in_its_largest_unit() {
        let texts: Vec<_> =
            [0, 1, 119, 120, 7_200, 172_800].map(|s| duration(Duration::from_secs(s))).into();

        assert_eq!(texts, ["0 ms", "1 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
