use std::io::Cursor;

use rustix::io::Errno;

use super::*;

/// A disk with room for so many more bytes.
#[derive(Debug)]
struct Disk {
    file: Cursor<Vec<u8>>,
    room: usize,
    can_truncate: bool,
}

impl Disk {
    fn new(text: &str, room: usize) -> Self {
        Self { file: Cursor::new(text.as_bytes().to_vec()), room, can_truncate: true }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.file.get_ref()).unwrap()
    }
}

impl Read for &mut Disk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(Errno::NOSPC.into());
        }
        let n_bytes = self.file.write(&bytes[..bytes.len().min(self.room)])?;
        self.room -= n_bytes;
        Ok(n_bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &mut Disk {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl AppendTarget for &mut Disk {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        if !self.can_truncate {
            return Err(Errno::IO.into());
        }
        self.file.get_mut().truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends a line for a worker that may.
fn append(file: impl AppendTarget, line: &str) -> Result<u64, AppendError> {
    let (_watch, point) = CommitPoint::new(|| true);
    append_line(file, line, &point)
}

fn appended(text: &str, line: &str) -> String {
    let mut disk = Disk::new(text, usize::MAX);
    let size = append(&mut disk, line).unwrap();
    assert_eq!(size, disk.text().len() as u64);
    disk.text().to_owned()
}

#[test]
fn a_line_follows_the_last_one() {
    assert_eq!(appended("", "a,1"), "a,1\n");
    assert_eq!(appended("a,1\n", "b,2"), "a,1\nb,2\n");
    assert_eq!(appended("a,1\n", ""), "a,1\n\n");
}

#[test]
fn the_beginning_of_our_own_line_is_completed() {
    assert_eq!(appended("a,1\nb", "b,2"), "a,1\nb,2\n");
    assert_eq!(appended("b,", "b,2"), "b,2\n");
}

#[test]
fn what_somebody_else_left_unfinished_keeps_its_line() {
    assert_eq!(appended("a,1\nx", "b,2"), "a,1\nx\nb,2\n");
    assert_eq!(appended("b,23", "b,2"), "b,23\nb,2\n");
    assert_eq!(appended("xxb", "b,2"), "xxb\nb,2\n");
    assert_eq!(appended("x", ""), "x\n\n");
}

#[test]
fn an_equal_line_that_lacks_its_end_stays_a_line_of_its_own() {
    assert_eq!(appended("a,1\nb,2", "b,2"), "a,1\nb,2\nb,2\n");
}

#[test]
fn a_line_that_does_not_fit_on_the_disk_is_taken_back() {
    for room in 0..4 {
        let mut disk = Disk::new("a,1\n", room);

        let error = append(&mut disk, "b,2").unwrap_err();

        assert!(matches!(error, AppendError::Unchanged(_)), "{error:?}");
        assert_eq!(disk.text(), "a,1\n");
    }
}

#[test]
fn a_line_that_cannot_be_taken_back_is_in_doubt() {
    let mut disk = Disk { can_truncate: false, ..Disk::new("a,1\n", 2) };

    let error = append(&mut disk, "b,2").unwrap_err();

    assert!(matches!(error, AppendError::MaybeChanged(_)), "{error:?}");
}

/// A disk that takes part of a line, and on which another program then adds a line of its own.
#[derive(Debug)]
struct SharedDisk(Disk);

impl Read for &mut SharedDisk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.file.read(buffer)
    }
}

impl Write for &mut SharedDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&mut self.0).write(bytes);
        if written.is_err() {
            self.0.file.get_mut().extend(b"theirs\n");
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &mut SharedDisk {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.0.file.seek(position)
    }
}

impl AppendTarget for &mut SharedDisk {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        (&mut self.0).truncate(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_another_program_added_is_not_taken_back_with_a_failed_line() {
    for room in 0..4 {
        let mut disk = SharedDisk(Disk::new("a,1\n", room));

        let error = append(&mut disk, "b,2").unwrap_err();

        assert!(matches!(error, AppendError::MaybeChanged(_)), "{error:?}");
        assert_eq!(disk.0.text(), format!("a,1\n{}theirs\n", &"b,2\n"[..room]));
    }
}

#[test]
fn a_device_that_is_full_is_no_success() {
    let device = File::options().read(true).write(true).open("/dev/full").unwrap();

    let error = append(&device, "b,2").unwrap_err();
    let (AppendError::Unchanged(err) | AppendError::MaybeChanged(err)) = error else {
        panic!("{error:?}")
    };

    assert_eq!(err.kind(), io::ErrorKind::StorageFull);
}
