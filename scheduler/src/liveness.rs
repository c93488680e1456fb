//! Lock files, by which the workers of one machine notice that one of them has died.
//!
//! Leases alone would be enough, but a person who restarts a killed process should not have to wait until they expire. The operating
//! system releases a lock when its process ends and never before, so a living worker never counts as dead.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use windlass_core::WorkerId;

/// The lock file of this worker. The file stays when the process ends, so that the next worker finds it and recovers the runs.
#[derive(Debug)]
pub(crate) struct WorkerLock {
    _locked: File,
}

impl WorkerLock {
    /// Creates and locks the file of `worker` in `folder`, which is created if it is missing. Both are for their owner alone.
    pub(crate) fn create(folder: &Path, worker: WorkerId) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let unfinished = folder.join(format!("{worker}.new"));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.lock()?;
        // Under its final name the file is locked from the beginning.
        fs::rename(&unfinished, folder.join(worker.to_string()))?;
        Ok(Self { _locked: file })
    }
}

/// The running workers that have a lock file in `folder`.
pub(crate) fn find_running(folder: &Path) -> io::Result<Vec<WorkerId>> {
    let mut running = Vec::new();
    for (worker, path) in lock_files(folder)? {
        if path.exists() && try_lock(&path)?.is_none() {
            running.push(worker);
        }
    }
    Ok(running)
}

/// A worker whose process has ended. Its file is kept until [`remove`](Self::remove).
#[derive(Debug)]
pub(crate) struct DeadWorker {
    /// Which worker.
    pub(crate) worker: WorkerId,
    path: PathBuf,
    _locked: File,
}

impl DeadWorker {
    /// Removes the file, after the worker's runs were recovered.
    pub(crate) fn remove(self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            // Another worker has removed it at the same time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Finds the dead workers that have a lock file in `folder`.
pub(crate) fn find_dead(folder: &Path) -> io::Result<Vec<DeadWorker>> {
    let mut dead = Vec::new();
    for (worker, path) in lock_files(folder)? {
        if let Some(locked) = try_lock(&path)? {
            dead.push(DeadWorker { worker, path, _locked: locked });
        }
    }
    Ok(dead)
}

/// The lock files in `folder`, with their workers.
fn lock_files(folder: &Path) -> io::Result<Vec<(WorkerId, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(worker) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) {
            files.push((worker, path));
        }
    }
    Ok(files)
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
        let alive = [one, other].map(|worker| WorkerLock::create(folder.path(), worker).unwrap());
        assert!(find_dead(folder.path()).unwrap().is_empty());
        assert_eq!(find_running(folder.path()).unwrap().len(), 2);

        drop(alive);

        assert_eq!(find_running(folder.path()).unwrap(), []);
        let dead = find_dead(folder.path()).unwrap();
        let found: BTreeSet<_> = dead.iter().map(|dead| dead.worker).collect();
        assert_eq!(found, BTreeSet::from([one, other]));
        dead.into_iter().for_each(|dead| dead.remove().unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_dead_worker_may_be_removed_by_two_workers() {
        let folder = tempfile::tempdir().unwrap();
        let worker = WorkerId::mint(Timestamp::from_micros(0));
        drop(WorkerLock::create(folder.path(), worker).unwrap());
        let dead = find_dead(folder.path()).unwrap().remove(0);
        fs::remove_file(folder.path().join(worker.to_string())).unwrap();

        dead.remove().unwrap();
    }

    #[test]
    fn nobody_else_can_read_or_hold_a_lock() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (workers, worker) =
            (folder.path().join("workers"), WorkerId::mint(Timestamp::from_micros(0)));
        let _lock = WorkerLock::create(&workers, worker).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;

        assert_eq!((mode(&workers), mode(&workers.join(worker.to_string()))), (0o700, 0o600));
    }

    #[test]
    fn a_folder_that_does_not_exist_has_no_dead() {
        let folder = tempfile::tempdir().unwrap();

        assert!(find_dead(&folder.path().join("none")).unwrap().is_empty());
    }
}
