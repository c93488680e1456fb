//! Compares the migrations of this program with those of a database.

use crate::error::{Result, StoreError};

/// A migration of the schema, and whether a database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its version, by which migrations are ordered.
    pub version: String,
    /// The name of its folder; the version where this program does not know the migration.
    pub name: String,
    /// Whether the database has it.
    pub status: MigrationStatus,
}

/// Whether a database has a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationStatus {
    /// The database has it.
    Applied,
    /// The database lacks it.
    Pending,
    /// The database has it, and this program does not know it: a newer one migrated the database.
    Unknown,
}

/// A migration that is built into this program.
#[derive(Debug)]
pub(crate) struct KnownMigration {
    pub(crate) version: String,
    pub(crate) name: String,
}

/// All migrations, known to this program or applied to the database, in order.
pub(crate) fn list(known: Vec<KnownMigration>, applied: &[String]) -> Vec<Migration> {
    let is_known = |version: &&String| known.iter().any(|migration| migration.version == **version);
    let unknown: Vec<Migration> = applied
        .iter()
        .filter(|version| !is_known(version))
        .map(|version| Migration {
            version: version.clone(),
            name: version.clone(),
            status: MigrationStatus::Unknown,
        })
        .collect();
    let with_status = |KnownMigration { version, name }| {
        let is_applied = applied.contains(&version);
        let status = if is_applied { MigrationStatus::Applied } else { MigrationStatus::Pending };
        Migration { version, name, status }
    };
    let mut all: Vec<Migration> = known.into_iter().map(with_status).chain(unknown).collect();
    all.sort_by(|a, b| a.version.cmp(&b.version));
    all
}

/// How many of the migrations that this program knows a database lacks.
///
/// # Errors
/// [`StoreError::NewerSchema`] where it has one that this program does not know.
pub(crate) fn count_pending(known: &[KnownMigration], applied: &[String]) -> Result<usize> {
    let is_known = |version: &String| known.iter().any(|migration| migration.version == *version);
    if let Some(version) = applied.iter().find(|version| !is_known(version)) {
        return Err(StoreError::NewerSchema { version: version.clone(), known: newest(known) });
    }
    Ok(known.iter().filter(|migration| !applied.contains(&migration.version)).count())
}

/// Refuses a schema that is older or newer than this program.
///
/// # Errors
/// [`StoreError::NewerSchema`] and [`StoreError::MigrationPending`].
pub(crate) fn check(known: &[KnownMigration], applied: &[String]) -> Result<()> {
    match count_pending(known, applied)? {
        0 => Ok(()),
        pending => Err(StoreError::MigrationPending { pending, needed: newest(known) }),
    }
}

fn newest(known: &[KnownMigration]) -> String {
    known.iter().map(|migration| &migration.version).max().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(versions: &[&str]) -> Vec<KnownMigration> {
        let migration = |version: &&str| KnownMigration {
            version: (*version).to_owned(),
            name: format!("{version}_name"),
        };
        versions.iter().map(migration).collect()
    }

    #[test]
    fn all_migrations_are_listed_in_order() {
        let listed = list(known(&["1", "3"]), &["1".to_owned(), "2".to_owned()]);

        let listed: Vec<_> =
            listed.iter().map(|migration| (migration.name.as_str(), migration.status)).collect();
        assert_eq!(
            listed,
            [
                ("1_name", MigrationStatus::Applied),
                ("2", MigrationStatus::Unknown),
                ("3_name", MigrationStatus::Pending),
            ]
        );
    }
}
