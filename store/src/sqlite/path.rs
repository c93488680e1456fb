//! The path of a database.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};

/// The path of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DatabasePath {
    /// In a file.
    File(PathBuf),
    /// In memory; it is gone when the store is dropped.
    Memory,
}

impl DatabasePath {
    /// Reads `sqlite:PATH`, `sqlite://PATH`, `sqlite::memory:` or a bare path.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let bad =
            |reason: &str| StoreError::BadUrl { url: url.to_owned(), reason: reason.to_owned() };
        let path =
            url.strip_prefix("sqlite:").map_or(url, |rest| rest.strip_prefix("//").unwrap_or(rest));
        if path == ":memory:" {
            return Ok(Self::Memory);
        }
        if path.is_empty() {
            return Err(bad("write the path of the file, for example `sqlite:windlass.db`"));
        }
        if path.starts_with("file:") || path.contains("://") {
            return Err(bad("write `sqlite:` and a path, or a `postgres://` URL"));
        }
        Ok(Self::File(PathBuf::from(path)))
    }

    /// The file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Memory => None,
        }
    }

    /// Whether the disk is full. SQLite reports some cases of that as an I/O error.
    pub(super) fn is_full(&self) -> bool {
        let room = self.path().map(rustix::fs::statvfs);
        matches!(room, Some(Ok(room)) if room.f_bavail == 0)
    }
}

impl fmt::Display for DatabasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str(":memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_bare_paths_name_files() {
        for url in ["sqlite:a/b.db", "sqlite://a/b.db", "a/b.db"] {
            assert_eq!(
                DatabasePath::parse(url).unwrap(),
                DatabasePath::File(PathBuf::from("a/b.db"))
            );
        }
        let absolute = DatabasePath::File(PathBuf::from("/a/b.db"));
        assert_eq!(DatabasePath::parse("sqlite:///a/b.db").unwrap(), absolute);
        assert_eq!(DatabasePath::parse("sqlite::memory:").unwrap(), DatabasePath::Memory);
    }

    #[test]
    fn other_databases_and_nothing_name_no_file() {
        for url in ["sqlite:", "", "mysql://a/b", "sqlite:file:a.db?mode=memory"] {
            assert!(matches!(DatabasePath::parse(url), Err(StoreError::BadUrl { .. })), "{url}");
        }
    }
}
