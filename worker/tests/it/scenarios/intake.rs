//! Things come in, and each is handled once.

use std::time::Duration;

use serde_json::json;
use windlass_store::InputStatus;

use crate::scenarios::scenarios;

/// Lists a folder, registers each file and publishes it to `$TOPICS`.
const FOLDER_PRODUCER: &str = r#"
    poll: {
      publishes: $TOPICS, schedule: { interval: "5m" },
      handler: async (state) => {
        const files = await Files.list({ dir: "in" });
        for (const file of files) {
          const { text } = await Files.read({ path: file.path });
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: file.path, title: `${file.name}: ${text}` });
          await Topics.publish({ topic: $TOPICS, event: { messageId: file.path, payload: { path: file.path, text }, inputId } });
        }
        return { seen: files.length };
      },
    },
"#;

fn with_folder_producer(script: &str, topics: &str) -> String {
    script.replace("$PRODUCER", FOLDER_PRODUCER).replace("$TOPICS", topics)
}

const MAIL_TO_ROW: &str = r#"
const workflow = {
  topics: { "mail.received": {}, "row.created": {} },
  producers: {$PRODUCER},
  consumers: {
    row: {
      subscribe: ["mail.received"], publishes: ["row.created"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "mail.received", limit: 1 });
        if (!event) return { reservations: [] };
        return {
          reservations: [{ topic: "mail.received", ids: [event.messageId] }],
          data: { line: event.payload.text.trim() }, ui: { title: `add row for ${event.messageId}` },
        };
      },
      mutate: async (prepared) => { await Files.append({ path: "out/rows.csv", line: prepared.data.line }); },
      next: async (prepared, result) => {
        if (result.status !== "applied") return;
        const [id] = prepared.reservations[0].ids;
        await Topics.publish({ topic: "row.created", event: { messageId: `row:${id}`, payload: {} } });
      },
    },
    seen: {
      subscribe: ["row.created"],
      prepare: async (state) => {
        const events = await Topics.peek({ topic: "row.created" });
        return { reservations: [{ topic: "row.created", ids: events.map((event) => event.messageId) }] };
      },
      next: async (prepared) => ({ rows: prepared.reservations[0].ids.length }),
    },
  },
};
"#;

const FAN_OUT: &str = r#"
const take = (topic, file) => ({
  subscribe: [topic],
  prepare: async () => {
    const [event] = await Topics.peek({ topic, limit: 1 });
    if (!event) return { reservations: [] };
    return { reservations: [{ topic, ids: [event.messageId] }], data: event.payload };
  },
  mutate: async (prepared) => { await Files.append({ path: file, line: prepared.data.text }); },
});
const workflow = {
  topics: { "sheets.queue": {}, "chat.queue": {} },
  producers: {$PRODUCER},
  consumers: { sheets: take("sheets.queue", "out/sheets.txt"), chat: take("chat.queue", "out/chat.txt") },
};
"#;

const CORRELATION: &str = r#"
const workflow = {
  topics: { mails: {}, approvals: {} },
  producers: {
    poll: {
      publishes: ["mails", "approvals"], schedule: { interval: "5m" },
      handler: async () => {
        for (const file of await Files.list({ dir: "in" })) {
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: file.path, title: file.name });
          const topic = file.name.startsWith("approval") ? "approvals" : "mails";
          const order = file.name.split("-")[1];
          await Topics.publish({ topic, event: { messageId: file.path, payload: { order }, inputId } });
        }
      },
    },
  },
  consumers: {
    match: {
      subscribe: ["mails", "approvals"],
      prepare: async () => {
        const mails = await Topics.peek({ topic: "mails" });
        const approvals = await Topics.peek({ topic: "approvals" });
        for (const mail of mails) {
          const approval = approvals.find((one) => one.payload.order === mail.payload.order);
          if (approval) {
            return {
              reservations: [{ topic: "mails", ids: [mail.messageId] }, { topic: "approvals", ids: [approval.messageId] }],
              data: { order: mail.payload.order },
            };
          }
        }
        return { reservations: [] };
      },
      mutate: async (prepared) => { await Files.append({ path: "out/orders.txt", line: prepared.data.order }); },
    },
  },
};
"#;

const BATCH: &str = r#"
const workflow = {
  topics: { items: {} },
  producers: {$PRODUCER},
  consumers: {
    batch: {
      subscribe: ["items"],
      prepare: async (state) => {
        const events = await Topics.peek({ topic: "items", limit: 100 });
        const waitsSince = events[0] && Date.parse(events[0].createdAt);
        const isLate = state?.now && waitsSince && state.now - waitsSince >= 3600_000;
        const { text } = await Files.read({ path: "out/now.txt" });
        const now = Date.parse(text.trim());
        const due = events.length >= 10 || (waitsSince && now - waitsSince >= 3600_000);
        if (!due) {
          return { reservations: [], wakeAt: waitsSince ? new Date(waitsSince + 3600_000).toISOString() : undefined };
        }
        return { reservations: [{ topic: "items", ids: events.map((event) => event.messageId) }], data: { count: events.length } };
      },
      mutate: async (prepared) => { await Files.append({ path: "out/batches.txt", line: `${prepared.data.count}` }); },
    },
  },
};
"#;

const INVOICES: &str = r#"
const workflow = {
  topics: { invoices: {}, recorded: {} },
  producers: {$PRODUCER},
  consumers: {
    record: {
      subscribe: ["invoices"], publishes: ["recorded"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "invoices", limit: 1 });
        if (!event) return { reservations: [] };
        const amount = Number(event.payload.text);
        return { reservations: [{ topic: "invoices", ids: [event.messageId] }], data: { id: event.messageId, amount } };
      },
      mutate: async (prepared) => { await Files.append({ path: "out/invoices.csv", line: `${prepared.data.id},${prepared.data.amount}` }); },
      next: async (prepared, result) => {
        if (result.status === "none") return;
        await Topics.publish({ topic: "recorded", event: { messageId: prepared.data.id, payload: prepared.data } });
      },
    },
    alert: {
      subscribe: ["recorded"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "recorded", limit: 1 });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "recorded", ids: [event.messageId] }], data: event.payload };
      },
      mutate: async (prepared) => {
        if (prepared.data.amount > 1000) await User.notify({ title: `large: ${prepared.data.amount}`, text: prepared.data.id });
      },
      next: async (prepared, result) => ({ last: result.status }),
    },
  },
};
"#;

const IDLE: &str = r#"
const workflow = {
  topics: { items: {} },
  producers: {$PRODUCER},
  consumers: {
    look: {
      subscribe: ["items"],
      prepare: async () => ({ reservations: $RESERVATIONS }),
      mutate: async () => { await Files.append({ path: "out/never.txt", line: "never" }); },
      next: async (prepared, { status }) => ({ status }),
    },
  },
};
"#;

scenarios! {
    async fn three_mails_become_three_rows_and_polling_again_adds_nothing(env: TestEnv) {
        for name in ["a", "b", "c"] {
            env.write(&format!("in/{name}.txt"), &format!("row {name}"));
        }
        let workflow = env.deploy("rows", &with_folder_producer(MAIL_TO_ROW, r#"["mail.received"]"#)).await;

        env.run_until_idle().await;

        assert_eq!(env.lines("out/rows.csv"), ["row a", "row b", "row c"]);
        assert_eq!(env.inputs(workflow).await.iter().map(|input| input.status).collect::<Vec<_>>(), [InputStatus::Done; 3]);
        assert_eq!(env.state(workflow, "poll").await, json!({"seen": 3}));
        assert_eq!(env.statuses(workflow, "row.created").await, ["consumed"; 3]);
        let outputs = env.outputs(workflow).await;
        assert_eq!(outputs[0].ui_title, "add row for in/a.txt");
        assert_eq!(outputs[0].inputs, [env.inputs(workflow).await[0].id]);

        // The folder is polled again, with everything in it known.
        env.run_after(Duration::from_secs(301)).await;

        assert_eq!(env.lines("out/rows.csv").len(), 3);
        assert_eq!(env.inputs(workflow).await.len(), 3);
        assert_eq!(env.outputs(workflow).await.len(), 3);
        assert_eq!(env.runs(workflow).await.iter().filter(|run| run.handler == "poll").count(), 2);
    }

    async fn a_topic_without_a_reader_is_refused_before_it_is_saved(env: TestEnv) {
        let script = with_folder_producer(MAIL_TO_ROW, r#"["mail.received"]"#);
        let without_reader = format!("{}\n}};\n", script.split("    seen: {").next().unwrap().trim_end().to_owned() + "\n  },");

        let problems = env.deploy_as("rows", &without_reader, windlass_store::Bump::Major).await.unwrap_err();

        assert!(problems.iter().any(|problem| problem.message.contains("row.created")), "{problems:#?}");
    }

    async fn one_mail_in_two_topics_is_done_when_both_are_consumed(env: TestEnv) {
        env.write("in/a.txt", "hello");
        let workflow = env.deploy("fan", &with_folder_producer(FAN_OUT, r#"["sheets.queue", "chat.queue"]"#)).await;

        env.run_until_idle().await;

        assert_eq!((env.lines("out/sheets.txt"), env.lines("out/chat.txt")), (vec!["hello".to_owned()], vec!["hello".to_owned()]));
        let inputs = env.inputs(workflow).await;
        assert_eq!(inputs.iter().map(|input| input.status).collect::<Vec<_>>(), [InputStatus::Done]);
        assert!(env.outputs(workflow).await.iter().all(|output| output.inputs == [inputs[0].id]));
    }

    async fn a_mail_waits_for_its_approval_and_both_go_in_one_run(env: TestEnv) {
        env.write("in/mail-7", "");
        env.write("in/mail-8", "");
        let workflow = env.deploy("orders", CORRELATION).await;
        env.run_until_idle().await;
        assert!(env.lines("out/orders.txt").is_empty());
        assert_eq!(env.statuses(workflow, "mails").await, ["pending"; 2]);

        env.write("in/approval-8", "");
        env.run_after(Duration::from_secs(301)).await;

        assert_eq!(env.lines("out/orders.txt"), ["8"]);
        assert_eq!(env.statuses(workflow, "mails").await, ["pending", "consumed"]);
        assert_eq!(env.statuses(workflow, "approvals").await, ["consumed"]);
        let outputs = env.outputs(workflow).await;
        assert_eq!(outputs[0].inputs.len(), 2, "one output of two inputs");
    }

    async fn a_batch_goes_when_it_is_full_or_an_hour_old(env: TestEnv) {
        env.write("out/now.txt", "2026-03-02T07:00:00Z");
        for n in 0..4 {
            env.write(&format!("in/{n}"), "x");
        }
        let workflow = env.deploy("batch", &with_folder_producer(BATCH, r#"["items"]"#)).await;
        env.run_until_idle().await;
        assert!(env.lines("out/batches.txt").is_empty());

        for n in 4..10 {
            env.write(&format!("in/{n}"), "x");
        }
        env.run_after(Duration::from_secs(301)).await;
        assert_eq!(env.lines("out/batches.txt"), ["10"]);

        env.write("in/late", "x");
        env.run_after(Duration::from_secs(301)).await;
        assert_eq!(env.lines("out/batches.txt"), ["10"]);
        env.write("out/now.txt", "2026-03-02T09:00:00Z");
        env.run_after(Duration::from_secs(3_700)).await;

        assert_eq!(env.lines("out/batches.txt"), ["10", "1"]);
        assert_eq!(env.statuses(workflow, "items").await, ["consumed"; 11]);
    }

    async fn two_hundred_and_fifty_events_go_in_several_runs_none_lost_none_twice(env: TestEnv) {
        env.write("out/now.txt", "2026-03-02T07:00:00Z");
        for n in 0..250 {
            env.write(&format!("in/{n:03}"), "x");
        }
        let workflow = env.deploy("batch", &with_folder_producer(BATCH, r#"["items"]"#)).await;

        env.run_until_idle().await;

        assert_eq!(env.lines("out/batches.txt"), ["100", "100", "50"]);
        assert_eq!(env.statuses(workflow, "items").await, ["consumed"; 250]);
    }

    async fn mutate_may_decide_to_call_nothing(env: TestEnv) {
        env.write("in/small", "12");
        env.write("in/zlarge", "1500");
        let workflow = env.deploy("invoices", &with_folder_producer(INVOICES, r#"["invoices"]"#)).await;

        env.run_until_idle().await;

        assert_eq!(env.lines("out/invoices.csv"), ["in/small,12", "in/zlarge,1500"]);
        assert_eq!(env.messages.titles(), ["large: 1500"]);
        assert_eq!(env.statuses(workflow, "recorded").await, ["consumed"; 2]);
        let tools: Vec<_> = env.outputs(workflow).await.into_iter().map(|output| output.tool_namespace).collect();
        assert_eq!(tools, ["Files", "Files", "User"], "the small invoice has no ledger row for a notification");
    }
    async fn next_runs_although_nothing_was_reserved_and_nothing_is_changed(env: TestEnv) {
        for (name, reservations) in [("nothing", "[]"), ("none", r#"[{ topic: "items", ids: [] }]"#)] {
            let script = IDLE.replace("$RESERVATIONS", reservations);
            let workflow = env.deploy(name, &with_folder_producer(&script, r#"["items"]"#)).await;

            env.run_until_idle().await;

            assert_eq!(env.state(workflow, "look").await, json!({"status": "none"}), "{name}");
            assert!(env.outputs(workflow).await.is_empty(), "{name}");
        }
        assert!(env.lines("out/never.txt").is_empty());
    }
}
