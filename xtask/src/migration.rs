//! `cargo xtask migration new`: writes a migration for both databases.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

const DATABASES: [(&str, &str); 2] = [("sqlite", "SQLite"), ("postgres", "PostgreSQL")];

/// Writes `migrations/{sqlite,postgres}/TIME_NAME/{up,down}.sql` and prints their paths.
pub(crate) fn create(sh: &Shell, name: &str) -> anyhow::Result<()> {
    let time = cmd!(sh, "date -u +%Y-%m-%d-%H%M%S").quiet().read()?;
    for path in write(&sh.current_dir().join("migrations"), &time, name)? {
        println!("{}", path.display());
    }
    Ok(())
}

fn write(migrations: &Path, time: &str, name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    ensure!(
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_word),
        "`{name}` is no name of a migration: write lower case letters, digits and `_`, for example `add_priority`"
    );
    for (database, _) in DATABASES {
        for existing in folders(&migrations.join(database))? {
            let named = existing.split_once('_').map(|(_, name)| name);
            ensure!(
                named != Some(name),
                "the migration `{existing}` has that name: choose another"
            );
            let is_newer = existing.as_str() < time;
            ensure!(
                is_newer,
                "the migration `{existing}` is newer than {time}: set the clock right"
            );
        }
    }
    let mut written = Vec::new();
    for (database, title) in DATABASES {
        let folder = migrations.join(database).join(format!("{time}_{name}"));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("could not make `{}`", folder.display()))?;
        for (file, header) in [
            ("up.sql", format!("-- {title}: {}.\n", name.replace('_', " "))),
            ("down.sql", "-- Reverts `up.sql`, in the opposite order.\n".to_owned()),
        ] {
            let path = folder.join(file);
            std::fs::write(&path, header)
                .with_context(|| format!("could not write `{}`", path.display()))?;
            written.push(path);
        }
    }
    Ok(written)
}

/// The names of the migrations in a folder.
fn folders(parent: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(parent)
        .with_context(|| format!("could not read `{}`", parent.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-12-01-101500";

    /// A folder of migrations with one that exists, removed with the shell's temporary folder.
    fn migrations(sh: &Shell) -> xshell::TempDir {
        let dir = sh.create_temp_dir().unwrap();
        for (database, _) in DATABASES {
            sh.create_dir(dir.path().join(database).join("2026-11-21-000000_create_engine"))
                .unwrap();
        }
        dir
    }

    #[test]
    fn a_migration_is_written_for_both_databases_with_a_way_back() {
        let dir = migrations(&Shell::new().unwrap());

        let written = write(dir.path(), TIME, "add_priority").unwrap();

        let relative: Vec<_> = written
            .iter()
            .map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string())
            .collect();
        assert_eq!(
            relative,
            [
                "sqlite/2026-12-01-101500_add_priority/up.sql",
                "sqlite/2026-12-01-101500_add_priority/down.sql",
                "postgres/2026-12-01-101500_add_priority/up.sql",
                "postgres/2026-12-01-101500_add_priority/down.sql",
            ]
        );
        let up = std::fs::read_to_string(&written[0]).unwrap();
        assert_eq!(up, "-- SQLite: add priority.\n");
    }

    #[test]
    fn a_bad_name_is_refused() {
        let dir = migrations(&Shell::new().unwrap());

        for name in ["", "Add", "add-priority", "add priority", "1_add", "../add", "_add", "ädd"] {
            let error = write(dir.path(), TIME, name).unwrap_err();
            assert!(error.to_string().contains("is no name of a migration"), "{error}");
        }
    }

    #[test]
    fn a_name_or_a_time_that_exists_is_refused_and_nothing_is_written() {
        let dir = migrations(&Shell::new().unwrap());

        let same_name = write(dir.path(), TIME, "create_engine").unwrap_err();
        let too_old = write(dir.path(), "2026-11-20-000000", "add_priority").unwrap_err();

        assert!(same_name.to_string().contains("choose another"), "{same_name}");
        assert!(too_old.to_string().contains("set the clock right"), "{too_old}");
        assert_eq!(folders(&dir.path().join("sqlite")).unwrap().len(), 1);
    }
}
