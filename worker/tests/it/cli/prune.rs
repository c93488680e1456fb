//! What is over and old is removed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::folder::TestFolder;

/// How many records of each kind a call tells of, where there are any.
fn counts(answer: &Value) -> Vec<(String, u64)> {
    let kinds = answer["kinds"].as_array().unwrap().iter();
    let counts = kinds
        .map(|kind| (kind["kind"].as_str().unwrap().to_owned(), kind["count"].as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Asks what would be removed until that fits.
#[expect(clippy::disallowed_methods, reason = "time passes for another process")]
fn told(folder: &TestFolder, fits: impl Fn(&[(String, u64)]) -> bool) -> Vec<(String, u64)> {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let told = counts(&folder.json("prune --dry-run"));
        if fits(&told) {
            return told;
        }
        assert!(Instant::now() < until, "{told:?}");
    }
}

fn has_events(told: &[(String, u64)]) -> bool {
    told.iter().any(|(kind, _)| kind == "events")
}

/// An instance that has worked, and keeps what is over for a second only.
fn worked() -> TestFolder {
    let folder = TestFolder::with_starter();
    let config = folder.read("windlass.toml");
    let short =
        "[retention]\nevents = \"1s\"\nmutations = \"1s\"\nruns = \"1s\"\nsessions = \"1s\"\n";
    folder.write("windlass.toml", format!("{config}\n{short}"));
    assert_eq!(folder.call("deploy workflow.js --name notes --activate --yes").code, 0);
    assert_eq!(folder.call("run notes").code, 0);
    folder
}

#[test]
fn a_dry_run_tells_what_a_prune_removes() {
    let folder = worked();
    told(&folder, |told| told.iter().any(|(kind, _)| kind == "sessions"));

    let told = counts(&folder.json("prune --dry-run"));
    let page = folder.call("prune --dry-run").stdout;
    let removed = counts(&folder.json("prune"));
    let left = counts(&folder.json("prune"));

    assert!(page.contains("WOULD GO") && page.contains("forever"), "{page}");
    assert!(has_events(&told), "{told:?}");
    assert_eq!(told, removed);
    assert_eq!(left, []);
    assert_eq!(folder.json("outputs notes").as_array().map(Vec::len), Some(0));
    assert_eq!(folder.call("run notes").code, 0);
    let again = folder.json("outputs notes");
    assert_eq!(again.as_array().map(Vec::len), Some(0), "what is over stays over: {again}");
}

#[test]
fn a_worker_removes_what_is_old_by_itself() {
    let folder = worked();
    told(&folder, has_events);

    let mut up = folder.command("up").stdout(Stdio::null()).spawn().unwrap();
    told(&folder, |told| !has_events(told));
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();

    assert_eq!(up.wait().unwrap().code(), Some(0));
}
