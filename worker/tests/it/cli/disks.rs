//! Disks that are full or only read.

use std::process::Command;

use crate::cli::folder::TestFolder;

/// What the scripts of this chapter call the program by: `call NAME ARGUMENTS…` leaves `NAME.out`, `NAME.err` and `NAME.code`.
const CALL: &str = r#"
set -eu
program=$1
call() {
    name=$1; shift; code=0
    "$program" "$@" > "$name.out" 2> "$name.err" || code=$?
    echo "$code" > "$name.code"
}
"#;

/// Runs a shell script in the folder, as root of namespaces of its own, whose mounts nobody else sees. `false`: this machine
/// lets nobody make such namespaces.
fn among_own_mounts(folder: &TestFolder, script: &str) -> bool {
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount"]).args(arguments);
        command.current_dir(folder.path("")).env_remove("WINDLASS_DATABASE");
        command.output()
    };
    let probed = unshare(&["mount", "-t", "tmpfs", "tmpfs", "."]);
    if !probed.is_ok_and(|output| output.status.success()) {
        return false;
    }
    let output =
        unshare(&["sh", "-c", &format!("{CALL}{script}"), "sh", env!("CARGO_BIN_EXE_windlass")]);
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

/// What can be seen of a full disk without mounts: the answer has no room.
fn the_answer_has_no_room(folder: &TestFolder) {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();

    let output = folder.command("types").stdout(full).output().unwrap();

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot print the answer") && said.contains("No space left"), "{said}");
}

fn code(folder: &TestFolder, name: &str) -> i32 {
    folder.read(&format!("{name}.code")).trim().parse().unwrap()
}

#[test]
fn a_full_disk_is_named_and_with_space_again_the_same_command_goes_on() {
    let folder = TestFolder::with_starter();
    // The lease says how long a run waits for space before it is given up.
    let config = folder.read("windlass.toml");
    folder.write("windlass.toml", format!("{config}\n[limits.lease]\nduration_ms = 2000\n"));
    let starter = folder.read("workflow.js");
    folder.write("long.js", format!("{starter}// {}\n", "long ".repeat(200_000)));
    let had_mounts = among_own_mounts(
        &folder,
        r#"
        mount -t tmpfs -o size=4m tmpfs .windlass
        call first deploy workflow.js --name notes --activate --yes
        head -c 8000000 /dev/zero > .windlass/filler 2> /dev/null || true
        call deploy deploy long.js --name notes
        call run run notes
        rm .windlass/filler
        call deploy_again deploy long.js --name notes
        call run_again run notes
        call outputs outputs notes --json
        "#,
    );
    if !had_mounts {
        eprintln!(
            "NOT TESTED: a full disk of the database, for `unshare --map-root-user --mount` is not allowed here"
        );
        return the_answer_has_no_room(&folder);
    }

    assert_eq!(code(&folder, "first"), 0, "{}", folder.read("first.err"));
    for name in ["deploy", "run"] {
        let said = folder.read(&format!("{name}.err"));
        assert_eq!(code(&folder, name), 1, "{name}: {said}");
        let last = said.lines().last().unwrap();
        assert_eq!(
            last,
            "error: the disk of the database is full: free some space, then it continues by itself"
        );
    }
    for name in ["deploy_again", "run_again"] {
        assert_eq!(code(&folder, name), 0, "{name}: {}", folder.read(&format!("{name}.err")));
    }
    let outputs: serde_json::Value = serde_json::from_str(&folder.read("outputs.out")).unwrap();
    assert_eq!(outputs.as_array().unwrap().len(), 1, "{outputs}");
    assert_eq!(outputs[0]["status"], "applied");
    assert_eq!(folder.read("out/notes.log"), "\"inbox/first.txt\": Buy coffee\n");
}

#[test]
fn a_folder_that_may_only_be_read_is_named() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    let had_mounts = among_own_mounts(
        &folder,
        r#"
        mkdir locked
        for folder in locked .windlass; do
            mount --bind "$folder" "$folder"
            mount -o remount,bind,ro "$folder"
        done
        call deploy deploy workflow.js --name notes --database sqlite:locked/new.db --yes
        call pause pause notes
        "#,
    );
    if !had_mounts {
        eprintln!(
            "NOT TESTED: a read-only folder, for `unshare --map-root-user --mount` is not allowed here"
        );
        return the_answer_has_no_room(&folder);
    }

    for (name, file) in [("deploy", "locked/new.db"), ("pause", ".windlass/windlass.db")] {
        let said = folder.read(&format!("{name}.err"));
        assert_eq!(code(&folder, name), 1, "{name}: {said}");
        assert!(said.contains("the database cannot be written: let this user write"), "{said}");
        assert!(said.contains(&folder.path(file).display().to_string()), "{said}");
    }
    assert_eq!(folder.json("list").as_array().unwrap().len(), 1);
}
