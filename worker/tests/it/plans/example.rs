//! The example of a plan, as `windlass demo plan` runs it.

use serde_json::json;

use super::{each, nodes, text};
use crate::cli::folder::TestFolder;

#[test]
fn the_example_runs_to_each_question_and_to_its_end() {
    let folder = TestFolder::new();
    let config = ["--config", "windlass-demo-plan/windlass.toml"];
    let asked = || {
        let list = folder.said(&[&["approval", "list"][..], &config].concat()).done();
        assert_eq!(list.as_array().unwrap().len(), 1, "{list:#}");
        list[0].clone()
    };
    let answer = |words: &[&str]| folder.said(&[words, &config[..]].concat()).done();

    let first = folder.said(&["demo", "plan"]);
    assert_eq!((first.code, &first.json["status"]), (3, &json!("awaiting-human")));
    let question = asked();
    assert_eq!(question["nodeId"], "approve");
    assert!(question["presented"].to_string().contains("# Windlass 2.0"), "{question:#}");
    assert!(!folder.path("windlass-demo-plan/out/RELEASE.md").exists());
    answer(&["approval", "approve", text(&question["id"])]);

    let second = folder.said(&["demo", "plan"]);
    assert_eq!((second.code, &asked()["nodeId"]), (3, &json!("audience")));
    let notes = folder.read("windlass-demo-plan/notes/changes.md");
    assert_eq!(folder.read("windlass-demo-plan/out/RELEASE.md"), notes);
    answer(&["approval", "answer", text(&asked()["id"]), "all"]);

    let last = folder.said(&["demo", "plan"]);
    assert_eq!((last.code, &last.json["status"]), (0, &json!("completed")));
    assert!(nodes(&last.json).contains(&"tell-team skipped".to_owned()));
    assert_eq!(folder.read("windlass-demo-plan/out/releases.txt"), "2.0\n");
    // Once more does nothing more.
    assert_eq!(folder.said(&["demo", "plan"]).code, 0);
    let outputs = answer(&["outputs", "release"]);
    assert_eq!(each(&outputs, "status"), ["applied"; 3]);
}
