//! What every change of a file needs: the file to itself, and the certainty that it is on the disk.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use cap_std::fs::{Dir, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use windlass_core::Failure;

use super::roots::Place;
use crate::method::off_thread;

/// How long to wait before asking for a locked file again.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// Opens the file at `place` for this call alone, creating it and its folders where they are missing.
///
/// Waits for other holders of the lock for half of `time_limit`: the rest is for the work. Nothing is left behind when the
/// wait ends without the file.
pub(super) async fn open_exclusively(
    attempted: &'static str,
    place: &Place,
    time_limit: Duration,
) -> Result<File, Failure> {
    let open = async {
        loop {
            let attempt = attempt(attempted, place, |place| {
                open_or_create(place)?.map_or(Ok(None), |file| lock(file, place))
            });
            if let Some(file) = attempt.await? {
                return Ok(file);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    tokio::time::timeout(time_limit / 2, open).await.unwrap_or_else(|_elapsed| {
        Err(Failure::network(format!(
            "could not {attempted} `{}`: another program has locked it",
            place.path
        )))
    })
}

/// Waits until no call is at work on the file at `place`, then keeps others away from it. `None` where there is no file.
pub(super) async fn open_when_free(
    attempted: &'static str,
    place: &Place,
) -> Result<Option<File>, Failure> {
    loop {
        let attempt = attempt(attempted, place, |place| match open_to_read(place) {
            Ok(file) => lock(file, place).map(|file| file.map(Some)),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(Some(None)),
            Err(err) => Err(err),
        });
        if let Some(found) = attempt.await? {
            return Ok(found);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

async fn attempt<T: Send + 'static>(
    attempted: &'static str,
    place: &Place,
    open: fn(&Place) -> io::Result<Option<T>>,
) -> Result<Option<T>, Failure> {
    let place = place.clone();
    off_thread(move || open(&place).map_err(|err| place.failure(attempted, &err))).await?
}

/// `None` where someone else holds the file, or replaced it in between.
fn lock(file: File, place: &Place) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(err)) => return Err(err),
    }
    // Whoever replaces or deletes a file does not wait for its lock: what is open may no longer be what the path names.
    Ok(is_at(&file, place)?.then_some(file))
}

fn open_or_create(place: &Place) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    // Opening a pipe for good must not wait for someone at its other end.
    options.read(true).append(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    match place.dir.open_with(&place.within, &options) {
        Ok(file) => return regular(file.into_std()).map(Some),
        Err(err) if err.kind() == ErrorKind::NotFound => {}
        Err(err) => return Err(err),
    }
    create_folders(&place.dir, place.folder())?;
    match place.dir.open_with(&place.within, options.create_new(true)) {
        Ok(file) => {
            sync_folder(place)?;
            Ok(Some(file.into_std()))
        }
        // Someone was quicker, or the name is a link to nowhere.
        Err(err) if err.kind() == ErrorKind::AlreadyExists && place.dir.exists(&place.within) => {
            Ok(None)
        }
        Err(err) => Err(err),
    }
}

/// Refuses folders, pipes and devices.
pub(super) fn regular(file: File) -> io::Result<File> {
    let file_type = file.metadata()?.file_type();
    if file_type.is_file() {
        return Ok(file);
    }
    Err(io::Error::from(if file_type.is_dir() {
        ErrorKind::IsADirectory
    } else {
        ErrorKind::InvalidFilename
    }))
}

/// Opens a file to look at it.
pub(super) fn open_to_read(place: &Place) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    regular(place.dir.open_with(&place.within, &options)?.into_std())
}

fn is_at(file: &File, place: &Place) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    let held = file.metadata()?;
    match place.dir.metadata(&place.within) {
        Ok(named) => Ok((held.dev(), held.ino()) == (named.dev(), named.ino())),
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(false),
        Err(err) => Err(err),
    }
}

/// Creates the missing folders of `path`, each durable before the next.
fn create_folders(dir: &Dir, path: &Path) -> io::Result<()> {
    for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
        if folder.as_os_str().is_empty() || folder == Path::new(".") {
            continue;
        }
        match dir.create_dir(folder) {
            Ok(()) => sync_dir(dir, folder.parent().unwrap_or(Path::new("")))?,
            Err(err) if err.kind() == ErrorKind::AlreadyExists => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// Makes the names in the folder of `place` durable.
pub(super) fn sync_folder(place: &Place) -> io::Result<()> {
    sync_dir(&place.dir, place.folder())
}

fn sync_dir(dir: &Dir, path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    dir.open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Roots;

    #[tokio::test]
    async fn a_file_that_was_replaced_between_opening_and_locking_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "old").unwrap();
        let place = Roots::open(&[".".to_owned()], dir.path()).unwrap().place("a").await.unwrap();
        let opened = || open_or_create(&place).unwrap().unwrap();

        let (current, replaced, deleted) = (opened(), opened(), opened());
        assert!(lock(current, &place).unwrap().is_some());
        std::fs::write(dir.path().join("b"), "new").unwrap();
        std::fs::rename(dir.path().join("b"), dir.path().join("a")).unwrap();
        assert!(lock(replaced, &place).unwrap().is_none());
        std::fs::remove_file(dir.path().join("a")).unwrap();
        assert!(lock(deleted, &place).unwrap().is_none());
    }
}
