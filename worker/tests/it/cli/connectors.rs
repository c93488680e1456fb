//! Connectors from the command line: what they offer, what changed, and a workflow that uses one.

use expect_test::expect;
use rustix::process::{Pid, test_kill_process};

use crate::cli::folder::TestFolder;

const CONFIG: &str = r#"
timezone = "UTC"

[mcp.things]
command = "node"
args = ["server.js"]

[mcp.things.tools.add_thing]
key_argument = "request_id"
reconcile = { tool = "find_things", arguments = { name = "$input/name" }, found = { path = "$.things[*].name", equals = "$input/name" }, absence_after_s = 1 }
"#;

const WORKFLOW: &str = r#"
const workflow = {
  topics: { wanted: {} },
  producers: {
    wishes: {
      publishes: ["wanted"],
      schedule: { interval: "1d" },
      handler: async () => {
        const { things } = await Things.findThings({ name: "lamp" });
        if (things.length > 0) return;
        const inputId = await Topics.registerInput({ source: "Files", type: "file", id: "lamp", title: "A lamp" });
        await Topics.publish({ topic: "wanted", event: { messageId: "lamp", payload: {}, inputId } });
      },
    },
  },
  consumers: {
    add: {
      subscribe: ["wanted"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "wanted", limit: 1 });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "wanted", ids: [event.messageId] }], data: { name: event.messageId } };
      },
      mutate: async ({ data }) => {
        await Things.addThing({ name: data.name, how: "die" });
      },
    },
  },
};
"#;

/// A folder with a connector that was trusted.
fn folder() -> TestFolder {
    let folder = untrusted_folder();
    assert_eq!(folder.call("trust").code, 0);
    folder
}

fn untrusted_folder() -> TestFolder {
    let folder = TestFolder::new();
    folder.write("windlass.toml", CONFIG);
    folder.write("workflow.js", WORKFLOW);
    folder.write("server.js", include_str!("../../../../tools/tests/it/mcp/server.js"));
    folder.write("tools.json", include_str!("../../../../tools/tests/it/mcp/tools.json"));
    folder
}

/// Whether a server that was ever started here is still there.
fn is_any_alive(folder: &TestFolder) -> bool {
    let pids = folder.read("pids");
    assert!(!pids.is_empty());
    pids.lines().any(|pid| test_kill_process(Pid::from_raw(pid.parse().unwrap()).unwrap()).is_ok())
}

#[test]
fn each_tool_is_shown_with_what_it_may_do_and_why() {
    let folder = folder();
    folder.expect(
        &["connectors"],
        &expect![[r#"
        $ windlass connectors
        things: listed for the first time, and accepted
          scripts say   Things
          server        node server.js
          accepted      [TIME] by tester
        TOOL         SCRIPTS SAY  EFFECT    BECAUSE             LOOKED UP BY
        add_thing    addThing     mutation  the server says so  find_things
        find_things  findThings   read      the server says so  -
        promised     promised     mutation  nobody says         -
        answer       answer       mutation  nobody says         -
        look-around  lookAround   mutation  nobody says         -
        large        large        read      the server says so  -
        never        never        read      the server says so  -
        change_list  changeList   mutation  nobody says         -
        meet         meet         mutation  nobody says         -
        exit code 0

    "#]],
    );
    let told = folder.json("connectors");
    assert_eq!(told[0]["condition"], "as_accepted");
    assert_eq!(told[0]["tools"][0]["reconciled_by"], "find_things");
    assert!(!is_any_alive(&folder));
}

#[test]
fn a_program_starts_only_after_it_was_trusted() {
    let folder = untrusted_folder();
    let assert_refused = |line: &str| {
        let refused = folder.call(line);
        assert_eq!(refused.code, 1, "{line}: {}", refused.stdout);
        assert!(refused.stderr.contains("would start `node server.js`"), "{}", refused.stderr);
        assert!(refused.stderr.contains(" trust`"), "{line}: {}", refused.stderr);
    };
    for line in
        ["check workflow.js", "types", "deploy workflow.js --name things --yes", "connectors"]
    {
        assert_refused(line);
    }
    assert!(!folder.path("pids").exists(), "nothing was started");

    folder.expect(
        &["trust"],
        &expect![[r#"
            $ windlass trust
            Trusted: node server.js (things)
            They start as long as their command lines and files stay the same.
            exit code 0

        "#]],
    );
    assert_eq!(folder.call("deploy workflow.js --name things --activate --yes").code, 0);
    let n_started = folder.read("pids").lines().count();

    folder.write("server.js", folder.read("server.js") + "// changed\n");
    for line in ["run things", "up", "run things --dry-run", "check workflow.js"] {
        assert_refused(line);
    }
    assert_eq!(folder.call("trust").code, 0);
    assert_eq!(folder.call("check workflow.js").code, 0);
    folder.write(
        "windlass.toml",
        format!("{CONFIG}\n[mcp.more]\ncommand = \"node\"\nargs = [\"server.js\"]\n"),
    );
    assert_refused("check workflow.js");
    folder.write("copy/windlass.toml", CONFIG);
    assert_refused("types --config copy/windlass.toml");
    assert_eq!(folder.read("pids").lines().count(), n_started, "nothing more was started");
    assert_eq!(folder.call("list").code, 0, "what starts nothing needs no trust");
}

#[test]
fn where_no_program_is_named_there_is_nothing_to_trust() {
    let folder = TestFolder::with_starter();

    assert_eq!(folder.json("trust")["programs"], serde_json::json!([]));
    assert!(!folder.path("user-state").exists());
}

#[test]
fn a_changed_list_is_seen_and_accepted() {
    let folder = folder();
    assert_eq!(folder.call("types").code, 0);
    let changed = folder.read("tools.json").replace("Adds a thing.", "Adds a thing for us.");
    folder.write("tools.json", changed.replace("\"look-around\"", "\"look-away\""));

    folder.expect(
        &["connectors", "connectors --accept things", "connectors --accept thing"],
        &expect![[r#"
            $ windlass connectors
            things: CHANGED
              scripts say   Things
              server        node server.js
              accepted      [TIME] by tester
              changed       add_thing: different description
              changed       look-around: removed
              changed       look-away: added
              what to do    look at it; `windlass connectors --accept things` lets scripts use it
            TOOL         SCRIPTS SAY  EFFECT    BECAUSE             LOOKED UP BY
            add_thing    addThing     mutation  the server says so  find_things
            find_things  findThings   read      the server says so  -
            promised     promised     mutation  nobody says         -
            answer       answer       mutation  nobody says         -
            look-around  lookAround   mutation  nobody says         -
            large        large        read      the server says so  -
            never        never        read      the server says so  -
            change_list  changeList   mutation  nobody says         -
            meet         meet         mutation  nobody says         -
            exit code 3

            $ windlass connectors --accept things
            things: as accepted
              scripts say   Things
              server        node server.js
              accepted      [TIME] by tester
            TOOL         SCRIPTS SAY  EFFECT    BECAUSE             LOOKED UP BY
            add_thing    addThing     mutation  the server says so  find_things
            find_things  findThings   read      the server says so  -
            promised     promised     mutation  nobody says         -
            answer       answer       mutation  nobody says         -
            look-away    lookAway     mutation  nobody says         -
            large        large        read      the server says so  -
            never        never        read      the server says so  -
            change_list  changeList   mutation  nobody says         -
            meet         meet         mutation  nobody says         -
            exit code 0

            $ windlass connectors --accept thing
            stderr:
            error: there is no connector `thing`
            hint: `windlass connectors` shows those that exist
            exit code 2

        "#]],
    );
    assert_eq!(folder.call("connectors").code, 0);
}

#[test]
fn what_scripts_can_call_is_known_without_the_server() {
    let folder = folder();

    let first = folder.call("types");
    let second = folder.call("types");

    assert!(first.stdout.contains("declare const Things: {"), "{}", first.stdout);
    assert_eq!(first.stdout, second.stdout);
    assert_eq!(folder.read("pids").lines().count(), 1);
    assert_eq!(folder.call("check workflow.js").code, 0);
}

#[test]
fn a_connector_that_cannot_be_asked_stops_only_those_who_need_it() {
    let folder = TestFolder::with_starter();
    folder.write(
        "windlass.toml",
        folder.read("windlass.toml") + "\n[mcp.gone]\ncommand = \"./gone\"\n",
    );
    assert_eq!(folder.call("trust").code, 0);
    folder.write("needs.js", WORKFLOW.replace("Things.findThings", "Gone.findThings"));
    folder.expect(&["connectors", "check needs.js"], &expect![[r#"
        $ windlass connectors
        gone: UNREACHABLE
          scripts say   Gone
          server        ./gone
          problem       could not start `./gone` (No such file or directory (os error 2)): install it, or correct `[mcp.gone]`
        exit code 1

        $ windlass check needs.js
        needs.js:9:34: could not ask the connector `gone` for its tools: could not start `./gone` (No such file or directory (os error 2)): install it, or correct `[mcp.gone]` [connector_missing] (its tools are unknown until it answers)
        needs.js:25:15: nothing is called `Things`: no tool, and nothing in this file [unknown_name] (tools of that name come from a connector, which the configuration has to name)

        2 problem(s).
        exit code 1

    "#]]);

    let types = folder.call("types");
    assert!(types.stdout.contains("\n// `Gone` is left out: could not ask"), "{}", types.stdout);
    assert_eq!(folder.call("deploy workflow.js --name notes --activate --yes").code, 0);
    let ran = folder.call("run notes");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("`gone`"), "{}", ran.stderr);
    assert_eq!(folder.call("limit connector:Gone --at-once 1").code, 0, "it will come");
    let checks = folder.json("doctor")["checks"].clone();
    let of_connectors: Vec<_> =
        checks.as_array().unwrap().iter().filter(|it| it["name"] == "connector").collect();
    assert_eq!(of_connectors.len(), 1, "{checks}");
    assert_eq!(of_connectors[0]["verdict"], "fail", "{checks}");
}

#[test]
fn a_workflow_whose_connector_is_gone_says_so() {
    let folder = folder();
    assert_eq!(folder.call("deploy workflow.js --name things --activate --yes").code, 0);
    let moved = CONFIG.replace("\"node\"", "\"./gone\"");
    folder.write("windlass.toml", moved);
    assert_eq!(folder.call("trust").code, 0);

    let ran = folder.call("run things");

    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    let status = folder.call("status things").stdout;
    assert!(status.contains("could not ask the connector `things` for its tools"), "{status}");
}

#[test]
fn a_lost_answer_of_a_connector_is_looked_up_and_the_run_goes_on() {
    let folder = folder();
    assert_eq!(folder.call("deploy workflow.js --name things --activate --yes").code, 0);

    let ran = folder.call("run things");

    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(folder.read("things"), "lamp\n");
    let outputs = folder.json("outputs things");
    assert_eq!(outputs[0]["status"], "applied", "{outputs}");
    assert!(!is_any_alive(&folder));
}
