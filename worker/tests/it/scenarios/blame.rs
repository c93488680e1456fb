//! One bad item never stops the others: it is parked with its reason, and one notification tells of all that have the same reason.

use std::time::Duration;

use serde_json::json;
use windlass_api::text::TimeFormat;
use windlass_core::{Clock, EventStatus, MutationStatus, WorkflowId};
use windlass_store::{Event, NotificationKind};

use crate::scenarios::env::TestEnv;
use crate::scenarios::scenarios;

/// Reads each file of the folder `in`, and records what it finds there.
const FILES: &str = r#"
const workflow = {
  topics: { files: {} },
  producers: {
    poll: {
      publishes: ["files"], schedule: { interval: "5m" },
      handler: async () => {
        for (const { path, name } of await Files.list({ dir: "in" })) {
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: path, title: name });
          await Topics.publish({ topic: "files", event: { messageId: path, payload: { path, name }, inputId } });
        }
      },
    },
  },
  consumers: {
    record: {
      subscribe: ["files"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "files", limit: $LIMIT });
        if (!events.length) return { reservations: [] };
        const lines = [];
        for (const { payload: { path, name } } of events) {
          $READ
        }
        return {
          reservations: [{ topic: "files", ids: events.map((event) => event.messageId) }],
          data: { lines }, ui: { title: `Record ${lines}` },
        };
      },
      mutate: async ({ data }) => {
        $MUTATE
      },
    },
  },
};
"#;

const TEXT: &str = "lines.push((await Files.read({ path })).text);";
/// Expects that a file cannot be read, and says why instead.
const ATTEMPT: &str = "
          const file = await attempt(Files.read, { path });
          lines.push(file.ok ? file.value.text : file.error.code);
";
const MAIL: &str = r#"
          const [mail] = await Mail.parse({ path });
          if (!mail.messageId) throw new Error(`the mail "${path}" has no Message-ID`);
          lines.push(mail.messageId);
"#;
const APPEND: &str =
    r#"await Files.append({ path: "out/lines.txt", line: data.lines.join("+") });"#;
const POST: &str = "await Http.post({ url: `$URL/records/${data.lines[0]}`, body: {} });";

fn files(limit: u32, read: &str, mutate: &str) -> String {
    let script = FILES.replace("$LIMIT", &limit.to_string());
    script.replace("$READ", read).replace("$MUTATE", mutate)
}

fn mail(id: &str) -> String {
    format!(
        "From: a@example.com\r\n{id}Subject: s\r\nDate: Mon, 2 Mar 2026 07:00:00 +0000\r\n\r\nbody\r\n"
    )
}

/// The parked events with their reasons, after everything that is due has run; the workflow waits for nobody.
async fn parked(env: &TestEnv, script: &str) -> (WorkflowId, Vec<Event>) {
    let workflow = env.deploy("items", script).await;
    env.run_until_idle().await;
    let seen = env.workflow(workflow).await;
    assert_eq!((seen.maintenance, seen.error), (false, None), "the others go on");
    let events = env.events(workflow, "files").await.into_iter();
    let (parked, others): (Vec<_>, Vec<_>) =
        events.partition(|event| event.status == EventStatus::Parked);
    assert!(others.iter().all(|event| event.status == EventStatus::Consumed), "{others:?}");

    let n_parked = parked.len();
    let times = TimeFormat { zone: chrono_tz::UTC, now: env.clock.now() };
    let health = env.service().status(workflow, times).await.unwrap().health;
    let fact = health.facts.iter().find(|fact| fact.label == "parked").unwrap();
    assert_eq!(fact.text, format!("{n_parked} event(s) whose runs failed"));
    let notices = env.notices(workflow).await;
    assert!(notices.iter().all(|notice| notice.kind == NotificationKind::EventParked));
    let journal = env.store.all_journal(env.workspace, workflow).await.unwrap();
    assert_eq!(journal.iter().filter(|entry| entry.action == "event.parked").count(), n_parked);
    (workflow, parked)
}

/// The ids of events, each with why it is parked.
fn reasons(events: &[Event]) -> Vec<(&str, &str)> {
    let reasons = events.iter().map(|event| {
        let reason = event.blamed_for.as_deref().unwrap_or_default();
        (event.message_id.as_str(), reason)
    });
    reasons.collect()
}

scenarios! {
    async fn a_file_that_cannot_be_read_stops_no_other(env: TestEnv) {
        env.write("in/a.txt", "a");
        env.write_bytes("in/b.txt", b"\xff");
        env.write("in/c.txt", "c");

        let (_, parked) = parked(&env, &files(1, TEXT, APPEND)).await;

        let [(path, reason)] = reasons(&parked).try_into().unwrap();
        assert_eq!(path, "in/b.txt");
        assert!(reason.contains("is not a UTF-8 text"), "{reason}");
        assert_eq!(env.lines("out/lines.txt"), ["a", "c"]);
    }

    async fn the_file_that_cannot_be_read_is_found_among_several(env: TestEnv) {
        env.write("in/a.txt", "a");
        env.write_bytes("in/b.txt", b"\xff");
        env.write("in/c.txt", "c");

        let (_, parked) = parked(&env, &files(10, TEXT, APPEND)).await;

        assert_eq!(parked.iter().map(|event| event.message_id.as_str()).collect::<Vec<_>>(), ["in/b.txt"]);
        assert_eq!(env.lines("out/lines.txt"), ["a+c"], "the others go in one run again");
    }

    async fn a_refusal_that_a_consumer_expects_is_told_to_next(env: TestEnv) {
        env.server.answer("records/b", 404, "no such record");
        env.write("in/a", "a");
        env.write("in/b", "b");
        let next = r#"next: async (prepared, end) => (end.status === "none" ? undefined : { ends: end })"#;
        let script = files(1, TEXT, POST);
        let expects = script.replace(r#"subscribe: ["files"],"#, r#"subscribe: ["files"], refused: "next","#);
        let expects = expects.replace("      mutate:", &format!("      {next},\n      mutate:"));
        let workflow = env.deploy("items", &expects).await;

        env.run_until_idle().await;

        assert_eq!(env.statuses(workflow, "files").await, ["consumed"; 2]);
        let ends = &env.state(workflow, "record").await["ends"];
        assert_eq!((&ends["status"], &ends["error"]["code"]), (&json!("refused"), &json!("refused")));
        assert!(ends["error"]["message"].as_str().unwrap().contains("404"), "{ends}");
        assert_eq!(env.server.requests("records/b"), 1);
        assert!(env.notices(workflow).await.is_empty());
        assert_eq!(env.outputs(workflow).await[1].status, MutationStatus::Failed);

        // What is no refusal of its content stops as always.
        env.server.answer("records/c", 403, "not you");
        env.write("in/c", "c");
        env.run_after(Duration::from_secs(301)).await;
        assert!(env.workflow(workflow).await.error.is_some());
    }

    async fn a_script_deals_itself_with_what_it_expects(env: TestEnv) {
        env.write("in/a.txt", "a");
        env.write_bytes("in/b.txt", b"\xff");
        let gone = ATTEMPT.replace("{ path }", "{ path: path.replace('a.txt', 'gone.txt') }");
        for (name, read) in [("as-it-is", ATTEMPT), ("gone", &gone)] {
            env.deploy(name, &files(10, read, APPEND)).await;
        }

        env.run_until_idle().await;

        let mut lines = env.lines("out/lines.txt");
        lines.sort_unstable();
        assert_eq!(lines, ["a+unreadable", "not_found+unreadable"]);
    }

    async fn ids_that_differ_in_half_a_character_are_not_taken_for_one(env: TestEnv) {
        env.write("in/a", "a");
        let script = files(1, TEXT, APPEND);
        let cut = script.replace("messageId: path, payload", r#"messageId: path + "😀"[0], payload"#);
        assert_ne!(script, cut);
        let workflow = env.deploy("items", &cut).await;

        env.run_until_idle().await;

        let failed = env.runs(workflow).await.into_iter().find(|run| run.handler == "poll").unwrap();
        let error = failed.error.unwrap_or_default();
        assert!(error.contains("`messageId` contains half of a character"), "{error}");
        assert!(env.events(workflow, "files").await.is_empty());
    }

    async fn an_empty_mail_and_one_without_an_id_stop_no_other(env: TestEnv) {
        env.write("in/1.eml", "");
        env.write("in/2.eml", &mail("Message-ID: <one@example.com>\r\n"));
        env.write("in/3.eml", &mail(""));
        let workflow = env.deploy("items", &files(1, MAIL, APPEND)).await;

        env.run_until_idle().await;

        assert_eq!(env.statuses(workflow, "files").await, ["parked", "consumed", "parked"]);
        let events = env.events(workflow, "files").await;
        let [_, _, (_, no_id)] = reasons(&events).try_into().unwrap();
        assert!(no_id.contains("has no Message-ID"), "{no_id}");
        assert_eq!(env.lines("out/lines.txt"), ["one@example.com"]);
        assert_eq!(env.notices(workflow).await.len(), 2, "each reason has its notification");
    }

    async fn events_that_fail_for_the_same_reason_have_one_notification(env: TestEnv) {
        env.write("in/1.eml", &mail(""));
        env.write("in/2.eml", &mail("Message-ID: <one@example.com>\r\n"));
        env.write("in/3.eml", &mail(""));

        let (workflow, parked) = parked(&env, &files(1, MAIL, APPEND)).await;

        assert_eq!(parked.len(), 2);
        let [notice] = env.notices(workflow).await.try_into().unwrap();
        assert!(notice.title.contains("2 events, same reason"), "{}", notice.title);
    }

    async fn a_record_that_a_service_refuses_stops_no_other(env: TestEnv) {
        for (file, status) in [("b", 400), ("d", 404), ("f", 409), ("h", 422)] {
            env.server.answer(&format!("records/{file}"), status, "no");
        }
        // A success between two of them: more than two in a row are the script's fault.
        for file in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            env.write(&format!("in/{file}"), file);
        }

        let (workflow, parked) = parked(&env, &files(1, TEXT, POST)).await;

        let seen = reasons(&parked);
        assert_eq!(seen.iter().map(|(path, _)| *path).collect::<Vec<_>>(), ["in/b", "in/d", "in/f", "in/h"]);
        for ((_, reason), status) in seen.iter().zip(["400", "404", "409", "422"]) {
            assert!(reason.contains(status), "{reason}");
        }
        for file in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            assert_eq!(env.server.requests(&format!("records/{file}")), 1, "{file}");
        }
        let refused = env.outputs(workflow).await.iter().filter(|it| it.status == MutationStatus::Failed).count();
        assert_eq!(refused, 4);
    }
}
