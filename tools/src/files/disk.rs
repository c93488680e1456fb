//! Locks files for changes, and makes changes durable.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::Duration;

use cap_std::fs::{Dir, MetadataExt as _, OpenOptions, OpenOptionsExt as _};
use rustix::fs::OFlags;
use windlass_core::{Failure, FailureClass};

use super::roots::FileLocation;
use crate::method::off_thread;

/// How long to wait before trying to lock a file again.
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(10);

/// Who may use a file that is created.
#[derive(Debug, Clone, Copy)]
pub(super) enum Audience {
    /// Whoever may use other files that this process creates.
    Usual,
    /// Its owner alone.
    Owner,
}

/// Opens and locks the file at `location`. Creates the file and its folders if they are missing.
///
/// Waits for other holders of the lock for half of `time_limit`, so that the rest is left for the work. Without the lock,
/// nothing is changed. `audience` says who may use a file that is created.
pub(super) async fn open_exclusively(
    attempted: &'static str,
    location: &FileLocation,
    audience: Audience,
    time_limit: Duration,
) -> Result<File, Failure> {
    let open = async {
        loop {
            let attempt = try_open(attempted, location, move |location| {
                open_or_create(location, audience)?.map_or(Ok(None), |file| lock(file, location))
            });
            if let Some(file) = attempt.await? {
                return Ok(file);
            }
            tokio::time::sleep(LOCK_RETRY_DELAY).await;
        }
    };
    tokio::time::timeout(time_limit / 2, open).await.unwrap_or_else(|_elapsed| {
        Err(Failure::network(format!(
            "could not {attempted} `{}`: another program has locked it",
            location.path
        )))
    })
}

/// Waits until no other call holds the lock of the file at `location`, then locks it. `None` means that there is no file.
pub(super) async fn open_existing(
    attempted: &'static str,
    location: &FileLocation,
) -> Result<Option<File>, Failure> {
    loop {
        let attempt = try_open(attempted, location, |location| match open_to_read(location) {
            Ok(file) => lock(file, location).map(|file| file.map(Some)),
            Err(err) if err.kind() == ErrorKind::NotFound => Ok(Some(None)),
            Err(err) => Err(err),
        });
        if let Some(found) = attempt.await? {
            return Ok(found);
        }
        tokio::time::sleep(LOCK_RETRY_DELAY).await;
    }
}

async fn try_open<T: Send + 'static>(
    attempted: &'static str,
    location: &FileLocation,
    open: impl FnOnce(&FileLocation) -> io::Result<Option<T>> + Send + 'static,
) -> Result<Option<T>, Failure> {
    let location = location.clone();
    off_thread(move || open(&location).map_err(|err| location.failure(attempted, &err))).await?
}

/// `None` means that another holder has the lock, or that the file was replaced in the meantime.
fn lock(file: File, location: &FileLocation) -> io::Result<Option<File>> {
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(err)) => return Err(err),
    }
    // A file can be replaced or deleted without its lock, so the path may now name another file than the open one.
    Ok(is_file_at(&file, location)?.then_some(file))
}

fn open_or_create(location: &FileLocation, audience: Audience) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    // Without this flag, opening a named pipe would wait until another process opens its other end.
    options.read(true).append(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    match location.dir.open_with(&location.relative, &options) {
        Ok(file) => return require_regular_file(file.into_std()).map(Some),
        Err(err) if err.kind() == ErrorKind::NotFound => {}
        Err(err) => return Err(err),
    }
    create_folders(&location.dir, location.folder())?;
    if matches!(audience, Audience::Owner) {
        options.mode(0o600);
    }
    match location.dir.open_with(&location.relative, options.create_new(true)) {
        Ok(file) => {
            sync_folder(location)?;
            Ok(Some(file.into_std()))
        }
        // Another process was faster, or the name is a link to a missing file.
        Err(err)
            if err.kind() == ErrorKind::AlreadyExists
                && location.dir.exists(&location.relative) =>
        {
            Ok(None)
        }
        Err(err) => Err(err),
    }
}

/// Refuses folders, pipes and devices.
fn require_regular_file(file: File) -> io::Result<File> {
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

/// Opens a file for reading.
pub(super) fn open_to_read(location: &FileLocation) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    require_regular_file(location.dir.open_with(&location.relative, &options)?.into_std())
}

/// Refuses a file that has another name, which may be outside of the folders that scripts may use.
pub(super) fn require_one_name(file: &File, location: &FileLocation) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = file.metadata().map_err(|err| location.failure("look at", &err))?;
    if metadata.nlink() <= 1 {
        return Ok(());
    }
    Err(Failure::new(
        FailureClass::Permission,
        format!(
            "`{}` has another name, perhaps outside of the folders that scripts may use (a hard link): put a copy in its place",
            location.path
        ),
    ))
}

fn is_file_at(file: &File, location: &FileLocation) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    let open = file.metadata()?;
    match location.dir.metadata(&location.relative) {
        Ok(named) => Ok((open.dev(), open.ino()) == (named.dev(), named.ino())),
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

/// Makes the names in the folder of `location` durable.
pub(super) fn sync_folder(location: &FileLocation) -> io::Result<()> {
    sync_dir(&location.dir, location.folder())
}

fn sync_dir(dir: &Dir, path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    dir.open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FilesConfig;
    use crate::files::Roots;

    #[tokio::test]
    async fn a_file_that_was_replaced_between_opening_and_locking_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "old").unwrap();
        let config = FilesConfig { roots: vec![".".to_owned()], ..FilesConfig::default() };
        let location = Roots::open(&config, dir.path()).unwrap().locate("a").await.unwrap();
        let opened = || open_or_create(&location, Audience::Usual).unwrap().unwrap();

        let (current, replaced, deleted) = (opened(), opened(), opened());
        assert!(lock(current, &location).unwrap().is_some());
        std::fs::write(dir.path().join("b"), "new").unwrap();
        std::fs::rename(dir.path().join("b"), dir.path().join("a")).unwrap();
        assert!(lock(replaced, &location).unwrap().is_none());
        std::fs::remove_file(dir.path().join("a")).unwrap();
        assert!(lock(deleted, &location).unwrap().is_none());
    }
}
