//! How long a file may be.

use super::{File, Problem, Repository};

/// Lines of Rust, tests not counted.
const MAX_LINES: usize = 400;

/// A file that grows beyond this holds more than one idea.
pub(super) fn check_size(repository: &Repository) -> Vec<Problem> {
    repository
        .rust_files()
        .filter(|file| !is_test_file(&file.path))
        .map(|file| (file, count_lines(file)))
        .filter(|(_, n_lines)| *n_lines > MAX_LINES)
        .map(|(file, n_lines)| {
            file.problem(None, format!("has {n_lines} lines without tests, more than {MAX_LINES}"))
        })
        .collect()
}

/// The contract of the store is tests, although it is a library: other crates make tests of it.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.split('/').any(|folder| folder == "tests")
        || path.starts_with("store/conformance/src/")
}

/// Counts all lines but those of test modules, which begin and end, as rustfmt lays them out, at the first column.
fn count_lines(file: &File) -> usize {
    let mut n_lines = 0;
    let mut is_attribute_before = false;
    let mut is_test = false;
    for (_, line) in file.lines() {
        if is_attribute_before && line.starts_with("mod ") && line.ends_with('{') {
            is_test = true;
        }
        if !is_test {
            n_lines += 1;
        }
        if line == "}" {
            is_test = false;
        }
        is_attribute_before = line == "#[cfg(test)]";
    }
    n_lines
}

#[cfg(test)]
mod tests {
    use super::super::complaints;
    use super::*;

    #[test]
    fn a_long_file_is_noticed() {
        let (long, fitting) =
            ("fn f() {}\n".repeat(MAX_LINES + 1), "fn f() {}\n".repeat(MAX_LINES));
        let files = [("core/src/long.rs", &*long), ("core/src/fitting.rs", &*fitting)];

        assert_eq!(complaints(check_size, &files), ["core/src/long.rs"]);
    }

    #[test]
    fn tests_may_be_long() {
        let lines = "    fn f() {}\n".repeat(MAX_LINES);
        let with_tests = format!("fn f() {{}}\n\n#[cfg(test)]\nmod tests {{\n{lines}}}\n");
        let long = "fn f() {}\n".repeat(MAX_LINES + 1);
        let files = [
            ("core/src/a.rs", &*with_tests),
            ("core/tests/all.rs", &*long),
            ("core/src/a/tests.rs", &*long),
        ];

        assert_eq!(complaints(check_size, &files), [""; 0]);
    }

    #[test]
    fn code_after_the_tests_counts() {
        let lines = "fn f() {}\n".repeat(MAX_LINES);
        let text = format!("#[cfg(test)]\nmod tests {{\n    fn f() {{}}\n}}\n{lines}");

        assert_eq!(complaints(check_size, &[("core/src/a.rs", &text)]), ["core/src/a.rs"]);
    }
}
