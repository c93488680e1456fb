//! A stopped instance is carried to another database.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use windlass_store_conformance::PostgresSchema;

use crate::cli::folder::TestFolder;

const HERE: &str = "sqlite:.windlass/windlass.db";

/// An instance that was killed in the middle of its work.
fn killed() -> TestFolder {
    let folder = TestFolder::with_starter();
    let config = folder.read("windlass.toml");
    // Nobody waits long for what the killed worker had.
    folder.write("windlass.toml", format!("{config}\n[limits.lease]\nduration_ms = 2000\n"));
    folder.call("deploy workflow.js --name notes --activate --yes");
    let mut up = folder.command("up").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(up.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut lines = lines.skip_while(|line| !line.contains("Files.append"));
    assert!(lines.next().is_some());
    let running = folder.call(&format!("move --from {HERE} --to sqlite:other.db"));
    assert_eq!(running.code, 1);
    assert!(running.stderr.contains("1 worker(s) run on it"), "{}", running.stderr);
    kill_process(Pid::from_child(&up), Signal::KILL).unwrap();
    up.wait().unwrap();
    folder
}

/// Carries a killed instance to `there`, lets it come to its end, and returns what went out.
fn carried(there: &str) -> Vec<String> {
    let folder = killed();

    let moved = folder.call(&format!("move --from {HERE} --to {there}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert!(moved.stdout.contains("both hold the same"), "{}", moved.stdout);

    for line in ["list", "up", "run notes", "prune"] {
        let refused = folder.call(line);
        assert_eq!(refused.code, 1, "{line}");
        assert!(refused.stderr.contains("this instance was moved to `"), "{}", refused.stderr);
    }
    let again = folder.call(&format!("move --from {HERE} --to {there}"));
    assert_eq!(again.code, 1, "{}", again.stdout);
    let mut up =
        folder.command(&format!("up --database {there}")).stdout(Stdio::null()).spawn().unwrap();
    // What the killed worker had is taken over when its lease ends; then the list no longer grows.
    let outputs = loop {
        let events = folder.json(&format!("events notes --database {there}"));
        let events = events.as_array().unwrap().clone();
        if !events.is_empty() && events.iter().all(|event| event["status"] == "consumed") {
            break folder.json(&format!("outputs notes --database {there}"));
        }
        std::thread::yield_now();
    };
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();
    assert_eq!(up.wait().unwrap().code(), Some(0));
    let outputs = outputs.as_array().unwrap().clone();
    let mut outputs: Vec<_> =
        outputs.iter().map(|output| format!("{} {}", output["status"], output["params"])).collect();
    outputs.sort();
    outputs
}

#[test]
fn a_killed_instance_comes_to_its_end_elsewhere() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    assert_eq!(folder.call("run notes").code, 0);
    let stayed = folder.json("outputs notes");
    let n_stayed = stayed.as_array().unwrap().len();

    let on_a_file = carried("sqlite:other/windlass.db");
    assert_eq!(on_a_file.len(), n_stayed, "{on_a_file:?}");
    assert!(on_a_file.iter().all(|output| output.starts_with("\"applied\"")), "{on_a_file:?}");

    let made = tokio::runtime::Runtime::new().unwrap().block_on(PostgresSchema::create());
    if let Some(schema) = made {
        assert_eq!(carried(&schema.url()), on_a_file);
    }
}

#[test]
fn a_move_needs_two_databases_and_says_what_is_missing() {
    let folder = TestFolder::with_starter();

    let same = folder.call(&format!("move --from {HERE} --to {HERE}"));
    let absent = folder.call("move --from sqlite:nowhere.db --to sqlite:other.db");

    assert!(same.stderr.contains("name two databases"), "{}", same.stderr);
    assert!(absent.stderr.contains("there is no database"), "{}", absent.stderr);
    assert_eq!((same.code, absent.code), (1, 1));
}
