//! What a person decides: what a script may call, what came of a doubt, what becomes of a parked event, and whether to try first.

use expect_test::expect;
use serde_json::{Value, json};

use crate::cli::folder::TestFolder;

/// Makes one effect for each of two messages; which, stands in `$MUTATE`.
const LINES: &str = r#"const workflow = {
  topics: { lines: {} },
  producers: {
    poll: {
      publishes: ["lines"],
      schedule: { interval: "1h" },
      handler: async (state) => {
        for (const id of ["a", "b"]) {
          const inputId = await Topics.registerInput({ source: "System", type: "random", id, title: `Line ${id}` });
          await Topics.publish({ topic: "lines", event: { messageId: id, payload: {}, inputId } });
        }
        return { polls: ((state && state.polls) || 0) + 1 };
      },
    },
  },
  consumers: {
    write: {
      subscribe: ["lines"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "lines" });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "lines", ids: [event.messageId] }], data: event.messageId, ui: { title: `Line ${event.messageId}` } };
      },
      mutate: async ({ data }) => {
        $MUTATE
      },
      next: async (prepared, { status, result }) => ({ status, result: result || null }),
    },
  },
};
"#;

const APPEND: &str = r#"await Files.append({ path: "out/lines.txt", line: data, key: data });"#;

fn lines(folder: &TestFolder, mutate: &str) {
    folder.write("lines.js", LINES.replace("$MUTATE", mutate));
}

/// Everything that is kept of the workflow.
fn kept(folder: &TestFolder) -> Vec<Value> {
    ["events lines", "inputs lines", "outputs lines", "runs lines", "list"]
        .map(|line| folder.json(line))
        .to_vec()
}

#[test]
fn a_dry_run_says_what_would_go_out_and_changes_nothing() {
    let folder = TestFolder::with_starter();
    lines(&folder, APPEND);
    assert_eq!(folder.call("deploy lines.js --name lines --activate --yes").code, 0);
    let before = kept(&folder);

    let rehearsed = folder.json("run lines --dry-run");

    assert_eq!(rehearsed["result"], "completed", "{rehearsed}");
    let would_send = rehearsed["would_send"].as_array().unwrap();
    let params: Vec<_> = would_send.iter().map(|it| it["params"]["line"].clone()).collect();
    assert_eq!(params, ["a", "b"]);
    let is_captured = |it: &Value| it["status"] == "would_send" && it["target"] == "out/lines.txt";
    assert!(would_send.iter().all(is_captured), "{rehearsed}");
    assert_eq!(rehearsed["difference"]["added"].as_array().unwrap().len(), 2);
    assert_eq!(kept(&folder), before, "nothing of the real workflow changed");
    assert!(!folder.path("out/lines.txt").exists(), "nothing left");

    assert_eq!(folder.call("run lines").code, 0);
    assert_eq!(folder.read("out/lines.txt"), "a\nb\n");
    let again = folder.json("run lines --dry-run");
    assert_eq!(again["difference"], json!({ "added": [], "removed": [], "same": 2 }));
}

#[test]
fn a_dry_run_is_given_the_state_of_the_real_workflow() {
    let folder = TestFolder::with_starter();
    lines(&folder, APPEND);
    folder.call("deploy lines.js --name lines --activate --yes");
    folder.call("run lines");
    let quiet = LINES.replace("[\"a\", \"b\"]", "state ? [] : [\"never\"]");
    folder.write("lines.js", quiet.replace("$MUTATE", APPEND));
    assert_eq!(folder.call("deploy lines.js --name lines --activate --yes").code, 0);

    let rehearsed = folder.json("run lines --dry-run");

    assert_eq!(rehearsed["would_send"], json!([]), "the producer was given its state");
    assert_eq!(rehearsed["difference"]["removed"].as_array().unwrap().len(), 2);
}

#[test]
fn a_script_calls_what_was_granted_and_nothing_else() {
    let folder = TestFolder::with_starter();
    lines(&folder, APPEND);

    let deployed =
        folder.json("deploy lines.js --name lines --activate --allow Files.append:elsewhere");
    assert_eq!(deployed["script"]["grant"], json!(["Files.append:elsewhere"]));
    let ran = folder.call("run lines");

    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(
        ran.stdout.contains("may not call `Files.append` on `out/lines.txt`"),
        "{}",
        ran.stdout
    );
    assert!(!folder.path("out/lines.txt").exists());
    assert_eq!(folder.json("outputs lines"), json!([]), "refused before anything was begun");

    let hidden = "const tools = { files: Files };\n        \
                  await tools.files.append({ path: \"out/lines.txt\", line: data });";
    lines(&folder, hidden);
    let found = folder.json("deploy lines.js --name hidden --activate");
    assert_eq!(found["script"]["grant"], json!([]), "only what is called by its name is found");
    assert_eq!(folder.call("run hidden").code, 3);
}

#[test]
fn silence_grants_nothing() {
    let folder = TestFolder::with_starter();
    folder.expect(
        &["deploy workflow.js --name notes --activate"],
        &expect![[r#"
            $ windlass deploy workflow.js --name notes --activate
            stderr:
            error: the script calls `Files.append`, `Files.list`, `Files.read`, and nobody has allowed that yet
            hint: look at what it does with it, then deploy it with `--yes`, or say what it may call: `--allow Files.append,Files.list,Files.read`
            exit code 1

        "#]],
    );
    let refused = folder.json("deploy workflow.js --name notes --activate");
    assert_eq!(refused["error"]["code"], "grant_not_confirmed", "{refused}");
    assert_eq!(folder.json("list"), json!([]), "nothing is saved");

    let allowed =
        folder.json("deploy workflow.js --name notes --allow Files.append,Files.list,Files.read");
    assert_eq!(allowed["script"]["is_new"], true, "{allowed}");
    let again = folder.call("deploy workflow.js --name notes --activate");
    assert_eq!(again.code, 0, "what was allowed once is not asked again: {}", again.stderr);
}

#[test]
fn a_new_version_that_calls_more_has_to_be_confirmed() {
    let folder = TestFolder::with_starter();
    lines(&folder, APPEND);
    folder.call("deploy lines.js --name lines --activate --yes");
    let notify = "await User.notify({ title: data, text: \"\" });";
    lines(&folder, &format!("if (data === \"a\") {{ {APPEND} }} else {{ {notify} }}"));

    let refused = folder.call("deploy lines.js --name lines --activate");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("`User.notify`"), "{}", refused.stderr);
    let confirmed = folder.json("deploy lines.js --name lines --activate --yes");

    assert_eq!(confirmed["script"]["grant"], json!(["Files.append", "User.notify"]));
    let status = folder.call("status lines").stdout;
    assert!(status.contains("may call      Files.append, User.notify"), "{status}");
}

/// A workflow whose one request was lost, and the id of the question.
fn doubtful(folder: &TestFolder) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        // Each connection is closed before an answer.
        for stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 1024];
            let _heard = std::io::Read::read(&mut &stream, &mut request);
        }
    });
    folder.write("windlass.toml", format!("[tools.http]\nallow = [\"{address}\"]\n"));
    lines(
        folder,
        &format!("await Http.post({{ url: `http://{address}/${{data}}`, body: {{}} }});"),
    );
    assert_eq!(folder.call("deploy lines.js --name lines --activate --yes").code, 0);
    assert_eq!(folder.call("run lines").code, 3);
    let outputs = folder.json("outputs lines");
    outputs.pointer("/0/id").and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn a_person_says_that_it_happened_with_a_result_that_the_tool_could_give() {
    let folder = TestFolder::with_starter();
    let id = doubtful(&folder);
    let resolve = |result: &str| {
        let mut command = folder.command(&format!("resolve {id} --reason seen"));
        command.arg("--happened").arg(result).output().unwrap()
    };

    let no_json = resolve("yes");
    let no_answer = resolve(r#"{"row": 7}"#);
    assert_eq!((no_json.status.code(), no_answer.status.code()), (Some(2), Some(2)));
    let settled = resolve(r#"{"status": 201, "headers": {}, "body": "created"}"#);

    assert_eq!(settled.status.code(), Some(0), "{settled:?}");
    let shown = folder.json(&format!("show {id}"));
    assert_eq!(shown["mutation"]["status"], "applied");
    assert_eq!(shown["mutation"]["resolved_by"], "user_assert_applied");
    let entry = shown["journal"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&entry["action"], &entry["reason"]), (&json!("mutation.resolved"), &json!("seen")));
    assert_eq!(entry["actor"], "tester");
    folder.call("run lines");
    let events = folder.json("events lines");
    assert_eq!(events[0]["status"], "consumed", "`next` went on with the result: {events}");
}

#[test]
fn what_no_tool_can_look_up_is_not_tried_again() {
    let folder = TestFolder::with_starter();
    let id = doubtful(&folder);

    let refused = folder.call(&format!("resolve {id} --try-again"));

    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("could not look its effect up when the request was made"),
        "{}",
        refused.stderr
    );
    assert_eq!(folder.json("outputs lines")[0]["status"], "indeterminate");
}

#[test]
fn a_parked_event_is_shown_with_its_reason_and_put_back() {
    let folder = TestFolder::with_starter();
    let poison = "if (data === \"a\") throw new Error(\"bad line\");";
    lines(&folder, &format!("{poison}\n        {APPEND}"));
    folder.call("deploy lines.js --name lines --activate --yes");
    let ran = folder.call("run lines");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(folder.read("out/lines.txt"), "b\n", "the others went on");

    let events = folder.json("events lines --status parked");
    let id = events[0]["id"].as_str().unwrap();
    let status = folder.call("status lines").stdout;
    assert!(status.contains("1 event(s) whose runs failed"), "{status}");
    let shown = folder.call(&format!("show {id}")).stdout;
    assert!(shown.contains("bad line"), "{shown}");
    let notifications = folder.call("notifications").stdout;
    assert!(notifications.contains("windlass events lines --status parked"), "{notifications}");
    assert!(notifications.contains(&format!("put `{id}` back or skip it")), "{notifications}");
    assert_eq!(folder.call(&format!("event {id}")).code, 2, "one of the two has to be chosen");
    lines(&folder, APPEND);
    assert_eq!(folder.call("deploy lines.js --name lines --fix --activate").code, 0);

    assert_eq!(folder.call(&format!("event {id} --put-back")).code, 0);
    folder.call("run lines");

    assert_eq!(folder.read("out/lines.txt"), "b\na\n");
    assert_eq!(folder.call(&format!("event {id} --skip")).code, 1, "it is consumed");
}

/// A workflow of which every event is parked, and their ids.
fn all_parked(folder: &TestFolder) -> Vec<String> {
    lines(folder, &format!("throw new Error(`bad line \"${{data}}\"`);\n        {APPEND}"));
    folder.call("deploy lines.js --name lines --activate --yes");
    assert_eq!(folder.call("run lines").code, 0);
    let events = folder.json("events lines --status parked");
    let ids =
        events.as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn a_repair_puts_back_what_the_version_before_it_parked() {
    let folder = TestFolder::with_starter();
    assert_eq!(all_parked(&folder).len(), 2);
    lines(&folder, APPEND);

    assert_eq!(
        folder.call("deploy lines.js --name lines --put-back").code,
        2,
        "only a repair does"
    );
    let silent = folder.call("deploy lines.js --name lines --fix --activate");
    assert!(
        silent
            .stdout
            .contains("2 event(s) are parked: `windlass event --workflow lines --put-back`"),
        "{}",
        silent.stdout
    );
    let asked = folder.json("deploy lines.js --name lines --fix --activate --put-back");
    assert_eq!((&asked["parked"], &asked["put_back"]), (&json!(2), &json!(2)), "{asked}");
    folder.call("run lines");

    assert_eq!(folder.read("out/lines.txt"), "a\nb\n");
    assert!(!folder.json("notifications")[0]["resolved_at"].is_null(), "nobody has to act");
}

#[test]
fn events_are_named_one_by_one_by_their_reason_or_by_their_input() {
    let folder = TestFolder::with_starter();
    let ids = all_parked(&folder);
    let [a, b] = &ids[..] else { panic!("{ids:?}") };

    let both = folder.json(&format!("event {a} --same-reason --put-back"));
    assert_eq!(both, json!({ "settled": 2, "left": 0, "refused": [] }));
    let skipped = folder.call(&format!("event {a} --skip --reason known"));
    assert_eq!(
        (skipped.code, skipped.stdout.trim()),
        (0, "1 event(s): skipped."),
        "{}",
        skipped.stderr
    );
    let again = folder.call(&format!("event {a} {b} --skip"));
    assert_eq!(again.code, 1, "one of them is skipped already");
    assert!(again.stdout.contains(&format!("left: `{a}` is skipped")), "{}", again.stdout);
    assert!(
        again.stdout.contains("1 event(s): skipped."),
        "the other is skipped: {}",
        again.stdout
    );

    let inputs = folder.json("inputs lines");
    assert_eq!(inputs[0]["status"], "skipped", "{inputs}");
    let input = inputs[0]["id"].as_str().unwrap();
    assert_eq!(folder.json(&format!("event {input} --skip"))["settled"], 0, "all of it is over");
    assert_eq!(folder.call("event --put-back").code, 2, "something has to be named");
    assert_eq!(folder.call(&format!("event {a} --workflow lines --skip")).code, 2);
}

#[test]
fn what_waits_in_a_topic_that_nobody_reads_any_more_is_told_and_skipped() {
    let folder = TestFolder::with_starter();
    let waiting = LINES.replace("if (!event)", "if (true)");
    folder.write("lines.js", waiting.replace("$MUTATE", APPEND));
    folder.call("deploy lines.js --name lines --activate --yes");
    folder.call("run lines");
    let renamed = waiting.replace("\"lines\"", "\"rows\"").replace("lines: {}", "rows: {}");
    folder.write("lines.js", renamed.replace("$MUTATE", APPEND));

    let deployed = folder.call("deploy lines.js --name lines --activate");

    let skip = "windlass event --workflow lines --topic lines --skip";
    assert!(
        deployed.stdout.contains("2 event(s) of topic `lines` wait for ever"),
        "{}",
        deployed.stdout
    );
    assert!(deployed.stdout.contains(skip), "{}", deployed.stdout);
    let status = folder.call("status lines").stdout;
    assert!(status.contains("topic `lines`, to which no consumer subscribes"), "{status}");
    assert!(status.contains(skip), "{status}");
    assert_eq!(
        folder.call("event --workflow lines --topic lines --skip").stdout.trim(),
        "2 event(s): skipped."
    );
    assert!(!folder.call("status lines").stdout.contains("no consumer subscribes"));
}
