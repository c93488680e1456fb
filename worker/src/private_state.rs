//! Keeps the database and everything beside it from other users of the machine.
//!
//! What Windlass creates there is for its owner alone from the beginning. Here files and folders that others created, such as an
//! earlier version or a copy from a backup, are closed to others too.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::Settings;

/// The permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Closes the state to others, as far as it belongs to this user. What cannot be closed is named in the log.
pub(crate) fn close_to_others(settings: &Settings) {
    for path in state(settings) {
        if let Err(error) = close(&path) {
            let path = path.display();
            tracing::warn!(
                "could not keep `{path}` from other users: {error}; run `chmod go= {path}`"
            );
        }
    }
}

/// The state folder, the files of the database, and the folders beside it with their files.
fn state(settings: &Settings) -> Vec<PathBuf> {
    let mut paths: Vec<_> = settings.own_state_folder().into_iter().collect();
    paths.extend(settings.database_files());
    for folder in [settings.state_folder(), settings.connectors_folder()] {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        paths.extend(entries.map(|entry| entry.path()));
        paths.push(folder);
    }
    paths
}

fn close(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let (mode, is_ours) = (metadata.mode(), metadata.uid() == rustix::process::geteuid().as_raw());
    let is_open = !metadata.is_symlink() && mode & OTHERS != 0;
    if is_open && is_ours {
        fs::set_permissions(path, Permissions::from_mode(mode & 0o7777 & !OTHERS))?;
    }
    Ok(())
}
