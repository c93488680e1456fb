//! Who else on the machine can read what Windlass keeps.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::cli::folder::TestFolder;

/// Everything in a folder and the folder itself, with its permissions.
fn modes(path: &Path) -> Vec<(String, u32)> {
    let metadata = fs::metadata(path).unwrap();
    let mut found = vec![(path.display().to_string(), metadata.permissions().mode() & 0o777)];
    if metadata.is_dir() {
        found.extend(fs::read_dir(path).unwrap().flat_map(|entry| modes(&entry.unwrap().path())));
    }
    found
}

fn assert_private(folder: &TestFolder) {
    let found = modes(&folder.path(".windlass"));
    assert!(found.len() >= 3, "state folder, database and lock files: {found:?}");
    for (path, mode) in found {
        assert_eq!(mode & 0o077, 0, "{path} has the mode {mode:o}");
    }
}

#[test]
fn nobody_else_reads_the_state_new_or_old() {
    let folder = TestFolder::with_starter();
    assert_eq!(folder.call("deploy workflow.js --name notes --activate --yes").code, 0);
    assert_eq!(folder.call("run notes").code, 0);
    folder.write(".windlass/connectors/old.json", "{}");
    assert_eq!(folder.call("list").code, 0);
    assert_private(&folder);

    for (path, mode) in modes(&folder.path(".windlass")) {
        fs::set_permissions(path, Permissions::from_mode(mode | 0o055)).unwrap();
    }
    assert_eq!(folder.call("list").code, 0);
    assert_private(&folder);
}

#[test]
fn what_scripts_write_has_the_usual_permissions() {
    let folder = TestFolder::with_starter();
    folder.write("usual.txt", "");
    assert_eq!(folder.call("deploy workflow.js --name notes --activate --yes").code, 0);
    assert_eq!(folder.call("run notes").code, 0);

    let mode = |name: &str| fs::metadata(folder.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("out/notes.log"), mode("usual.txt"));
}

#[test]
fn a_folder_that_holds_more_than_state_keeps_its_permissions() {
    let folder = TestFolder::with_starter();
    folder.write("data/shared.txt", "");
    fs::set_permissions(folder.path("data"), Permissions::from_mode(0o755)).unwrap();
    let deploy = "deploy workflow.js --name notes --yes --database sqlite:data/x.db";
    assert_eq!(folder.call(deploy).code, 0);

    let found = modes(&folder.path("data"));
    let others = |name: &str| {
        let (_, mode) = found.iter().find(|(path, _)| path.ends_with(name)).unwrap();
        mode & 0o077
    };
    assert_eq!((others("/data"), others("/x.db")), (0o055, 0));
    assert_ne!(others("/shared.txt"), 0);
}
