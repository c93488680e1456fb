//! What crates may know of each other, and where their dependencies come from.

use super::{File, Problem, Repository};

/// Each crate's folder, and which of our crates it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("store", &["core"]),
    ("store/conformance", &["core", "store"]),
    ("sandbox", &["core"]),
    ("scheduler", &["core", "store", "sandbox"]),
    ("tools", &["core", "scheduler"]),
    ("api", &["core", "store", "sandbox", "scheduler"]),
    ("worker", &["core", "store", "sandbox", "scheduler", "tools", "api"]),
    ("xtask", &[]),
];

/// Only tests may depend on this one of our crates.
const FOR_TESTS: &str = "store-conformance";

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every crate takes the workspace's lints, and depends on our other crates only the allowed way.
pub(super) fn check_manifests(repository: &Repository) -> Vec<Problem> {
    let manifests = repository.files.iter().filter_map(|file| Some((file, folder_of_crate(file)?)));
    manifests.flat_map(|(file, folder)| check_manifest(file, folder)).collect()
}

/// Every dependency comes from the public registry, so that everyone can build.
pub(super) fn check_lock_file(repository: &Repository) -> Vec<Problem> {
    let Some(file) = repository.find("Cargo.lock") else { return Vec::new() };
    let is_foreign =
        |line: &str| line.starts_with("source = ") && line != format!("source = \"{REGISTRY}\"");
    file.lines()
        .into_iter()
        .filter(|(_, line)| is_foreign(line))
        .map(|(number, _)| file.problem(Some(number), "is not from the public registry"))
        .collect()
}

fn folder_of_crate(file: &File) -> Option<&str> {
    file.path.strip_suffix("/Cargo.toml")
}

fn check_manifest(file: &File, folder: &str) -> Vec<Problem> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == folder) else {
        let message =
            "is a crate unknown to `xtask/src/tidy/manifests.rs`: say what it may depend on";
        return vec![file.problem(None, message)];
    };
    let entries = entries(file);
    let has_lints = entries
        .iter()
        .any(|entry| entry.section == "lints" && entry.key == "workspace" && entry.value == "true");
    let lints = (!has_lints).then(|| file.problem(None, "lacks `[lints] workspace = true`"));
    let forbidden = entries
        .iter()
        .filter(|entry| entry.section.ends_with("dependencies"))
        .filter_map(|entry| Some((entry, our_crate(&entry.key)?)))
        .filter(|(entry, name)| {
            let is_for_tests = *name == FOR_TESTS && entry.section.ends_with("dev-dependencies");
            *name != folder && !allowed.contains(name) && !is_for_tests
        })
        .map(|(entry, name)| {
            file.problem(Some(entry.line), format!("`{folder}` must not depend on `{name}`"))
        });
    lints.into_iter().chain(forbidden).collect()
}

fn our_crate(dependency: &str) -> Option<&str> {
    let name = dependency.split('.').next()?;
    name.strip_prefix("windlass-").or_else(|| (name == "xtask").then_some(name))
}

/// One `key = value` of a manifest.
struct Entry {
    line: usize,
    section: String,
    key: String,
    value: String,
}

/// Reads as much of TOML as the manifests use: sections and one entry per line. A dependency with a section of its own,
/// `[dependencies.name]`, is an entry too.
fn entries(file: &File) -> Vec<Entry> {
    let mut section = String::new();
    let mut entries = Vec::new();
    for (line, text) in file.lines() {
        if let Some(header) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            header.clone_into(&mut section);
            if let Some((table, name)) = header.split_once("dependencies.") {
                let (section, key) = (format!("{table}dependencies"), name.to_owned());
                entries.push(Entry { line, section, key, value: String::new() });
            }
        } else if let Some((key, value)) = text.split_once('=') {
            let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
            entries.push(Entry { line, section: section.clone(), key, value });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::complaints;
    use super::*;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn manifest(rest: &str) -> String {
        format!("{LINTS}{rest}")
    }

    #[test]
    fn dependencies_point_one_way() {
        let store = manifest(
            "[dependencies]\nwindlass-core.workspace = true\nwindlass-sandbox.workspace = true\n",
        );
        let core = manifest("[dev-dependencies]\nwindlass-store = { path = \"../store\" }\n");
        let worker = manifest("[dependencies]\nwindlass-scheduler.workspace = true\n");
        let files = [
            ("Cargo.toml", "[workspace.dependencies]\nwindlass-core = { path = \"core\" }\n"),
            ("core/Cargo.toml", &*core),
            ("store/Cargo.toml", &*store),
            ("worker/Cargo.toml", &*worker),
        ];

        assert_eq!(
            complaints(check_manifests, &files),
            ["core/Cargo.toml:4", "store/Cargo.toml:5"]
        );
    }

    #[test]
    fn no_form_of_a_dependency_escapes() {
        let xtask = manifest(
            "[target.'cfg(unix)'.dependencies]\nwindlass-core.workspace = true\n[dependencies.windlass-store]\npath = \"../store\"\n",
        );

        assert_eq!(
            complaints(check_manifests, &[("xtask/Cargo.toml", &xtask)]),
            ["xtask/Cargo.toml:4", "xtask/Cargo.toml:5"]
        );
    }

    #[test]
    fn only_tests_depend_on_the_conformance_suite() {
        let store = manifest("[dev-dependencies]\nwindlass-store-conformance.workspace = true\n");
        let worker = manifest("[dependencies]\nwindlass-store-conformance.workspace = true\n");
        let files = [("store/Cargo.toml", &*store), ("worker/Cargo.toml", &*worker)];

        assert_eq!(complaints(check_manifests, &files), ["worker/Cargo.toml:4"]);
    }

    #[test]
    fn the_lints_of_the_workspace_are_inherited() {
        let files = [("core/Cargo.toml", "[package]\nworkspace = true\n")];

        assert_eq!(complaints(check_manifests, &files), ["core/Cargo.toml"]);
    }

    #[test]
    fn a_new_crate_must_say_what_it_may_know() {
        assert_eq!(
            complaints(check_manifests, &[("utils/Cargo.toml", LINTS)]),
            ["utils/Cargo.toml"]
        );
    }

    #[test]
    fn dependencies_come_from_the_public_registry() {
        let lock = format!(
            "source = \"{REGISTRY}\"\nsource = \"git+https://example.com/fork\"\nsource = \"sparse+https://mirror.example.com/\"\n"
        );

        assert_eq!(
            complaints(check_lock_file, &[("Cargo.lock", &lock)]),
            ["Cargo.lock:2", "Cargo.lock:3"]
        );
    }
}
