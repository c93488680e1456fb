//! Scripts that do what their phase does not permit.

use serde_json::json;
use windlass_core::{FailureClass, Phase, Policy, ScriptLimits, Status};

use crate::scenarios::env::TestEnv;
use crate::scenarios::scenarios;

const SCRIPT: &str = r#"
const workflow = {
  topics: { mails: {}, rows: {}, foreign: {} },
  producers: {
    poll: {
      publishes: ["mails"], schedule: { interval: "5m" },
      handler: async () => {
        const inputId = await Topics.registerInput({ source: "Gmail", type: "email", id: "m1", title: "a mail" });
        $PRODUCER
        await Topics.publish({ topic: "mails", event: { messageId: "m1", payload: {}, inputId } });
      },
    },
    other: {
      publishes: ["foreign"], schedule: { cron: "0 0 1 1 *", timezone: "UTC" },
      handler: async () => {},
    },
  },
  consumers: {
    row: {
      subscribe: ["mails"], publishes: ["rows"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "mails", limit: 1 });
        if (!event) return { reservations: [] };
        $PREPARE
        return { reservations: [{ topic: "mails", ids: [event.messageId] }], data: { id: event.messageId } };
      },
      mutate: async (prepared) => { $MUTATE },
      next: async (prepared, result) => { $NEXT },
    },
    seen: { subscribe: ["rows", "foreign"], prepare: async () => ({ reservations: [] }) },
  },
};
"#;

/// The check refuses most misuse that it sees in a text. It does not see everything, so the engine refuses it once more when it runs.
fn without_places(script: &str) -> String {
    ["$PRODUCER", "$PREPARE", "$MUTATE", "$NEXT"]
        .iter()
        .fold(script.to_owned(), |script, place| script.replace(place, ""))
}

/// Runs the script with `code` in the place named, and returns the message of the failed run.
async fn failure_of(env: &TestEnv, place: &str, code: &str) -> String {
    let name = format!("abuse{}", place.trim_start_matches('$'));
    let script = without_places(&SCRIPT.replace(place, code));
    let workflow = env.deploy_unseen(&name, &without_places(SCRIPT), &script).await;
    env.run_until_idle().await;

    let failed = env.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedLogic);
    let failed = failed.unwrap_or_else(|| panic!("`{code}` in {place} was let through"));
    assert_eq!(failed.error_class, Some(FailureClass::Logic));
    let at = failed.error_at.unwrap_or_else(|| panic!("no position for `{code}`"));
    let line = at.source_line.unwrap_or_default();
    let call = code.split('(').next().unwrap_or(code);
    assert!(line.contains(call), "`{line}` is not where `{code}` stands");
    assert_eq!(env.server.requests("never"), 0, "`{code}` had an effect");
    failed.error.unwrap()
}

scenarios! {
    async fn publishing_in_prepare_is_refused(env: TestEnv) {
        let code = r#"await Topics.publish({ topic: "rows", event: { messageId: "x", payload: {} } });"#;

        assert!(failure_of(&env, "$PREPARE", code).await.contains("`Topics.publish` publishes an event, which `prepare` may not do"));
    }

    async fn mutating_in_prepare_is_refused(env: TestEnv) {
        let code = r#"await Http.post({ url: "$URL/never" });"#;

        assert!(failure_of(&env, "$PREPARE", code).await.contains("changes the outside world"));
    }

    async fn mutating_in_a_producer_is_refused(env: TestEnv) {
        let code = r#"await Http.post({ url: "$URL/never" });"#;

        assert!(failure_of(&env, "$PRODUCER", code).await.contains("a producer's handler may not do"));
    }

    async fn reading_in_mutate_is_refused(env: TestEnv) {
        let code = r#"await Http.get({ url: "$URL/never" });"#;

        assert!(failure_of(&env, "$MUTATE", code).await.contains("reads the outside world, which `mutate` may not do"));
    }

    async fn reading_in_next_is_refused(env: TestEnv) {
        assert!(failure_of(&env, "$NEXT", r#"await Topics.peek({ topic: "mails" });"#).await.contains("`next` may not do"));
    }

    async fn publishing_to_an_undeclared_topic_is_refused(env: TestEnv) {
        let code = r#"await Topics.publish({ topic: "foreign", event: { messageId: "x", payload: {} } });"#;

        assert!(failure_of(&env, "$NEXT", code).await.contains("does not declare that it publishes to `foreign`"));
    }

    async fn a_call_that_is_open_at_the_end_of_prepare_fails_the_run(env: TestEnv) {
        let code = r#"const open = [Http.get({ url: "$URL/rows" })].map((it) => it.finally(() => {})); open.length;"#;

        let message = failure_of(&env, "$PREPARE", code).await;

        assert!(message.contains("returned while its call of `Http.get` was still open"), "{message}");
    }

    async fn publishing_more_than_a_call_may_is_refused(env: TestEnv) {
        let script = ScriptLimits { published_bytes: 20, ..ScriptLimits::default() };
        let env = env.restarted(Policy { script, ..Policy::default() }).await;
        let code = r#"await Topics.publish({ topic: ["mails", "mails"], event: { messageId: "m2", payload: "12345678", inputId } });
            await Topics.publish({ topic: "mails", event: { messageId: "m3", payload: {}, inputId } });"#;

        let message = failure_of(&env, "$PRODUCER", code).await;

        assert!(message.contains("the limit is `limits.script.published_bytes` = 20"), "{message}");
    }

    async fn peeking_at_a_foreign_topic_is_refused(env: TestEnv) {
        let code = r#"await Topics.peek({ topic: "foreign" });"#;

        assert!(failure_of(&env, "$PREPARE", code).await.contains("does not subscribe to topic `foreign`"));
    }

    async fn an_input_id_in_next_is_refused(env: TestEnv) {
        let code = r#"await Topics.publish({ topic: "rows", event: { messageId: "x", payload: {}, inputId: "inp_00000000000070008000000000000000" } });"#;

        assert!(failure_of(&env, "$NEXT", code).await.contains("`next` may not pass an `inputId`"));
    }

    async fn a_producer_has_to_name_an_input(env: TestEnv) {
        let code = r#"await Topics.publish({ topic: "mails", event: { messageId: "x", payload: {} } });"#;

        assert!(failure_of(&env, "$PRODUCER", code).await.contains("a producer says which input caused an event"));
    }

    async fn an_unknown_source_is_refused(env: TestEnv) {
        let code = r#"await Topics.registerInput({ source: "Newsletter", type: "email", id: "1", title: "x" });"#;

        assert!(failure_of(&env, "$PRODUCER", code).await.contains("Newsletter"));
    }

    async fn an_id_that_is_too_long_for_an_index_is_refused_whatever_the_database(env: TestEnv) {
        // Random, as a text that repeats itself is kept compressed.
        let long = "Array.from({ length: 5_000 }, () => Math.random().toString(36).slice(2, 3)).join('')";
        let input = format!(r#"await Topics.registerInput({{ source: "Gmail", type: "email", id: {long}, title: "x" }});"#);
        let event = format!(r#"await Topics.publish({{ topic: "rows", event: {{ messageId: {long}, payload: {{}} }} }});"#);

        assert!(failure_of(&env, "$PRODUCER", &input).await.contains("`id` has"));
        assert!(failure_of(&env, "$NEXT", &event).await.contains("`messageId` has"));
    }

    async fn unknown_properties_of_a_call_are_refused(env: TestEnv) {
        let code = r#"await Files.list({ dir: "in", recursive: true });"#;

        assert!(failure_of(&env, "$PREPARE", code).await.contains("recursive"));
    }

    async fn a_mutation_that_does_not_fit_is_refused_once_and_never_sent(env: TestEnv) {
        let script = SCRIPT
            .replace("$MUTATE", r#"await Http.post({ url: "$URL/never", colour: "red" });"#)
            .replace("$PRODUCER", "").replace("$PREPARE", "").replace("$NEXT", "");
        let workflow = env.deploy_unseen("unfit", &without_places(SCRIPT), &script).await;

        env.run_until_idle().await;
        env.run_until_idle().await;

        let failed: Vec<_> = env.runs(workflow).await.into_iter().filter(|run| run.status == Status::FailedLogic).collect();
        assert_eq!((failed.len(), failed[0].phase), (1, Phase::Mutating));
        assert!(failed[0].error.as_ref().unwrap().contains("`colour` is unknown"), "{failed:?}");
        assert!(env.outputs(workflow).await.is_empty(), "what was never intended is not in the ledger");
        assert_eq!(env.statuses(workflow, "mails").await, ["parked"]);
        assert_eq!(env.server.requests("never"), 0);
    }

    async fn an_event_that_is_not_there_cannot_be_reserved_and_nothing_is_done(env: TestEnv) {
        let script = SCRIPT
            .replace("ids: [event.messageId]", r#"ids: ["no such mail"]"#)
            .replace("$MUTATE", r#"await Http.post({ url: "$URL/never" });"#)
            .replace("$PRODUCER", "").replace("$PREPARE", "").replace("$NEXT", "");
        let workflow = env.deploy("unknown", &script).await;

        env.run_until_idle().await;

        let failed = env.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedLogic).unwrap();
        assert!(failed.error.unwrap().contains("no such mail"));
        assert_eq!(env.server.requests("never"), 0);
    }

    async fn a_mutation_ends_the_script_so_that_a_second_never_happens(env: TestEnv) {
        let mutate = r#"
            const call = (path) => Http.post({ url: `$URL/${path}` });
            const both = [call("first"), call("second")];
            console.log("after");
            await Promise.allSettled(both);"#;
        let script = SCRIPT
            .replace("$MUTATE", mutate)
            .replace("$NEXT", r#"if (result.status !== "none") return result;"#)
            .replace("$PRODUCER", "").replace("$PREPARE", "");
        let workflow = env.deploy("twice", &script).await;

        env.run_until_idle().await;

        assert_eq!((env.server.requests("first"), env.server.requests("second")), (1, 0));
        assert_eq!(env.state(workflow, "row").await["status"], json!("applied"));
        let logs = futures::future::join_all(env.runs(workflow).await.into_iter().map(|run| {
            let filter = windlass_store::LogFilter { workspace: env.workspace, of: windlass_store::LogSource::Run(run.id), page: windlass_store::Page::first(u32::MAX) };
            let store = std::sync::Arc::clone(&env.store);
            async move { store.all_logs(filter).await.unwrap() }
        }));
        assert!(logs.await.into_iter().flatten().all(|line| line.message != "after"), "code after the mutation ran");
    }

    async fn a_tool_error_cannot_be_caught(env: TestEnv) {
        let prepare = r#"
            const tool = Files;
            let caught = tool.read({ path: "in/none" }).catch(() => "caught");
            await caught; await Http.get({ url: "$URL/never" });"#;
        let script = SCRIPT.replace("$PREPARE", prepare).replace("$PRODUCER", "").replace("$MUTATE", "").replace("$NEXT", "");
        let workflow = env.deploy("catch", &script).await;

        env.run_until_idle().await;

        let failed = env.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedLogic).unwrap();
        assert!(failed.error.unwrap().contains("in/none"));
        assert_eq!(env.server.requests("never"), 0);
    }
}
