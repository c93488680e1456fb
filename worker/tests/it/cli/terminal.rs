//! Text from outside on the terminal and in the log.

use crate::cli::folder::TestFolder;

const SCRIPT: &str = r#"
const TITLE = "Invoice\nnotes · log · ✓ paid\u001b[2J\u202e\u200b";
const workflow = {
  topics: { orders: {} },
  producers: {
    poll: {
      publishes: ["orders"], schedule: { interval: "1d" },
      handler: async () => {
        console.log(TITLE);
        const inputId = await Topics.registerInput({ source: "System", type: "random", id: "1", title: TITLE });
        await Topics.publish({ topic: "orders", event: { messageId: TITLE, payload: {}, inputId } });
      },
    },
  },
  consumers: {
    tell: {
      subscribe: ["orders"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "orders", limit: 1 });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "orders", ids: [event.messageId] }], data: TITLE, ui: { title: TITLE } };
      },
      mutate: async () => { await User.notify({ title: TITLE, text: TITLE }); },
      next: async ({ data }) => { if (data) throw new Error(data); },
    },
  },
};
"#;

/// What no answer may show: a character that controls the terminal or is invisible, or a line that only the title has.
fn assert_harmless(line: &str, said: &str) {
    let harmful = ['\u{1b}', '\u{202e}', '\u{200b}'];
    assert!(!said.contains(harmful), "{line} lets a harmful character through: {said:?}");
    let forged = said.lines().find(|line| line.starts_with("notes · log"));
    assert_eq!(forged, None, "{line} shows a line of the title as its own: {said}");
}

#[test]
fn a_title_from_outside_neither_controls_the_terminal_nor_forges_a_line() {
    let folder = TestFolder::new();
    folder.write("workflow.js", SCRIPT);
    folder.write("windlass.toml", "");
    assert_eq!(folder.call("deploy workflow.js --name notes --activate --yes").code, 0);
    let run = folder.command("run notes").env("WINDLASS_LOG", "info").output().unwrap();
    assert_harmless("run", &String::from_utf8(run.stdout).unwrap());
    assert_harmless("the log", &String::from_utf8(run.stderr).unwrap());

    let runs = folder.json("runs notes");
    let runs = runs.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap());
    let lines =
        ["status", "events notes", "inputs notes", "outputs notes", "notifications", "runs notes"];
    let mut lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
    lines.extend(runs.flat_map(|run| [format!("show {run}"), format!("logs {run}")]));
    let mut n_titles = 0;
    for line in lines {
        for format in ["", " --json"] {
            let called = folder.call(&format!("{line}{format}"));
            assert_eq!(called.code, 0, "{line}: {}", called.stderr);
            assert_harmless(&line, &called.stdout);
            n_titles += usize::from(called.stdout.contains("Invoice"));
        }
    }
    assert!(n_titles >= 10, "the title is to be seen in {n_titles} answers only");
}
