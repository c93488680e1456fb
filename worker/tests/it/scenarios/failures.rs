//! What fails stops visibly, and goes on from where it was.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use windlass_core::{Action, FailureClass, MutationStatus, Outcome, Phase, ResolvedBy, Status};
use windlass_store::{
    Bump, InputStatus, Layer, Resolution, ResolveMutation, Result, StoreError, WriteOutcome,
};

use crate::scenarios::scenarios;

/// One event, one row, and a `next` that `$NEXT` says.
const ROW: &str = r#"
const workflow = {
  topics: { mails: {}, rows: {} },
  producers: {
    poll: {
      publishes: ["mails"], schedule: { interval: "5m" },
      handler: async () => {
        const inputId = await Topics.registerInput({ source: "Gmail", type: "email", id: "m1", title: "the only mail" });
        await Topics.publish({ topic: "mails", event: { messageId: "m1", payload: {}, inputId } });
      },
    },
  },
  consumers: {
    row: {
      subscribe: ["mails"], publishes: ["rows"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "mails", limit: 1 });
        if (!event) return { reservations: [] };
        $PREPARE
        return { reservations: [{ topic: "mails", ids: [event.messageId] }], data: { id: event.messageId }, ui: { title: "add row" } };
      },
      mutate: async (prepared) => { $MUTATE },
      next: async (prepared, result) => {
        if (result.status === "none") return;
        $NEXT
      },
    },
    seen: {
      subscribe: ["rows"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "rows" });
        return { reservations: [{ topic: "rows", ids: events.map((event) => event.messageId) }], data: events.map((event) => event.payload) };
      },
      next: async (prepared) => (prepared.data.length ? { payloads: prepared.data } : undefined),
    },
  },
};
"#;

pub(crate) const APPEND: &str =
    r#"await Files.append({ path: "out/rows.csv", line: prepared.data.id });"#;
pub(crate) const PUBLISH: &str = r#"await Topics.publish({ topic: "rows", event: { messageId: `row:${prepared.data.id}`, payload: result } }); return { last: prepared.data.id };"#;

pub(crate) fn row(prepare: &str, mutate: &str, next: &str) -> String {
    ROW.replace("$PREPARE", prepare).replace("$MUTATE", mutate).replace("$NEXT", next)
}

/// A store that refuses an operation, whenever it is asked.
#[derive(Debug)]
struct Refuses(&'static str);

#[async_trait]
impl Layer for Refuses {
    async fn write<T: WriteOutcome>(
        &self,
        name: &'static str,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        if name == self.0 {
            return Err(StoreError::Corrupt { what: "a page is torn".to_owned() });
        }
        call.await
    }
}

scenarios! {
    async fn what_the_store_refuses_for_good_stops_the_workflow_before_its_effect(env: TestEnv) {
        let workflow = env.deploy("rows", &row("", APPEND, PUBLISH)).await;
        let env = env.with_layer(Refuses("begin_mutation"));

        env.run_until_idle().await;
        env.run_after(Duration::from_secs(900)).await;

        let stopped = env.workflow(workflow).await;
        assert_eq!(stopped.error_class, Some(FailureClass::Internal));
        assert!(stopped.error.unwrap().contains("a page is torn"));
        assert_eq!(env.statuses(workflow, "mails").await, ["pending"]);
        assert!(env.lines("out/rows.csv").is_empty());
    }

    async fn what_the_store_refuses_for_good_after_an_effect_is_looked_up(env: TestEnv) {
        let keyed = APPEND.replace("line:", "key: prepared.data.id, line:");
        let workflow = env.deploy("rows", &row("", &keyed, PUBLISH)).await;
        let env = env.with_layer(Refuses("apply_mutation"));

        env.run_until_idle().await;

        let mutation = env.store.all_mutations(env.workspace, workflow).await.unwrap().remove(0);
        assert_eq!(mutation.status, MutationStatus::Applied);
        assert_eq!(mutation.resolved_by, Some(ResolvedBy::Reconciliation));
        let runs = env.runs(workflow).await;
        let made = runs.iter().find(|run| run.id == mutation.handler_run_id).unwrap();
        let session = env.store.session(env.workspace, made.session_id).await.unwrap();
        assert_eq!([mutation.cost, made.cost, session.cost], [250_000; 3], "who is found has its price");
        assert_eq!(runs.iter().map(|run| run.cost).sum::<i64>(), 250_000, "what continues it costs nothing");
        assert_eq!(env.lines("out/rows.csv"), ["m1"]);
        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
    }

    async fn a_next_that_throws_after_the_row_is_repaired_and_goes_on_with_the_row_that_is_there(env: TestEnv) {
        let broken = row("", APPEND, "throw new TypeError('next is broken');");
        let workflow = env.deploy("rows", &broken).await;
        env.run_until_idle().await;
        let failed = env.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedLogic).unwrap();
        assert_eq!((failed.phase, failed.mutation_outcome), (Phase::Emitting, Some(Outcome::Success)));
        assert!(failed.error.clone().unwrap().contains("next is broken"));
        assert!(env.workflow(workflow).await.maintenance);
        assert_eq!(env.statuses(workflow, "mails").await, ["reserved"]);
        env.run_after(Duration::from_secs(900)).await;
        assert_eq!(env.lines("out/rows.csv"), ["m1"], "a workflow that waits for its repair does nothing");

        env.deploy_as("rows", &row("", APPEND, PUBLISH), Bump::Minor).await.unwrap();
        env.run_until_idle().await;

        let retry = env.runs(workflow).await.into_iter().find(|run| run.retry_of == Some(failed.id)).unwrap();
        assert_eq!((retry.status, retry.prepare_result.clone()), (Status::Committed, failed.prepare_result.clone()));
        assert_eq!(env.store.session(env.workspace, retry.session_id).await.unwrap().trigger.to_string(), "retry");
        assert_eq!(env.store.script(env.workspace, retry.script_id).await.unwrap().version(), "1.1");
        assert_eq!(env.lines("out/rows.csv"), ["m1"], "the row is not written again");
        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
        let payloads = env.state(workflow, "seen").await;
        assert_eq!(payloads["payloads"][0]["status"], json!("applied"), "next saw what really happened: {payloads}");
        assert!(payloads["payloads"][0]["result"].is_object(), "with the original result: {payloads}");
        let output = env.outputs(workflow).await.remove(0);
        assert_eq!(output.inputs, [env.inputs(workflow).await[0].id], "the output is still linked to its input");
        assert_eq!(env.inputs(workflow).await[0].status, InputStatus::Done);
    }

    async fn a_failing_next_leaves_no_events_behind(env: TestEnv) {
        let publishes_then_throws = PUBLISH.replace("return {", "throw new Error('late'); return {");
        let workflow = env.deploy("rows", &row("", APPEND, &publishes_then_throws)).await;

        env.run_until_idle().await;

        assert!(env.events(workflow, "rows").await.is_empty());
    }

    async fn a_failing_producer_leaves_nothing_behind(env: TestEnv) {
        let broken = row("", APPEND, PUBLISH).replace("payload: {}, inputId } });", "payload: {}, inputId } }); throw new Error('late');");
        let workflow = env.deploy("rows", &broken).await;

        env.run_until_idle().await;

        let failed = env.runs(workflow).await.pop().unwrap();
        assert_eq!((failed.handler.as_str(), failed.status), ("poll", Status::FailedLogic));
        assert!(env.inputs(workflow).await.is_empty());
        assert!(env.events(workflow, "mails").await.is_empty());
    }

    async fn an_error_that_a_script_throws_is_the_scripts_whatever_it_says(env: TestEnv) {
        let speaks_of_others = r#"throw new Error("401 Unauthorized: invalid_grant, ECONNREFUSED, EACCES");"#;
        let workflow = env.deploy("rows", &row(speaks_of_others, APPEND, PUBLISH)).await;

        env.run_until_idle().await;

        let failed = env.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedLogic).unwrap();
        assert_eq!(failed.error_class, Some(FailureClass::Logic));
        assert_eq!(env.statuses(workflow, "mails").await, ["parked"]);
    }

    async fn what_a_request_keeps_secret_is_told_nowhere(env: TestEnv) {
        const SECRET: &str = "Bearer f7d1-of-the-test";
        env.server.answer("rows", 401, &format!("`{SECRET}` has expired"));
        let post = format!(r#"await Http.post({{ url: "$URL/rows?key={SECRET}", headers: {{ authorization: "{SECRET}" }} }});"#);
        let workflow = env.deploy("rows", &row("", &post, PUBLISH)).await;

        env.run_until_idle().await;

        let stopped = env.workflow(workflow).await;
        let run = env.store.run(env.workspace, stopped.stopped_by_run_id.unwrap()).await.unwrap();
        let session = env.store.session(env.workspace, run.session_id).await.unwrap();
        let output = env.outputs(workflow).await.remove(0);
        let notices = env.notices(workflow).await;
        let journal = env.store.all_journal(env.workspace, workflow).await.unwrap();
        let told = format!(
            "{:?} {:?} {:?} {:?} {:?} {notices:?} {journal:?} {:?}",
            stopped.error, run.error, session.error, output.error, output.target, env.log(run.id).await,
        );
        assert!(told.contains("has expired"), "{told}");
        assert!(!told.contains("f7d1"), "{told}");
        assert!(notices[0].body.contains("(`http 127.0.0.1`)"), "the service is named: {notices:?}");
    }

    async fn a_flaky_network_is_retried_with_growing_pauses_and_then_asks_a_person(env: TestEnv) {
        // Nobody listens on port 1.
        let workflow = env.deploy("rows", &row(r#"await Http.get({ url: "http://127.0.0.1:1/x" });"#, APPEND, PUBLISH)).await;
        env.run_until_idle().await;
        let mut pauses = Vec::new();
        while let Some(until) = env.workflow(workflow).await.backoff_until {
            let pause = until.since(windlass_core::Clock::now(&*env.clock));
            pauses.push(pause.as_secs());
            assert_eq!(env.statuses(workflow, "mails").await, ["pending"], "before its effect a run gives its events back");
            env.run_after(pause).await;
            if env.workflow(workflow).await.error.is_some() {
                break;
            }
        }

        assert_eq!(pauses, [10, 20, 40, 80, 160]);
        let blocked = env.workflow(workflow).await;
        assert_eq!(blocked.error_class, Some(FailureClass::Network));
        let error = blocked.error.unwrap();
        assert!(error.contains("127.0.0.1"), "{error}");
    }

    async fn a_network_that_recovers_clears_the_count(env: TestEnv) {
        env.server.answer("feed", 503, "busy");
        let workflow = env.deploy("rows", &row(r#"await Http.get({ url: "$URL/feed" });"#, APPEND, PUBLISH)).await;
        env.run_until_idle().await;
        env.run_after(Duration::from_secs(10)).await;
        assert_eq!(env.workflow(workflow).await.transient_failures, 2);

        env.server.answer("feed", 200, "ok");
        env.run_after(Duration::from_secs(20)).await;

        let recovered = env.workflow(workflow).await;
        assert_eq!((recovered.transient_failures, recovered.backoff_until, recovered.error), (0, None, None));
        assert_eq!(env.lines("out/rows.csv"), ["m1"]);
    }

    async fn missing_credentials_stop_the_workflow_and_a_resume_goes_on(env: TestEnv) {
        env.server.answer("feed", 401, "who are you");
        let workflow = env.deploy("rows", &row(r#"await Http.get({ url: "$URL/feed" });"#, APPEND, PUBLISH)).await;
        env.run_until_idle().await;
        let stopped = env.workflow(workflow).await;
        assert_eq!(stopped.error_class, Some(FailureClass::Auth));
        assert_eq!(stopped.status.to_string(), "active", "the person's control is the person's");
        let unresolved = env.store.all_notifications(stopped.workspace_id).await.unwrap();
        assert_eq!(unresolved.iter().filter(|known| known.resolved_at.is_none()).count(), 1);

        env.server.answer("feed", 200, "ok");
        env.control(workflow, Action::Resume).await;
        env.run_until_idle().await;

        assert_eq!(env.lines("out/rows.csv"), ["m1"]);
        let notifications = env.store.all_notifications(stopped.workspace_id).await.unwrap();
        assert!(notifications.iter().all(|known| known.resolved_at.is_some()));
    }

    async fn a_definite_refusal_is_no_doubt_and_parks_the_event(env: TestEnv) {
        env.server.answer("rows", 422, "no");
        let workflow = env.deploy("rows", &row("", r#"await Http.post({ url: "$URL/rows", body: {} });"#, PUBLISH)).await;

        env.run_until_idle().await;

        assert_eq!(env.outputs(workflow).await[0].status, MutationStatus::Failed);
        assert_eq!(env.statuses(workflow, "mails").await, ["parked"]);
        let seen = env.workflow(workflow).await;
        assert_eq!((seen.maintenance, seen.error), (false, None), "the workflow continues with the others");
    }

    async fn a_lost_answer_is_a_question_and_did_not_happen_begins_from_scratch(env: TestEnv) {
        env.server.answer("rows", 504, "gateway timeout");
        let workflow = env.deploy("rows", &row("", r#"await Http.post({ url: "$URL/rows", body: {} });"#, PUBLISH)).await;
        env.run_until_idle().await;
        let doubtful = env.outputs(workflow).await.remove(0);
        assert_eq!(doubtful.status, MutationStatus::Indeterminate);
        assert_eq!(env.statuses(workflow, "mails").await, ["reserved"]);
        env.run_after(Duration::from_secs(3_600)).await;
        assert_eq!(env.server.requests("rows"), 1, "nothing is sent again while nobody knows");

        env.server.answer("rows", 200, "ok");
        let resolution = Resolution::DidNotHappen;
        let params = ResolveMutation { workspace: env.workspace, mutation: doubtful.id, resolution, actor: "me".to_owned(), reason: None };
        env.store.resolve_mutation(params).await.unwrap();
        env.run_until_idle().await;

        assert_eq!(env.server.requests("rows"), 2);
        let statuses: Vec<_> = env.outputs(workflow).await.iter().map(|output| output.status).collect();
        assert_eq!(statuses, [MutationStatus::Failed, MutationStatus::Applied]);
        assert_eq!(env.events(workflow, "mails").await[0].attempt_number, 2);
    }

    async fn a_skipped_doubt_runs_next_once_with_skipped(env: TestEnv) {
        env.server.answer("rows", 504, "gateway timeout");
        let workflow = env.deploy("rows", &row("", r#"await Http.post({ url: "$URL/rows", body: {} });"#, PUBLISH)).await;
        env.run_until_idle().await;
        let doubtful = env.outputs(workflow).await.remove(0);

        let params = ResolveMutation { workspace: env.workspace, mutation: doubtful.id, resolution: Resolution::Skip, actor: "me".to_owned(), reason: Some("known".to_owned()) };
        env.store.resolve_mutation(params).await.unwrap();
        env.run_until_idle().await;

        assert_eq!(env.server.requests("rows"), 1);
        assert_eq!(env.statuses(workflow, "mails").await, ["skipped"]);
        assert_eq!(env.state(workflow, "seen").await, json!({"payloads": [{"status": "skipped"}]}));
        let row_event = env.events(workflow, "rows").await.remove(0);
        let published_by = env.store.run(env.workspace, row_event.created_by_run_id).await.unwrap();
        assert!(published_by.retry_of.is_some(), "next ran in a run of its own");
    }

    async fn an_unanswered_port_before_sending_never_asks_whether_it_happened(env: TestEnv) {
        let workflow = env.deploy("rows", &row("", r#"await Http.post({ url: "http://127.0.0.1:1/rows", body: {} });"#, PUBLISH)).await;

        env.run_until_idle().await;

        assert_eq!(env.outputs(workflow).await[0].status, MutationStatus::Failed);
        assert!(env.workflow(workflow).await.backoff_until.is_some(), "the network is tried again");
    }
}
