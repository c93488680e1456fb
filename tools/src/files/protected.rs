//! The files of Windlass itself and those of secrets, which no script may use.
//!
//! With the configuration a script could change what it may do, with the database what happened, and a secret it could read. So no root
//! may contain any of them, or lie in the state folder. Under another name, such as a hard link, they are recognised by their identity.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cap_std::fs::{Metadata, MetadataExt as _};

/// Paths that no script may use.
#[derive(Debug)]
pub(super) struct Protected {
    paths: Vec<PathBuf>,
}

impl Protected {
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        Self { paths: paths.to_vec() }
    }

    /// The protected path that lies in `folder`, or that `folder` lies in. Links are followed on both sides.
    pub(super) fn conflict(&self, folder: &Path) -> Option<&Path> {
        let folder = real_path(folder);
        let meets = |path: &PathBuf| path.starts_with(&folder) || folder.starts_with(path);
        let conflict = self.paths.iter().find(|path| {
            let (named, real) = (real_folder(path), real_path(path));
            meets(&named) || meets(&real)
        });
        conflict.map(PathBuf::as_path)
    }

    /// Whether a file is one of the protected files, whatever it is called.
    pub(super) fn contains(&self, file: &Metadata) -> bool {
        let identities = self.paths.iter().filter_map(|path| std::fs::metadata(path).ok());
        identities
            .map(|known| (known.dev(), known.ino()))
            .any(|known| known == (file.dev(), file.ino()))
    }
}

/// The path without links, as far as it exists.
fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_missing| real_folder(path))
}

/// The path without links in its folder. It may itself be a link.
fn real_folder(path: &Path) -> PathBuf {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return path.to_owned();
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut missing: Vec<OsString> = vec![name.to_owned()];
    for ancestor in folder.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| path.join(name));
        }
        missing.extend(ancestor.file_name().map(OsString::from));
    }
    path.to_owned()
}
