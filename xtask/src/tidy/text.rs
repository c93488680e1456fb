//! What may not stand in a file.

use super::{File, Problem, Repository};

/// Written in parts, so that this file passes its own check.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const DISABLED: &[&str] = &[concat!("#[", "ignore"), concat!("#[", "should_panic")];
const HOMES: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
const REGISTRIES: &[&str] =
    &[concat!("replace", "-with"), concat!("[source", "."), concat!("[registr", "ies")];

const COMMAND_LINE: &str = concat!("`wind", "lass ");
const LIBRARIES: &[&str] = &["api/", "core/", "sandbox/", "scheduler/", "store/", "tools/"];

/// What writes to the terminal, and the two files that may: they make text from outside harmless first.
const TERMINAL: &[&str] = &[concat!("std", "out()"), concat!("std", "err()")];
const WRITERS: &[&str] = &["worker/src/output.rs", "worker/src/telemetry.rs"];

/// Git keeps text only.
pub(super) fn check_binary(repository: &Repository) -> Vec<Problem> {
    let binary = repository.files.iter().filter(|file| file.content.contains(&0));
    binary.map(|file| file.problem(None, "is a binary file")).collect()
}

/// What is left to do has an issue, whose number stands beside the mark.
pub(super) fn check_unfinished(repository: &Repository) -> Vec<Problem> {
    let is_open = |line: &str| {
        UNFINISHED.iter().any(|mark| {
            after_words(line, mark)
                .any(|rest| !rest.trim_start_matches(['(', ' ']).starts_with('#'))
        })
    };
    find(
        repository.files.iter(),
        is_open,
        "is unfinished: do it, or add the number of its issue, `(#7)`",
    )
}

/// A test that does not run, or that is content with any panic, proves nothing.
pub(super) fn check_disabled_tests(repository: &Repository) -> Vec<Problem> {
    let is_disabled = |line: &str| DISABLED.iter().any(|mark| line.trim_start().starts_with(mark));
    find(repository.rust_files(), is_disabled, "hides a test: let it run and assert what it must")
}

/// The text holds on every machine: it names nobody's home, and no registry but the public one.
pub(super) fn check_places(repository: &Repository) -> Vec<Problem> {
    let is_local = |line: &str| HOMES.iter().chain(REGISTRIES).any(|place| line.contains(place));
    find(repository.files.iter(), is_local, "names a place on somebody's machine or a registry")
}

/// Libraries advise steps as data: how a step is worded is up to the front end.
pub(super) fn check_command_lines(repository: &Repository) -> Vec<Problem> {
    let is_library = |file: &&File| LIBRARIES.iter().any(|it| file.path.starts_with(it));
    find(
        repository.rust_files().filter(is_library),
        |line| line.contains(COMMAND_LINE),
        "names a command of the program: return the step as data, and let the command line word it",
    )
}

/// Whatever a person sees goes through one place, which escapes what could control the terminal. Clippy finds `println!`.
pub(super) fn check_terminal(repository: &Repository) -> Vec<Problem> {
    let is_program = |file: &&File| {
        let path = file.path.as_str();
        let is_source = path.contains("/src/") && !path.contains("/bin/");
        is_source && !path.starts_with("xtask/") && !WRITERS.contains(&path)
    };
    find(
        repository.rust_files().filter(is_program),
        |line| TERMINAL.iter().any(|writer| line.contains(writer)),
        "writes to the terminal: print through `Output`, or write to the log",
    )
}

/// Imports stand in three groups: the standard library, other crates, this crate.
pub(super) fn check_imports(repository: &Repository) -> Vec<Problem> {
    let check =
        |file: &File| {
            let mut last_group = 0;
            for (number, line) in file.lines() {
                let Some(path) = line.strip_prefix("use ") else { continue };
                let group = import_group(path);
                if group < last_group {
                    return Some(file.problem(
                        Some(number),
                        "imports out of order: std, other crates, this crate",
                    ));
                }
                last_group = group;
            }
            None
        };
    repository.rust_files().filter_map(check).collect()
}

fn import_group(path: &str) -> u8 {
    match path.split([':', ';']).next() {
        Some("std" | "core" | "alloc") => 0,
        Some("crate" | "self" | "super") => 2,
        _ => 1,
    }
}

/// The text after each place where `word` stands by itself.
fn after_words<'a>(line: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).filter_map(move |(start, _)| {
        let (before, rest) = (line.get(..start)?, line.get(start + word.len()..)?);
        (!before.ends_with(is_part) && !rest.starts_with(is_part)).then_some(rest)
    })
}

fn find<'a>(
    files: impl Iterator<Item = &'a File>,
    is_broken: impl Fn(&str) -> bool,
    message: &str,
) -> Vec<Problem> {
    let broken = |file: &File| -> Vec<Problem> {
        let lines = file.lines().into_iter().filter(|(_, line)| is_broken(line));
        lines.map(|(number, _)| file.problem(Some(number), message)).collect()
    };
    files.flat_map(broken).collect()
}

#[cfg(test)]
mod tests {
    use super::super::complaints;
    use super::*;

    #[test]
    fn a_binary_file_is_noticed() {
        let files = [("examples/a.eml", "Grüße"), ("examples/logo.png", "PNG\0\0")];

        assert_eq!(complaints(check_binary, &files), ["examples/logo.png"]);
    }

    #[test]
    fn an_unfinished_place_needs_an_issue() {
        let [first, second, third] = UNFINISHED else { panic!("three marks") };
        let text = format!(
            "// {first}: later\n// {first}(#12): later\nlet a = \"A{third}\"; // {second}\n{first}s\n# {second} #3\n"
        );

        assert_eq!(
            complaints(check_unfinished, &[("README.md", &text)]),
            ["README.md:1", "README.md:3"]
        );
    }

    #[test]
    fn a_disabled_test_is_noticed() {
        let text = format!(
            "#[test]\n    {}]\nfn a() {{}}\n{}(expected = \"b\")]\n",
            DISABLED[0], DISABLED[1]
        );

        assert_eq!(
            complaints(check_disabled_tests, &[("core/src/a.rs", &text)]),
            ["core/src/a.rs:2", "core/src/a.rs:4"]
        );
    }

    #[test]
    fn places_of_one_machine_are_noticed() {
        let text = format!("see {}me/notes\n{} = \"mirror\"\n/usr/lib\n", HOMES[1], REGISTRIES[0]);

        assert_eq!(complaints(check_places, &[("a.md", &text)]), ["a.md:1", "a.md:2"]);
    }

    #[test]
    fn a_library_names_no_command() {
        let text =
            format!("let hint = \"see {COMMAND_LINE}list`\";\nlet name = \"windlass list\";\n");
        let files =
            [("api/src/a.rs", &*text), ("store/src/b.rs", &*text), ("worker/src/a.rs", &*text)];

        assert_eq!(complaints(check_command_lines, &files), ["api/src/a.rs:1", "store/src/b.rs:1"]);
    }

    #[test]
    fn who_writes_to_the_terminal_around_the_output_is_noticed() {
        let text = format!("io::{}.write_all(title)?;\n", TERMINAL[0]);
        let files = [("worker/src/output.rs", &*text), ("api/src/a.rs", &*text)];

        assert_eq!(complaints(check_terminal, &files), ["api/src/a.rs:1"]);
    }

    #[test]
    fn imports_stand_in_groups() {
        let good = "use std::fmt;\n\nuse serde::Serialize;\n\nuse crate::id;\nuse super::Run;\n";
        let bad = "use crate::id;\n\nuse std::fmt;\n\nuse serde::Serialize;\n";
        let files = [("core/src/good.rs", good), ("core/src/bad.rs", bad)];

        assert_eq!(complaints(check_imports, &files), ["core/src/bad.rs:3"]);
    }
}
