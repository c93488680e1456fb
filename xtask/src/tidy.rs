//! `cargo xtask tidy`: house rules that neither the compiler nor clippy checks.

mod layout;
mod manifests;
mod size;
mod text;

use std::fmt;
use std::io::ErrorKind;

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

/// The files that git knows or would add, in the order of their paths.
#[derive(Debug)]
struct Repository {
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    /// From the top level, with `/`.
    path: String,
    content: Vec<u8>,
}

/// A broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    /// Counted from 1.
    line: Option<usize>,
    message: String,
}

const CHECKS: &[fn(&Repository) -> Vec<Problem>] = &[
    layout::check_top_level,
    layout::check_migrations,
    manifests::check_manifests,
    manifests::check_lock_file,
    size::check_size,
    text::check_binary,
    text::check_unfinished,
    text::check_disabled_tests,
    text::check_places,
    text::check_command_lines,
    text::check_terminal,
    text::check_imports,
];

/// Reads the repository and fails where a rule is broken.
pub(crate) fn run(sh: &Shell) -> anyhow::Result<()> {
    let repository = Repository::read(sh)?;
    let problems: Vec<_> = CHECKS.iter().flat_map(|check| check(&repository)).collect();
    for problem in &problems {
        println!("{problem}");
    }
    ensure!(problems.is_empty(), "{} house rules are broken", problems.len());
    Ok(())
}

impl Repository {
    fn read(sh: &Shell) -> anyhow::Result<Self> {
        let list =
            cmd!(sh, "git ls-files -z --cached --others --exclude-standard").quiet().read()?;
        let mut paths: Vec<_> = list.split_terminator('\0').collect();
        paths.sort_unstable();
        let mut files = Vec::new();
        for path in paths {
            match std::fs::read(sh.current_dir().join(path)) {
                Ok(content) => files.push(File { path: path.to_owned(), content }),
                Err(error) if error.kind() == ErrorKind::NotFound => {} // Deleted, and git not told yet.
                Err(error) => {
                    return Err(error).with_context(|| format!("could not read `{path}`"));
                }
            }
        }
        Ok(Self { files })
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            content: text.as_bytes().to_vec(),
        };
        Self { files: files.iter().map(file).collect() }
    }

    fn rust_files(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    fn find(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl File {
    /// Its lines counted from 1; what is no UTF-8 is replaced.
    fn lines(&self) -> Vec<(usize, String)> {
        let text = String::from_utf8_lossy(&self.content);
        text.lines().enumerate().map(|(idx, line)| (idx + 1, line.to_owned())).collect()
    }

    fn problem(&self, line: Option<usize>, message: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.message),
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// The paths and lines that `check` complains about in these files, for example `core/src/lib.rs:3`.
#[cfg(test)]
fn complaints(check: fn(&Repository) -> Vec<Problem>, files: &[(&str, &str)]) -> Vec<String> {
    let place = |problem: Problem| match problem.line {
        Some(line) => format!("{}:{line}", problem.path),
        None => problem.path,
    };
    check(&Repository::of(files)).into_iter().map(place).collect()
}
