//! What a person who operates workflows asks, and what is answered.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::folder::TestFolder;

/// Logs a line for each of its parts, and makes one effect.
const TALKER: &str = r#"const workflow = {
  topics: { said: {} },
  producers: {
    hear: {
      publishes: ["said"],
      schedule: { cron: "0 9 1 * *", timezone: "UTC" },
      handler: async () => {
        console.log("hearing");
        const inputId = await Topics.registerInput({ source: "System", type: "random", id: "a", title: "Word a" });
        await Topics.publish({ topic: "said", event: { messageId: "a", payload: {}, inputId } });
      },
    },
  },
  consumers: {
    say: {
      subscribe: ["said"],
      onFailure: "stop",
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "said" });
        if (!event) return { reservations: [] };
        console.warn("saying a");
        return { reservations: [{ topic: "said", ids: ["a"] }], ui: { title: "Say a" } };
      },
      mutate: async () => { await Files.append({ path: "out/said.txt", line: "a" }); },
    },
  },
};
"#;

fn talker() -> TestFolder {
    let folder = TestFolder::with_starter();
    folder.write("talker.js", TALKER);
    assert_eq!(folder.call("deploy talker.js --name talker --activate --yes").code, 0);
    folder
}

#[test]
fn a_cron_schedule_waits_for_its_moment_and_run_does_not() {
    let folder = talker();

    let status = folder.json("status talker");
    let mut handlers = status["handlers"].as_array().unwrap().iter();
    let hear = handlers.find(|it| it["name"] == "hear").unwrap();
    let next = hear["next_run_at"].as_str().unwrap();
    assert!(next.ends_with("-01T09:00:00Z"), "{next}");
    let ran = folder.call("run talker");

    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(folder.read("out/said.txt"), "a\n");
}

#[test]
fn what_a_script_logs_is_shown_while_it_runs_and_found_by_name() {
    let folder = talker();

    let dry = folder.call("run talker --dry-run");
    let dry_json = folder.json("run talker --dry-run");
    let ran = folder.call("run talker").stdout;
    let log = folder.call("logs talker");

    assert!(dry.stdout.contains("talker · hear · log: hearing"), "{}", dry.stdout);
    assert!(dry.stdout.contains("What it logged"), "{}", dry.stdout);
    let lines: Vec<_> =
        dry_json["logs"].as_array().unwrap().iter().map(|it| &it["message"]).collect();
    assert_eq!(lines, ["hearing", "saying a"]);
    assert!(ran.contains("talker · say · warn: saying a"), "{ran}");
    assert!(log.stdout.trim_end().ends_with("warn  saying a"), "{}{}", log.stdout, log.stderr);
    let quiet = TestFolder::with_starter();
    quiet.call("deploy workflow.js --name notes --activate --yes");
    quiet.call("run notes");
    assert_eq!(quiet.call("logs notes").stdout, "It logged nothing.\n");
}

#[test]
fn a_mistyped_tool_or_workflow_is_refused_with_the_nearest_one() {
    let folder = talker();

    let tool = folder.call("deploy talker.js --name other --allow Files.lisst");
    let workflow = folder.call("limit workflow:talkr --at-once 1");
    let connector = folder.call("limit connector:Htpp --at-once 1");

    assert_eq!(tool.code, 2, "{}", tool.stdout);
    assert!(tool.stderr.contains("did you mean `Files.list`?"), "{}", tool.stderr);
    assert_eq!(workflow.code, 1, "{}", workflow.stdout);
    assert!(workflow.stderr.contains("did you mean `talker`?"), "{}", workflow.stderr);
    assert_eq!(connector.code, 2, "{}", connector.stdout);
    assert!(connector.stderr.contains("did you mean `connector:Http`?"), "{}", connector.stderr);
    assert_eq!(folder.json("limit"), json!([]));
}

#[test]
fn a_server_with_a_port_is_neither_limited_nor_granted() {
    let folder = talker();
    for line in [
        "limit host:127.0.0.1:8080 --rate 10/20s",
        "limit host:[::1]:8080 --at-once 1",
        "deploy talker.js --name other --allow Http.get:api.example.com:8443",
    ] {
        let refused = folder.call(line);
        assert_eq!(refused.code, 2, "{line}: {}", refused.stdout);
        assert!(refused.stderr.contains("names a port"), "{line}: {}", refused.stderr);
    }
    assert_eq!(folder.json("limit"), json!([]));
    assert_eq!(folder.call("limit host:[::1] --at-once 1").code, 0);
}

#[test]
fn a_session_of_a_person_says_which_limits_it_passes_by() {
    let folder = talker();
    folder.call("limit workflow:talker --rate 1/1h");
    folder.call("limit workflow:other --rate 1/1h");
    folder.call("limit connector:Http --at-once 1");

    let ran = folder.call("run talker");

    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the limit of `workflow:talker` does not hold back"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("other") && !ran.stderr.contains("Http"), "{}", ran.stderr);
}

#[test]
fn a_removed_limit_is_said_to_be_removed() {
    let folder = talker();
    folder.call("limit workflow:talker --at-once 1");

    let removed = folder.call("limit workflow:talker --none").stdout;
    let again = folder.call("limit workflow:talker --none").stdout;

    assert_eq!(removed, "The limit of `workflow:talker` is removed.\n");
    assert_eq!(again, "`workflow:talker` has no limit.\n");
}

#[test]
fn one_badge_is_shown_everywhere_and_a_check_ends_with_3() {
    let folder = talker();
    assert_eq!(folder.call("status --check").code, 0);
    let narrow = "deploy talker.js --name talker --activate --allow Files.read";
    folder.write("talker.js", format!("{TALKER}// narrow\n"));
    folder.call(narrow);
    assert_eq!(folder.call("run talker").code, 3);

    assert_eq!(folder.json("list")[0]["badge"], "needs_attention");
    assert!(folder.call("list").stdout.contains("Needs attention"));
    assert_eq!(folder.call("status --check").code, 3);
    assert_eq!(folder.call("status talker --check").code, 3);
    assert_eq!(folder.call("status talker").code, 0);
}

#[test]
fn a_version_that_may_do_more_ends_the_stop_and_another_says_what_is_left() {
    let folder = talker();
    folder.write("talker.js", format!("{TALKER}// narrow\n"));
    folder.call("deploy talker.js --name talker --activate --allow Files.read");
    assert_eq!(folder.call("run talker").code, 3);

    let same = folder.call("activate talker").stdout;
    folder.write("talker.js", format!("{TALKER}// wide\n"));
    let wide = folder.call("deploy talker.js --name talker --activate --yes").stdout;

    assert!(same.contains("It does not run yet: it is not allowed"), "{same}");
    assert!(same.contains("`windlass status talker` says what to do"), "{same}");
    assert!(wide.contains("runs now"), "{wide}");
    assert_eq!(folder.call("run talker").code, 0);
}

#[test]
fn versions_are_listed_with_what_changed_and_shown_by_name() {
    let folder = talker();
    folder.write("talker.js", TALKER.replace("hearing", "listening"));
    folder.call("deploy talker.js --name talker --allow Files.append,Files.read");

    let listed = folder.json("versions talker");
    let (versions, newest) = (folder.call("versions talker").stdout, &listed[0]);
    let diff = folder.call("versions talker --diff").stdout;
    let named = folder.call("show talker@1.0").stdout;

    assert_eq!((&newest["version"], &newest["change"]["lines_added"]), (&json!("2.0"), &json!(1)));
    assert_eq!(newest["change"]["newly_allowed"], json!(["Files.read"]));
    assert!(versions.contains("+1 -1") && versions.contains("+Files.read"), "{versions}");
    assert!(diff.contains("may now call  Files.read"), "{diff}");
    assert!(diff.contains("-        console.log(\"hearing\");"), "{diff}");
    assert!(named.contains("version 1.0 of talker, which runs"), "{named}");
    assert!(named.contains("\n        console.log(\"hearing\");\n"), "the text has lines: {named}");
    assert!(folder.call("show talker").stdout.starts_with("talker: Idle"));
    assert_eq!(folder.call("show talker@9.9").code, 1);
    assert_eq!(folder.call("versions talker --diff 1.0").code, 1, "there is none before it");
}

#[test]
fn an_id_is_found_by_its_end_and_several_are_named() {
    let folder = talker();
    folder.call("run talker");
    let runs = folder.json("runs talker");
    let id = |nth: usize| runs[nth]["id"].as_str().unwrap().to_owned();
    let end = format!("run_{}", &id(0)[28..]);

    let found = folder.call(&format!("show {end}"));
    let several = folder.call("show run_0");

    assert!(found.stdout.starts_with(&id(0)), "{}{}", found.stdout, found.stderr);
    assert_eq!(several.code, 1);
    assert!(
        several.stderr.contains(&id(0)) && several.stderr.contains(&id(1)),
        "{}",
        several.stderr
    );
}

#[test]
fn lists_are_limited_by_number_and_by_time() {
    let folder = talker();
    folder.call("run talker");
    let n = |line: &str| folder.json(line).as_array().unwrap().len();

    assert!(n("runs talker") > 2);
    assert_eq!(n("runs talker --limit 2"), 2);
    assert_eq!(n("runs talker --since 1h"), n("runs talker"));
    assert_eq!(n("runs talker --since 2999-01-01T00:00:00Z"), 0);
    assert_eq!((n("inputs talker --since 1h"), n("outputs talker --limit 0")), (1, 0));
    assert_eq!(folder.call("runs talker --since yesterday").code, 2);
    let cut = folder.call("runs talker --limit 2").stdout;
    assert!(cut.ends_with("There are more than these 2: `--limit N` shows more.\n"), "{cut}");
}

#[test]
fn up_makes_no_database_in_a_wrong_folder() {
    let folder = TestFolder::new();

    let up = folder.call("up");

    assert_eq!(up.code, 1, "{}", up.stdout);
    assert!(up.stderr.contains("neither a configuration in this folder"), "{}", up.stderr);
    assert!(!folder.path(".windlass").exists());
}

#[test]
fn an_archived_workflow_is_refused_before_a_version_is_saved() {
    let folder = talker();
    folder.call("archive talker");
    folder.write("talker.js", format!("{TALKER}// two\n"));

    let refused = folder.call("deploy talker.js --name talker --activate --yes");

    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert_eq!(folder.json("versions talker").as_array().map(Vec::len), Some(1));
}

#[test]
fn what_up_prints_has_times_and_no_colours() {
    let folder = talker();
    folder.write(
        "often.js",
        TALKER.replace(r#"cron: "0 9 1 * *", timezone: "UTC""#, r#"interval: "1h""#),
    );
    folder.call("deploy often.js --name often --activate --yes");
    let mut up = folder.command("up").stdout(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(up.stdout.take().unwrap()));

    let line = lines.map(Result::unwrap).find(|line| line.contains("Files.append")).unwrap();
    up.kill().unwrap();
    up.wait().unwrap();

    let (time, rest) = line.split_at("dddd-dd-dd dd:dd:dd ".len());
    assert!(time.starts_with("20") && rest == "often · say · ✓ Files.append: Say a", "{line}");
    assert!(!line.contains('\u{1b}'), "{line}");
}

#[test]
fn an_answer_that_is_not_whole_is_completed_for_the_person() {
    let result: Value = json!({ "status": 201 });
    let folder = crate::cli::doubts::with_a_doubt();
    let doubt = folder.json("outputs sender")[0]["id"].as_str().unwrap().to_owned();

    let mut resolve = folder.command(&format!("resolve {doubt} --happened"));
    let refused = resolve.arg(result.to_string()).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    let (_, command) = said.split_once("for example `windlass ").unwrap();
    let (command, _) = command.split_once('`').unwrap();
    let (words, example) = command.split_once(" '").unwrap();
    let example = example.strip_suffix('\'').unwrap();
    let accepted = folder.command(words).arg(example).output().unwrap();

    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(example.contains("\"status\":201"), "{example}");
    assert_eq!(accepted.status.code(), Some(0), "{}", String::from_utf8_lossy(&accepted.stderr));
}
