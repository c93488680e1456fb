//! Another version of a script, while the one before is at work or has left something to finish.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use windlass_core::{Outcome, Status};
use windlass_store::Bump;

use crate::scenarios::failures::{APPEND, PUBLISH, row};
use crate::scenarios::scenarios;

/// A producer and a consumer, and a place for more of each.
const GROWING: &str = r#"
const tick = (topic) => ({
  publishes: [topic], schedule: { interval: "1h" },
  handler: async () => {
    const inputId = await Topics.registerInput({ source: "System", type: "time", id: topic, title: topic });
    await Topics.publish({ topic, event: { messageId: "tick", payload: {}, inputId } });
  },
});
const take = (topic) => ({
  subscribe: [topic],
  prepare: async () => {
    const events = await Topics.peek({ topic });
    return { reservations: [{ topic, ids: events.map((event) => event.messageId) }] };
  },
});
const workflow = {
  topics: { first: {}, $TOPICS },
  producers: { one: { ...tick("first"), publishes: ["first"] }, $PRODUCERS },
  consumers: { two: { ...take("first"), subscribe: ["first"] }, $CONSUMERS },
};
"#;

scenarios! {
    async fn a_version_that_is_activated_in_the_middle_of_a_run_begins_with_the_next_one(env: TestEnv) {
        let look = r#"await Http.get({ url: "$URL/prepare" });"#;
        let append = |line: &str| APPEND.replace("prepared.data.id", &format!(r#""{line}""#));
        let workflow = env.deploy("rows", &row(look, &append("old"), PUBLISH)).await;
        let (preparing, activated) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (reached, go_on) = (Arc::clone(&preparing), Arc::clone(&activated));
        env.server.before_answering("prepare", move || {
            let (reached, go_on) = (Arc::clone(&reached), Arc::clone(&go_on));
            Box::pin(async move {
                reached.notify_one();
                go_on.notified().await;
            })
        });

        let activate = async {
            preparing.notified().await;
            env.deploy_as("rows", &row("", &append("new"), PUBLISH), Bump::Minor).await.unwrap();
            activated.notify_one();
        };
        tokio::join!(env.run_until_idle(), activate);

        assert_eq!(env.lines("out/rows.csv"), ["old"], "one run is of one version");
        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
        let runs = env.runs(workflow).await;
        assert!(runs.iter().all(|run| run.status == Status::Committed), "{runs:#?}");
        let versions = futures::future::join_all(runs.iter().map(|run| env.store.script(env.workspace, run.script_id))).await;
        let versions: Vec<_> = versions.into_iter().map(|script| script.unwrap().version()).collect();
        assert!(versions.is_sorted() && versions.last().unwrap() == "1.1", "{versions:?}");
    }

    async fn handlers_that_a_version_adds_run_at_once_in_the_worker_that_is_there(env: TestEnv) {
        let version = |topics: &str, producers: &str, consumers: &str| {
            GROWING.replace("$TOPICS", topics).replace("$PRODUCERS", producers).replace("$CONSUMERS", consumers)
        };
        let engine = env.engine();
        let workflow = env.deploy("growing", &version("", "", "")).await;
        engine.run_until_idle().await.unwrap();
        assert_eq!(env.statuses(workflow, "first").await, ["consumed"]);

        let grown = version(
            "second: {}",
            r#"three: { ...tick("second"), publishes: ["second"] }"#,
            r#"four: { ...take("second"), subscribe: ["second"] }"#,
        );
        env.deploy_as("growing", &grown, Bump::Minor).await.unwrap();
        engine.run_until_idle().await.unwrap();

        assert_eq!(env.statuses(workflow, "second").await, ["consumed"]);
        let runs = env.runs(workflow).await;
        assert!(runs.iter().all(|run| run.status == Status::Committed), "{runs:#?}");
    }

    async fn a_version_without_the_handler_that_has_a_run_to_finish_waits_for_one_that_has_it(env: TestEnv) {
        let broken = row("", APPEND, "throw new Error('next is broken');");
        let workflow = env.deploy("rows", &broken).await;
        env.run_until_idle().await;
        let without = row("", APPEND, PUBLISH).replace("    row: {", "    line: {");

        env.deploy_as("rows", &without, Bump::Minor).await.unwrap();
        env.run_until_idle().await;

        let stopped = env.runs(workflow).await.pop().unwrap();
        assert_eq!((stopped.status, stopped.mutation_outcome), (Status::FailedLogic, Some(Outcome::Success)));
        let error = stopped.error.clone().unwrap();
        assert!(error.contains("no consumer `row`, which has a run to finish"), "{error}");
        let seen = env.workflow(workflow).await;
        assert_eq!((seen.maintenance, seen.pending_retry_run_id), (true, Some(stopped.id)));
        env.run_after(Duration::from_secs(3_600)).await;
        assert_eq!(env.runs(workflow).await.pop().unwrap().id, stopped.id, "nothing is tried again by itself");

        env.deploy_as("rows", &row("", APPEND, PUBLISH), Bump::Minor).await.unwrap();
        env.run_until_idle().await;

        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
        assert_eq!(env.lines("out/rows.csv"), ["m1"]);
    }
}
