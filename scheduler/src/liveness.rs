//! How workers on one machine know that one of them is dead: each holds a locked file, and the lock ends with the process.
//!
//! A lease alone would do, but a person who restarts a killed process should not have to wait for it to expire. The operating
//! system releases the lock at any death, and nobody else can: a worker is never taken for dead while it lives.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use windlass_core::WorkerId;

/// The locked file of this worker. It stays when the lock ends: whoever starts next looks for what the worker left undone.
#[derive(Debug)]
pub(crate) struct Alive {
    _locked: File,
}

impl Alive {
    /// Declares `worker` alive in `folder`, which is made where it is missing.
    pub(crate) fn declare(folder: &Path, worker: WorkerId) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let unfinished = folder.join(format!("{worker}.new"));
        let file = File::create(&unfinished)?;
        file.lock()?;
        // Under its final name the file is locked from the first moment.
        fs::rename(&unfinished, folder.join(worker.to_string()))?;
        Ok(Self { _locked: file })
    }
}

/// The workers that are alive in `folder`.
pub(crate) fn find_alive(folder: &Path) -> io::Result<Vec<WorkerId>> {
    let mut alive = Vec::new();
    for (worker, path) in declared(folder)? {
        if path.exists() && try_lock(&path)?.is_none() {
            alive.push(worker);
        }
    }
    Ok(alive)
}

/// A worker that ended, in whatever way. Its file is kept until [`forget`](Self::forget).
#[derive(Debug)]
pub(crate) struct Dead {
    /// Which worker.
    pub(crate) worker: WorkerId,
    path: PathBuf,
    _locked: File,
}

impl Dead {
    /// Removes the file, once the worker's runs are taken care of.
    pub(crate) fn forget(self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            // Another worker looked at the same moment and was first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Finds the workers in `folder` that are dead.
pub(crate) fn find_dead(folder: &Path) -> io::Result<Vec<Dead>> {
    let mut dead = Vec::new();
    for (worker, path) in declared(folder)? {
        if let Some(locked) = try_lock(&path)? {
            dead.push(Dead { worker, path, _locked: locked });
        }
    }
    Ok(dead)
}

/// The workers that have a file in `folder`.
fn declared(folder: &Path) -> io::Result<Vec<(WorkerId, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut declared = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(worker) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) {
            declared.push((worker, path));
        }
    }
    Ok(declared)
}

fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use windlass_core::{Id, Timestamp};

    use super::*;

    #[test]
    fn workers_are_dead_when_their_locks_are_gone_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [0, 1].map(|at| WorkerId::mint(Timestamp::from_micros(at)));
        let alive = [one, other].map(|worker| Alive::declare(folder.path(), worker).unwrap());
        assert!(find_dead(folder.path()).unwrap().is_empty());
        assert_eq!(find_alive(folder.path()).unwrap().len(), 2);

        drop(alive);

        assert_eq!(find_alive(folder.path()).unwrap(), []);
        let dead = find_dead(folder.path()).unwrap();
        let found: BTreeSet<_> = dead.iter().map(|dead| dead.worker).collect();
        assert_eq!(found, BTreeSet::from([one, other]));
        dead.into_iter().for_each(|dead| dead.forget().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_dead_worker_that_another_has_forgotten_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let worker = WorkerId::mint(Timestamp::from_micros(0));
        drop(Alive::declare(folder.path(), worker).unwrap());
        let dead = find_dead(folder.path()).unwrap().remove(0);
        fs::remove_file(folder.path().join(worker.to_string())).unwrap();

        dead.forget().unwrap();
    }

    #[test]
    fn a_folder_that_does_not_exist_has_no_dead() {
        let folder = tempfile::tempdir().unwrap();

        assert!(find_dead(&folder.path().join("none")).unwrap().is_empty());
    }
}
