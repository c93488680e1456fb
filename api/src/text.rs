//! Instants, durations, cropped lines and the nearest known word, for a person.

use std::time::Duration;

use chrono_tz::Tz;
use windlass_core::{Timestamp, crop};

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

/// The first line, cropped to `n_chars` characters, with a mark where something is left out.
#[must_use]
pub fn crop_line(text: &str, n_chars: usize) -> String {
    match text.trim_end().split_once('\n') {
        None => crop(text.trim_end(), n_chars),
        Some((line, _)) => crop(&format!("{}…", line.trim_end()), n_chars),
    }
}

/// The known word that is nearest to what was written, where one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, word) =
        known.into_iter().map(|word| (edit_distance(written, word), word)).min()?;
    (distance <= 1 + word.chars().count() / 3).then_some(word)
}

/// How many letters have to be inserted, removed or changed to get from one word to another.
fn edit_distance(from: &str, to: &str) -> usize {
    let first: Vec<usize> = (0..=to.chars().count()).collect();
    let last = from.chars().fold(first, |above, letter| {
        let mut left = above.first().map_or(0, |n| n + 1);
        let mut row = vec![left];
        for (pair, wanted) in above.windows(2).zip(to.chars()) {
            if let [diagonal, up] = pair {
                left = (diagonal + usize::from(letter != wanted)).min(left + 1).min(up + 1);
                row.push(left);
            }
        }
        row
    });
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_word_is_no_advice() {
        assert_eq!(nearest("qqqqqq", ["roots"]), None);
        assert_eq!(nearest("limit", ["tools", "limits"]), Some("limits"));
        assert_eq!(nearest("Files.lisst", ["Files.list", "Files.read"]), Some("Files.list"));
    }

    #[test]
    fn a_cropped_text_is_one_line() {
        assert_eq!(crop_line("one\n", 9), "one");
        assert_eq!(crop_line("one\r\ntwo", 9), "one…");
        assert_eq!(crop_line("abcdefg\nhij", 6), "abcde…");
        assert_eq!(crop_line("", 9), "");
    }

    #[test]
    fn a_duration_is_told_in_its_largest_unit() {
        let texts: Vec<_> =
            [0, 1, 119, 120, 7_200, 172_800].map(|s| duration(Duration::from_secs(s))).into();

        assert_eq!(texts, ["0 ms", "1 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
