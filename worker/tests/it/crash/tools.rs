//! Every tool that changes something, and the look-up of what it changed.

use std::collections::BTreeMap;

use crate::crash::counting_server::CountingServer;
use crate::crash::deployment::{Database, Deployment};
use crate::crash::{Kills, assert_reaches};

/// One message for each tool; the message says which.
const EVERY_TOOL: &str = r#"
const workflow = {
  topics: { wishes: {} },
  producers: {
    poll: {
      publishes: ["wishes"], schedule: { interval: "1d" },
      handler: async () => {
        for (const id of ["append", "write", "remove", "tell", "post", "put", "patch", "delete"]) {
          const inputId = await Topics.registerInput({ source: "System", type: "random", id, title: id });
          await Topics.publish({ topic: "wishes", event: { messageId: id, payload: {}, inputId } });
        }
      },
    },
  },
  consumers: {
    fulfil: {
      subscribe: ["wishes"],
      prepare: async () => {
        const [wish] = await Topics.peek({ topic: "wishes", limit: 1 });
        if (!wish) return { reservations: [] };
        return { reservations: [{ topic: "wishes", ids: [wish.messageId] }], data: wish.messageId, ui: { title: wish.messageId } };
      },
      mutate: async ({ data }) => {
        const url = `http://$ADDRESS/${data}`;
        if (data === "append") await Files.append({ path: "out/lines.txt", line: data, key: data });
        if (data === "write") await Files.write({ path: "out/text.txt", text: data });
        if (data === "remove") await Files.delete({ path: "out/old.txt" });
        if (data === "tell") await User.notify({ title: data, text: "" });
        if (data === "post") await Http.post({ url, body: { data } });
        if (data === "put") await Http.put({ url, body: { data } });
        if (data === "patch") await Http.patch({ url, body: { data } });
        if (data === "delete") await Http.delete({ url });
      },
      next: async ({ data }, { status }) => ({ last: status }),
    },
  },
};
"#;

/// What is to be seen outside and inside.
#[derive(Debug, PartialEq)]
struct Seen {
    files: Vec<(String, String)>,
    messages: usize,
    /// How many keys each path was asked with: a service that knows keys does each once.
    keys: BTreeMap<String, usize>,
    statuses: Vec<(String, String)>,
}

fn deployment(database: Database, counter: &CountingServer) -> Option<Deployment> {
    let deployment = Deployment::empty(database, "wishes")?;
    let address = counter.address().to_string();
    let config = format!(
        "[tools.files]\nroots = [\"out\"]\n\
         [tools.http]\nallow = [\"{address}\"]\n\
         [[tools.http.endpoints]]\nurl = \"http://{address}/\"\nidempotent = true\n"
    );
    deployment.write("windlass.toml", &config);
    deployment.write("workflow.js", &EVERY_TOOL.replace("$ADDRESS", &address));
    deployment.make_folder("out");
    deployment.write("out/old.txt", "old");
    deployment.deploy();
    Some(deployment)
}

fn seen(deployment: &Deployment, counter: &CountingServer) -> Seen {
    Seen {
        files: deployment.files("out"),
        messages: deployment.n_messages(),
        keys: counter.take_keys(),
        statuses: deployment.statuses(),
    }
}

#[test]
fn crash_around_every_tool_on_sqlite() {
    every_tool(Database::Sqlite);
}

#[test]
fn crash_around_every_tool_on_postgres() {
    every_tool(Database::Postgres);
}

/// The boundaries between them are those of the receipts; here it is killed around each ledger row and each call.
fn every_tool(database: Database) {
    let counter = CountingServer::start();
    let Some(deployed) = deployment(database, &counter) else { return };
    let undisturbed = deployed.copy();
    let points = undisturbed.run_traced();
    let expected = seen(&undisturbed, &counter);
    assert_eq!((expected.messages, expected.keys.len()), (1, 4), "{expected:?}");
    assert_eq!(expected.files.len(), 2, "{expected:?}");
    let tools = [
        "Files.append",
        "Files.write",
        "Files.delete",
        "User.notify",
        "Http.post",
        "Http.put",
        "Http.patch",
        "Http.delete",
    ];
    assert_reaches(&points, &tools);

    let mut kills = Kills::default();
    for (idx, point) in points.iter().enumerate() {
        let is_call = tools.iter().any(|tool| point.starts_with(tool));
        if !is_call && !point.contains("_mutation.") {
            continue;
        }
        let deployment = deployed.copy();
        kills.count(deployment.run_killed_at(idx + 1));
        deployment.run_to_rest();

        assert_eq!(seen(&deployment, &counter), expected, "killed at point {}, {point}", idx + 1);
    }
    kills.assert_most();
}

#[test]
fn crash_anywhere_while_a_lost_answer_is_looked_up_on_sqlite() {
    lookups(Database::Sqlite);
}

#[test]
fn crash_anywhere_while_a_lost_answer_is_looked_up_on_postgres() {
    lookups(Database::Postgres);
}

/// A process that dies between an effect and its answer, and then one that dies while it looks the effect up.
fn lookups(database: Database) {
    let counter = CountingServer::start();
    let Some(deployed) = deployment(database, &counter) else { return };
    let undisturbed = deployed.copy();
    let points = undisturbed.run_traced();
    let expected = seen(&undisturbed, &counter);
    let mut kills = Kills::default();
    for call in ["Files.append.after", "Http.post.after", "Http.post.before"] {
        let first = points.iter().position(|point| point == call).unwrap() + 1;
        let twin = deployed.copy();
        kills.count(twin.run_killed_at(first));
        let looking = twin.run_traced();
        assert_eq!(seen(&twin, &counter), expected, "killed at {call}");
        assert_reaches(
            &looking,
            &["recover_runs", "claim_lookups", "reconcile.before", "settle_lookup"],
        );

        // Up to where the effect is settled; what follows is a run like any other.
        let settled = looking.iter().position(|point| point == "settle_lookup.after").unwrap() + 1;
        for (idx, point) in looking.iter().enumerate().take(settled) {
            let deployment = deployed.copy();
            kills.count(deployment.run_killed_at(first));
            kills.count(deployment.run_killed_at(idx + 1));
            deployment.run_to_rest();

            assert_eq!(seen(&deployment, &counter), expected, "killed at {call}, then at {point}");
        }
    }
    kills.assert_most();
}

/// The line is written, and the process dies before it stores that. Then the folder is another one: its disk is not mounted, or this
/// is another machine.
#[test]
fn crash_before_a_root_is_replaced_leaves_a_question_and_the_root_put_back_answers_it() {
    let counter = CountingServer::start();
    let deployed = deployment(Database::Sqlite, &counter).unwrap();
    let points = deployed.copy().run_traced();
    let appended = points.iter().position(|point| point == "Files.append.after").unwrap() + 1;
    let has_appended = |deployment: &Deployment| {
        let lines = deployment.files("out").iter().any(|(name, _)| name == "lines.txt");
        lines && deployment.in_doubt().len() == 1
    };
    // How often the process looks for work differs from run to run, and with it the number of the point.
    let mut killed = (appended.saturating_sub(4)..appended + 4).map(|point| {
        let deployment = deployed.copy();
        deployment.run_killed_at(point);
        deployment
    });
    let deployment = killed.find(has_appended).unwrap();
    let expected = deployment.files("out");

    std::fs::rename(deployment.path("out"), deployment.path("unmounted")).unwrap();
    deployment.make_folder("out");
    deployment.run(&["run", "wishes"]);
    assert_eq!(deployment.files("out"), [], "it was not done again");
    assert_eq!(deployment.in_doubt().len(), 1, "nor taken for done");

    std::fs::remove_dir(deployment.path("out")).unwrap();
    std::fs::rename(deployment.path("unmounted"), deployment.path("out")).unwrap();
    assert_eq!(deployment.files("out"), expected);
    deployment.run_to_rest();
    assert_eq!(deployment.lines("out/lines.txt"), ["append"]);
    assert_eq!(deployment.in_doubt(), Vec::<String>::new());
}
