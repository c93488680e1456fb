//! Lines of a file, however long somebody else made them.

use std::io::{self, BufRead};

use tokio::time::Instant;

/// Reads a file line by line, until nobody waits for it any more. Of a longer line only the beginning is kept.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    max_bytes: usize,
    until: Instant,
}

/// A line of a file.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Its text without the line break, or the beginning of it.
    pub(super) text: Vec<u8>,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
    /// Its size in the file, with its line break.
    pub(super) size: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R, max_bytes: usize, until: Instant) -> Self {
        Self { reader, max_bytes, until }
    }

    /// The next line; none at the end of the file. The last line may have no line break.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line { is_whole: true, ..Line::default() };
        loop {
            if Instant::now() > self.until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let available = match self.reader.fill_buf() {
                Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
                available => available?,
            };
            if available.is_empty() {
                return Ok((line.size > 0).then_some(line));
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            let room = self.max_bytes - line.text.len();
            line.is_whole &= part.len() <= room;
            line.text.extend(part.iter().take(room));
            let n_read = part.len() + usize::from(end.is_some());
            line.size += n_read as u64;
            self.reader.consume(n_read);
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read as _};
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    #[test]
    fn an_endless_line_is_read_no_longer_than_somebody_waits() {
        let file = BufReader::new(io::repeat(b'x'));

        let read = Lines::new(file, 10, Instant::now() + Duration::from_millis(20)).next();

        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn lines_are_read_whole_up_to_their_limit() {
        for buffer in [1, 2, 100] {
            let text = b"one\n\nseven77\neight888\nlast".as_slice();
            let mut lines = Lines::new(BufReader::with_capacity(buffer, text), 7, soon());
            let mut read = Vec::new();
            while let Some(Line { text, is_whole, size }) = lines.next().unwrap() {
                read.push((String::from_utf8(text).unwrap(), is_whole, size));
            }

            let line = |text: &str, is_whole, size| (text.to_owned(), is_whole, size);
            let expected = [
                line("one", true, 4),
                line("", true, 1),
                line("seven77", true, 8),
                line("eight88", false, 9),
                line("last", true, 4),
            ];
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_file_without_line_breaks_needs_no_memory() {
        let file = BufReader::new(io::repeat(b'x').take(100 * 1024 * 1024));

        let line = Lines::new(file, 10, soon()).next().unwrap().unwrap();

        assert_eq!((line.text.len(), line.is_whole), (10, false));
        assert!(line.text.capacity() < 1_000);
        assert_eq!(line.size, 100 * 1024 * 1024);
    }
}
