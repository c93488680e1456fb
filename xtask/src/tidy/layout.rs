//! What lies where.

use std::collections::BTreeSet;

use super::{Problem, Repository};

const TOP_LEVEL: &[&str] = &[
    "ARCHITECTURE.md",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "SAFETY.md",
    "api",
    "core",
    "examples",
    "migrations",
    "monitoring",
    "sandbox",
    "scheduler",
    "store",
    "tools",
    "worker",
    "xtask",
];

const DOCUMENTS: &[&str] = &["ARCHITECTURE.md", "README.md", "SAFETY.md"];

/// The top level holds what it must, and beside dot files nothing else.
pub(super) fn check_top_level(repository: &Repository) -> Vec<Problem> {
    let names: BTreeSet<_> =
        repository.files.iter().filter_map(|file| file.path.split('/').next()).collect();
    let unknown = names
        .iter()
        .filter(|name| !name.starts_with('.') && !TOP_LEVEL.contains(name))
        .map(|name| problem(name, "does not belong to the top level"));
    let missing = DOCUMENTS
        .iter()
        .filter(|name| !names.contains(*name))
        .map(|name| problem(name, "is missing"));
    unknown.chain(missing).collect()
}

/// Each migration is there for both databases, both ways.
pub(super) fn check_migrations(repository: &Repository) -> Vec<Problem> {
    let names: BTreeSet<_> = repository
        .files
        .iter()
        .filter_map(|file| file.path.strip_prefix("migrations/")?.split('/').nth(1))
        .collect();
    let needed = names.iter().flat_map(|name| {
        ["postgres", "sqlite"].into_iter().flat_map(move |database| {
            ["up", "down"].map(|way| format!("migrations/{database}/{name}/{way}.sql"))
        })
    });
    needed
        .filter(|path| repository.find(path).is_none())
        .map(|path| problem(&path, "is missing: migrations are twins, each with a way back"))
        .collect()
}

fn problem(path: &str, message: &str) -> Problem {
    Problem { path: path.to_owned(), line: None, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::complaints;
    use super::*;

    #[test]
    fn the_top_level_is_closed() {
        let files = [
            (".gitignore", ""),
            ("ARCHITECTURE.md", ""),
            ("README.md", ""),
            ("SAFETY.md", ""),
            ("core/src/lib.rs", ""),
            ("notes.txt", ""),
            ("utils/src/lib.rs", ""),
        ];

        assert_eq!(complaints(check_top_level, &files), ["notes.txt", "utils"]);
    }

    #[test]
    fn the_documents_must_be_there() {
        let files = [("README.md", ""), ("core/SAFETY.md", "")];

        assert_eq!(complaints(check_top_level, &files), ["ARCHITECTURE.md", "SAFETY.md"]);
    }

    #[test]
    fn migrations_are_twins_with_a_way_back() {
        let files = [
            ("migrations/postgres/1_runs/down.sql", ""),
            ("migrations/postgres/1_runs/up.sql", ""),
            ("migrations/postgres/2_logs/up.sql", ""),
            ("migrations/sqlite/1_runs/down.sql", ""),
            ("migrations/sqlite/1_runs/up.sql", ""),
        ];

        assert_eq!(
            complaints(check_migrations, &files),
            [
                "migrations/postgres/2_logs/down.sql",
                "migrations/sqlite/2_logs/up.sql",
                "migrations/sqlite/2_logs/down.sql",
            ]
        );
    }
}
