//! Whether a program and a schema belong together: both have the same migrations.

use crate::error::{Result, StoreError};

/// How many of the migrations that this program knows a database lacks.
///
/// # Errors
/// [`StoreError::NewerSchema`] where it has one that this program does not know.
pub(crate) fn count_pending(known: &[String], applied: &[String]) -> Result<usize> {
    if let Some(version) = applied.iter().find(|version| !known.contains(version)) {
        return Err(StoreError::NewerSchema { version: version.clone(), known: newest(known) });
    }
    Ok(known.iter().filter(|version| !applied.contains(version)).count())
}

/// Refuses a schema that is older or newer than this program.
///
/// # Errors
/// [`StoreError::NewerSchema`] and [`StoreError::MigrationPending`].
pub(crate) fn check(known: &[String], applied: &[String]) -> Result<()> {
    match count_pending(known, applied)? {
        0 => Ok(()),
        pending => Err(StoreError::MigrationPending { pending, needed: newest(known) }),
    }
}

fn newest(known: &[String]) -> String {
    known.iter().max().cloned().unwrap_or_default()
}
