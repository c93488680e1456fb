//! Classifies errors of the file system: who must act.

use std::io::{self, ErrorKind};

use rustix::io::Errno;
use windlass_core::{DataFault, Failure, FailureClass};

/// `attempted` is a verb: what should have been done with the file at `path`.
pub(super) fn classify(attempted: &str, path: &str, err: &io::Error) -> Failure {
    let (class, reason) = explain(err);
    let is_missing = err.kind() == ErrorKind::NotFound;
    let fault = if is_missing { DataFault::NotFound } else { DataFault::Unreadable };
    let message = format!("could not {attempted} `{path}`: {reason}");
    Failure { class, ..Failure::about_data(fault, message) }
}

/// The class of each kind of error, and its meaning for people.
const REASONS: [(ErrorKind, FailureClass, &str); 10] = [
    (
        ErrorKind::PermissionDenied,
        FailureClass::Permission,
        "its permissions do not allow it; change them or the user who runs this",
    ),
    (
        ErrorKind::ReadOnlyFilesystem,
        FailureClass::Permission,
        "the file system is mounted read-only",
    ),
    (ErrorKind::NotFound, FailureClass::Logic, "it does not exist"),
    (
        ErrorKind::NotADirectory,
        FailureClass::Logic,
        "it is, or leads through, a file that is no folder",
    ),
    (ErrorKind::IsADirectory, FailureClass::Logic, "it is a folder, not a file"),
    (
        ErrorKind::InvalidFilename,
        FailureClass::Logic,
        "its name is too long, or it is no file to read or write",
    ),
    (ErrorKind::TimedOut, FailureClass::Network, "it took too long"),
    (ErrorKind::StorageFull, FailureClass::Internal, DISK_FULL),
    (ErrorKind::QuotaExceeded, FailureClass::Internal, DISK_FULL),
    (
        ErrorKind::FileTooLarge,
        FailureClass::Internal,
        "it would be larger than the system or the user's limit allows",
    ),
];

const DISK_FULL: &str = "the disk is full; free some space, then resume";

fn explain(err: &io::Error) -> (FailureClass, String) {
    let kind = err.kind();
    // The folder's handle returns this error, not the system, if a path would lead out of the folder.
    if kind == ErrorKind::PermissionDenied && err.raw_os_error().is_none() {
        return (
            FailureClass::Permission,
            "a link leads out of the folder that scripts may use".to_owned(),
        );
    }
    // The standard library has no stable name for this kind.
    if err.raw_os_error() == Some(Errno::LOOP.raw_os_error()) {
        return (
            FailureClass::Logic,
            "it is, or leads through, a link that leads to itself".to_owned(),
        );
    }
    match REASONS.iter().find(|(known, ..)| *known == kind) {
        Some((_, class, reason)) => (*class, (*reason).to_owned()),
        None => (FailureClass::Internal, err.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(errno: Errno) -> FailureClass {
        classify("read", "inbox/a", &io::Error::from(errno)).class
    }

    #[test]
    fn the_error_says_who_must_act() {
        for errno in [Errno::ACCESS, Errno::PERM, Errno::ROFS] {
            assert_eq!(class_of(errno), FailureClass::Permission, "{errno}");
        }
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::ISDIR, Errno::NAMETOOLONG, Errno::LOOP] {
            assert_eq!(class_of(errno), FailureClass::Logic, "{errno}");
        }
        for errno in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG, Errno::IO] {
            assert_eq!(class_of(errno), FailureClass::Internal, "{errno}");
        }
    }

    #[test]
    fn only_what_the_script_asked_for_is_wrong_with_the_data() {
        let fault_of =
            |errno: Errno| classify("read", "inbox/a", &io::Error::from(errno)).data_fault();

        assert_eq!(fault_of(Errno::NOENT), Some(DataFault::NotFound));
        for errno in [Errno::NOTDIR, Errno::ISDIR, Errno::NAMETOOLONG, Errno::LOOP] {
            assert_eq!(fault_of(errno), Some(DataFault::Unreadable), "{errno}");
        }
        for errno in [Errno::ACCESS, Errno::ROFS, Errno::NOSPC, Errno::IO] {
            assert_eq!(fault_of(errno), None, "{errno}");
        }
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let failure = classify("append to", "out/ledger.csv", &io::Error::from(Errno::NOSPC));

        assert_eq!(
            failure.message,
            "could not append to `out/ledger.csv`: the disk is full; free some space, then resume"
        );
    }
}
