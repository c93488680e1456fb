//! Notices when the path of a database leads to another file than the one that is open, or to none.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::path::DatabasePath;
use crate::error::{Result, StoreError};

/// The file that was at the path of a database when it was opened.
#[derive(Debug, Clone)]
pub(super) struct OpenFile {
    path: PathBuf,
    identity: Identity,
}

/// What one file alone has as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl OpenFile {
    /// Looks which file is there; none for a database in memory. To be called before it is opened: if another file comes in between,
    /// that is noticed too.
    pub(super) fn find(database: &DatabasePath) -> Result<Option<Self>> {
        let Some(path) = database.path() else { return Ok(None) };
        let identity = identity(path).map_err(|error| match is_gone(&error) {
            true => StoreError::not_found("database", database),
            false => unreadable(path, error),
        })?;
        Ok(Some(Self { path: path.to_owned(), identity }))
    }

    /// Checks that the path still leads to it. This asks the file system once and waits for no other process.
    pub(super) fn check(&self) -> Result<()> {
        let what_happened = match identity(&self.path) {
            Ok(present) if present == self.identity => return Ok(()),
            Ok(_other) => "another file is in its place",
            Err(error) if is_gone(&error) => "it was deleted or moved away",
            Err(error) => return Err(unreadable(&self.path, error)),
        };
        Err(StoreError::Replaced { path: self.path.display().to_string(), what_happened })
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let about = path.metadata()?;
    Ok(Identity { device: about.dev(), inode: about.ino() })
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, source: io::Error) -> StoreError {
    StoreError::Unavailable {
        what: format!("could not look at `{}`", path.display()),
        source: Some(Box::new(source)),
    }
}
