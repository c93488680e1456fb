//! Checks that the schema has the migrations of this program.

use crate::error::{Result, StoreError};

/// How many of this program's migrations are pending.
///
/// # Errors
/// [`StoreError::NewerSchema`] if the database has a migration that this program does not know.
pub(crate) fn count_pending(known: &[String], applied: &[String]) -> Result<usize> {
    if let Some(version) = applied.iter().find(|version| !known.contains(version)) {
        return Err(StoreError::NewerSchema { version: version.clone(), known: newest(known) });
    }
    Ok(known.iter().filter(|version| !applied.contains(version)).count())
}

/// Refuses a schema that is older or newer than this program's.
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
