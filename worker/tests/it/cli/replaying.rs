//! A person has events processed once more that a mistake consumed.

use serde_json::{Value, json};

use crate::cli::folder::TestFolder;

/// Writes each order into a file but those that the filter leaves out, which are consumed without an effect.
const ORDERS: &str = r#"const workflow = {
  topics: { orders: {} },
  producers: {
    poll: {
      publishes: ["orders"],
      schedule: { interval: "1h" },
      handler: async () => {
        for (const id of ["a", "b"]) {
          const inputId = await Topics.registerInput({ source: "System", type: "random", id, title: `Order ${id}` });
          await Topics.publish({ topic: "orders", event: { messageId: id, payload: {}, inputId } });
        }
      },
    },
  },
  consumers: {
    write: {
      subscribe: ["orders"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "orders" });
        if (!event) return { reservations: [] };
        const wanted = $FILTER;
        return { reservations: [{ topic: "orders", ids: [event.messageId] }], data: wanted ? event.messageId : null };
      },
      mutate: async ({ data }) => {
        if (data) await Files.append({ path: "out/orders.txt", line: data });
      },
    },
  },
};
"#;

/// A workflow whose filter wrongly left out `b`, and which is repaired by now.
fn repaired() -> TestFolder {
    let folder = TestFolder::with_starter();
    folder.write("orders.js", ORDERS.replace("$FILTER", r#"event.messageId === "a""#));
    let deployed = folder.call("deploy orders.js --name orders --activate --yes");
    assert_eq!(deployed.code, 0, "{}", deployed.stderr);
    assert_eq!(folder.call("run orders").code, 0);
    assert_eq!(folder.read("out/orders.txt"), "a\n");
    folder.write("orders.js", ORDERS.replace("$FILTER", "true"));
    assert_eq!(folder.call("deploy orders.js --name orders --fix --activate").code, 0);
    folder
}

fn ids(rows: &Value) -> Vec<String> {
    let ids = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[test]
fn what_a_mistake_consumed_is_replayed_and_its_input_shows_both_rounds() {
    let folder = repaired();
    let [_, b] = &ids(&folder.json("inputs orders"))[..] else { panic!("two inputs") };

    let replayed = folder.json(&format!("event {b} --replay --reason mended"));
    assert_eq!(replayed, json!({ "settled": 1, "left": 0, "refused": [] }));
    assert_eq!(folder.call("run orders").code, 0);

    assert_eq!(folder.read("out/orders.txt"), "a\nb\n");
    let shown = folder.json(&format!("show {b}"));
    let rounds = shown["events"][0]["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 2, "{shown}");
    assert_eq!((&rounds[0]["round"], &rounds[0]["mutation"]), (&json!(1), &Value::Null));
    assert_eq!(rounds[1]["mutation"]["status"], "applied");
    for id in [b.as_str(), shown["events"][0]["event"]["id"].as_str().unwrap()] {
        let page = folder.call(&format!("show {id}")).stdout;
        let first = format!("{}: no external change", rounds[0]["run"].as_str().unwrap());
        assert!(page.contains("round 1") && page.contains(&first), "{page}");
        assert!(page.contains("round 2") && page.contains("(applied, mut_"), "{page}");
    }
    let event =
        folder.json(&format!("show {}", shown["events"][0]["event"]["id"].as_str().unwrap()));
    let entry = &event["journal"][0];
    assert_eq!((&entry["action"], &entry["reason"]), (&json!("event.replayed"), &json!("mended")));
    assert_eq!(entry["actor"], "tester");
}

#[test]
fn what_was_done_for_an_event_is_done_again_only_if_the_person_says_so() {
    let folder = repaired();
    let event = folder.json("events orders")[0]["id"].as_str().unwrap().to_owned();
    let output = folder.json("outputs orders")[0].clone();

    let silent = folder.call(&format!("event {event} --replay --reason mended"));
    assert_eq!(silent.code, 1, "{}", silent.stdout);
    assert!(silent.stderr.contains(output["id"].as_str().unwrap()), "{}", silent.stderr);
    assert!(silent.stderr.contains("--repeat-effects"), "{}", silent.stderr);
    assert_eq!(folder.json("events orders")[0]["status"], "consumed");

    let said = folder.call(&format!("event {event} --replay --repeat-effects --reason mended"));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stdout.contains("1 effect(s) were made"), "{}", said.stdout);
    assert_eq!(folder.call("run orders").code, 0);
    assert_eq!(folder.read("out/orders.txt"), "a\na\n");
    let again = folder.json("outputs orders")[1].clone();
    let [first, second] =
        [&output, &again].map(|row| folder.json(&format!("show {}", row["id"].as_str().unwrap())));
    assert_ne!(first["mutation"]["idempotency_key"], second["mutation"]["idempotency_key"]);
}

#[test]
fn a_replay_needs_a_reason_and_names_what_is_meant_instead() {
    let folder = repaired();
    let event = folder.json("events orders")[1]["id"].as_str().unwrap().to_owned();

    assert_eq!(folder.call(&format!("event {event} --replay")).code, 2, "it has no reason");
    let of_all = folder.call("event --workflow orders --replay --reason mended");
    assert_eq!(of_all.code, 2, "events are named one by one, or by their input");
    let unused = folder.call(&format!("event {event} --skip --repeat-effects"));
    assert_eq!(unused.code, 2, "only a replay repeats effects");

    assert_eq!(folder.call(&format!("event {event} --replay --reason mended")).code, 0);
    let again = folder.call(&format!("event {event} --replay --reason mended"));
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("is pending, and only consumed events"), "{}", again.stderr);
    assert!(again.stderr.contains("`run` and `up`"), "{}", again.stderr);
}
