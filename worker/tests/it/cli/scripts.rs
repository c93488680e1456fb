//! `check`, `types` and `deploy` with good and bad scripts.

use expect_test::expect;

use crate::cli::folder::TestFolder;

const BAD: &str = r#"
const workflow = {
  topics: { "a": {} },
  producers: {
    poll: { publishes: ["b"], schedule: { interval: "5 minutes" }, handler: async () => {} },
  },
  consumers: {
    take: { subscribe: ["a"] },
  },
};
"#;

#[test]
fn a_good_script_is_described() {
    let folder = TestFolder::with_starter();
    folder.expect(
        &["check workflow.js", "check workflow.js --json"],
        &expect![[r#"
            $ windlass check workflow.js
            workflow.js is a valid workflow.
              producer      inbox: every 1m, publishes note.found
              consumer      log: subscribes note.found
              calls         Files.append, Files.list, Files.read
            exit code 0

            $ windlass check workflow.js --json
            {
              "ok": true,
              "errors": [],
              "workflow": {
                "topics": [
                  "note.found"
                ],
                "producers": {
                  "inbox": {
                    "publishes": [
                      "note.found"
                    ],
                    "schedule": {
                      "interval": "1m"
                    }
                  }
                },
                "consumers": {
                  "log": {
                    "subscribe": [
                      "note.found"
                    ],
                    "publishes": [],
                    "has_mutate": true,
                    "has_next": false,
                    "on_failure": "park",
                    "on_refusal": "fail"
                  }
                }
              },
              "tools": [
                "Files.append",
                "Files.list",
                "Files.read"
              ]
            }
            exit code 0

        "#]],
    );
}

#[test]
fn what_may_be_a_mistake_is_a_warning_and_no_error() {
    let folder = TestFolder::with_starter();
    let starter = folder.read("workflow.js");
    let hasty = starter.replacen(
        "      mutate:",
        "      next: async (prepared, made) => ({ last: made.result.path }),\n      mutate:",
        1,
    );
    folder.write("hasty.js", &hasty);

    let (said, document) = (folder.call("check hasty.js"), folder.json("check hasty.js"));

    assert_ne!(hasty, starter);
    assert_eq!(said.code, 0, "{}", said.stdout);
    assert!(said.stdout.starts_with("warning: hasty.js:"), "{}", said.stdout);
    assert!(said.stdout.contains("hasty.js is a valid workflow."), "{}", said.stdout);
    assert_eq!(document["ok"], true);
    assert_eq!(document["warnings"][0]["code"], "unchecked_result");
}

#[test]
fn every_problem_of_a_bad_script_is_listed() {
    let folder = TestFolder::new();
    folder.write("bad.js", BAD);
    folder.expect(&["check bad.js"], &expect![[r#"
        $ windlass check bad.js
        bad.js:5:25: the topic `b` is not declared in `topics` [undeclared_topic] (add `"b": {}` to `topics`)
        bad.js:5:43: `5 minutes` is no interval: write a whole number and s, m, h or d, for example `5m` [bad_schedule]
        bad.js:8:5: `prepare` is missing [missing] (write `prepare: async (…) => { … }`)
        bad.js:8:25: nothing publishes to the topic `a` [topic_without_publisher] (add it to the `publishes` of a handler, or remove it here)

        4 problem(s).
        exit code 1

    "#]]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "the lines are what is printed")]
fn programs_read_every_problem_of_a_bad_script() {
    let folder = TestFolder::new();
    folder.write("bad.js", BAD);
    folder.expect(&["check bad.js --json"], &expect![[r#"
        $ windlass check bad.js --json
        {
          "ok": false,
          "errors": [
            {
              "code": "undeclared_topic",
              "rule": "windlass://rules/undeclared_topic",
              "severity": "error",
              "message": "the topic `b` is not declared in `topics`",
              "line": 5,
              "column": 25,
              "endLine": 5,
              "endColumn": 28,
              "source": "    poll: { publishes: [\"b\"], schedule: { interval: \"5 minutes\" }, handler: async () => {} },",
              "hint": "add `\"b\": {}` to `topics`"
            },
            {
              "code": "bad_schedule",
              "rule": "windlass://rules/bad_schedule",
              "severity": "error",
              "message": "`5 minutes` is no interval: write a whole number and s, m, h or d, for example `5m`",
              "line": 5,
              "column": 43,
              "endLine": 5,
              "endColumn": 51,
              "source": "    poll: { publishes: [\"b\"], schedule: { interval: \"5 minutes\" }, handler: async () => {} },",
              "hint": null
            },
            {
              "code": "missing",
              "rule": "windlass://rules/missing",
              "severity": "error",
              "message": "`prepare` is missing",
              "line": 8,
              "column": 5,
              "endLine": 8,
              "endColumn": 9,
              "source": "    take: { subscribe: [\"a\"] },",
              "hint": "write `prepare: async (…) => { … }`"
            },
            {
              "code": "topic_without_publisher",
              "rule": "windlass://rules/topic_without_publisher",
              "severity": "error",
              "message": "nothing publishes to the topic `a`",
              "line": 8,
              "column": 25,
              "endLine": 8,
              "endColumn": 28,
              "source": "    take: { subscribe: [\"a\"] },",
              "hint": "add it to the `publishes` of a handler, or remove it here"
            }
          ],
          "workflow": null,
          "tools": []
        }
        exit code 1

    "#]]);
}

#[test]
fn a_script_that_cannot_be_read_is_told_apart() {
    let folder = TestFolder::new();
    folder.write("syntax.js", "const workflow = {\n  topics: {,\n};\n");
    folder.write("none.js", "const other = 1;\n");
    folder.write("latin1.js", b"// caf\xe9\nconst workflow = {};\n");
    folder.expect(
        &["check syntax.js", "check none.js", "check latin1.js", "check missing.js"],
        &expect![[r#"
            $ windlass check syntax.js
            syntax.js:2:12: SyntaxError: Unexpected token ',' [syntax_error]

            1 problem(s).
            exit code 1

            $ windlass check none.js
            none.js: the script declares no `workflow` [no_workflow] (write `const workflow = { topics: {}, producers: {}, consumers: {} };`)

            1 problem(s).
            exit code 1

            $ windlass check latin1.js
            latin1.js:1:7: the file is not UTF-8 text [not_utf8] (save it as UTF-8)

            1 problem(s).
            exit code 1

            $ windlass check missing.js
            stderr:
            error: cannot read `missing.js`
              caused by: No such file or directory (os error 2)
            hint: check the path
            exit code 1

        "#]],
    );
}

#[test]
fn a_bad_script_is_not_deployed() {
    let folder = TestFolder::new();
    folder.write("bad.js", BAD);

    let deployed = folder.json("deploy bad.js --name bad --activate");

    let problems = &folder.json("check bad.js")["errors"];
    assert_eq!(deployed["error"]["code"], "invalid_script");
    assert_eq!(&deployed["error"]["problems"], problems);
    assert!(!folder.path(".windlass").exists());
}

#[test]
fn a_name_that_would_be_taken_for_something_else_is_refused() {
    let folder = TestFolder::with_starter();
    folder.expect(
        &["deploy workflow.js --name wf_1", "deploy workflow.js --name a@1.0"],
        &expect![[r#"
            $ windlass deploy workflow.js --name wf_1
            stderr:
            error: `wf_1` cannot be the name of a workflow
            hint: take up to 200 characters without `@`, and no name that begins with `wf_`
            exit code 2

            $ windlass deploy workflow.js --name a@1.0
            stderr:
            error: `a@1.0` cannot be the name of a workflow
            hint: take up to 200 characters without `@`, and no name that begins with `wf_`
            exit code 2

        "#]],
    );
}

#[test]
fn the_declarations_name_every_tool() {
    let types = TestFolder::new().call("types").stdout;

    for name in ["Files", "Http", "Mail", "Topics", "User"] {
        assert!(types.contains(name), "{name} is missing in:\n{types}");
    }
}

/// Scripts as different people write them, all of them right.
#[test]
fn right_scripts_cause_no_false_alarm() {
    let folder = TestFolder::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = std::fs::read_dir(root.join("tests/scripts")).unwrap();
    let paths = scripts.map(|script| script.unwrap().path());
    let (mut n_scripts, mut alarms) = (0, Vec::new());
    for path in paths.chain([root.join("../examples/receipts/workflow.js")]) {
        let name = path.file_name().unwrap().to_str().unwrap();
        folder.write(name, std::fs::read(&path).unwrap());

        let report = folder.call(&format!("check {name}"));

        let is_quiet = report.code == 0 && report.stdout.starts_with(&format!("{name} is a valid"));
        alarms.extend((!is_quiet).then_some(report.stdout));
        n_scripts += 1;
    }
    assert_eq!((n_scripts, alarms.concat()), (21, String::new()));
}
