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
    async fn what_the_store_refuses_for_good_stops_the_workflow_before_its_effect(shop: Workshop) {
        let workflow = shop.deploy("rows", &row("", APPEND, PUBLISH)).await;
        let shop = shop.behind(Refuses("begin_mutation"));

        shop.work().await;
        shop.work_after(Duration::from_secs(900)).await;

        let stopped = shop.workflow(workflow).await;
        assert_eq!(stopped.error_class, Some(FailureClass::Internal));
        assert!(stopped.error.unwrap().contains("a page is torn"));
        assert_eq!(shop.statuses(workflow, "mails").await, ["pending"]);
        assert!(shop.lines("out/rows.csv").is_empty());
    }

    async fn what_the_store_refuses_for_good_after_an_effect_is_looked_up(shop: Workshop) {
        let keyed = APPEND.replace("line:", "key: prepared.data.id, line:");
        let workflow = shop.deploy("rows", &row("", &keyed, PUBLISH)).await;
        let shop = shop.behind(Refuses("apply_mutation"));

        shop.work().await;

        let mutation = shop.store.all_mutations(shop.workspace, workflow).await.unwrap().remove(0);
        assert_eq!(mutation.status, MutationStatus::Applied);
        assert_eq!(mutation.resolved_by, Some(ResolvedBy::Reconciliation));
        let runs = shop.runs(workflow).await;
        let made = runs.iter().find(|run| run.id == mutation.handler_run_id).unwrap();
        let session = shop.store.session(shop.workspace, made.session_id).await.unwrap();
        assert_eq!([mutation.cost, made.cost, session.cost], [250_000; 3], "who is found has its price");
        assert_eq!(runs.iter().map(|run| run.cost).sum::<i64>(), 250_000, "what continues it costs nothing");
        assert_eq!(shop.lines("out/rows.csv"), ["m1"]);
        assert_eq!(shop.statuses(workflow, "mails").await, ["consumed"]);
    }

    async fn a_next_that_throws_after_the_row_is_repaired_and_goes_on_with_the_row_that_is_there(shop: Workshop) {
        let broken = row("", APPEND, "throw new TypeError('next is broken');");
        let workflow = shop.deploy("rows", &broken).await;
        shop.work().await;
        let failed = shop.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedLogic).unwrap();
        assert_eq!((failed.phase, failed.mutation_outcome), (Phase::Emitting, Some(Outcome::Success)));
        assert!(failed.error.clone().unwrap().contains("next is broken"));
        assert!(shop.workflow(workflow).await.maintenance);
        assert_eq!(shop.statuses(workflow, "mails").await, ["reserved"]);
        shop.work_after(Duration::from_secs(900)).await;
        assert_eq!(shop.lines("out/rows.csv"), ["m1"], "a workflow that waits for its repair does nothing");

        shop.deploy_as("rows", &row("", APPEND, PUBLISH), Bump::Minor).await.unwrap();
        shop.work().await;

        let retry = shop.runs(workflow).await.into_iter().find(|run| run.retry_of == Some(failed.id)).unwrap();
        assert_eq!((retry.status, retry.prepare_result.clone()), (Status::Committed, failed.prepare_result.clone()));
        assert_eq!(shop.store.session(shop.workspace, retry.session_id).await.unwrap().trigger.to_string(), "retry");
        assert_eq!(shop.store.script(shop.workspace, retry.script_id).await.unwrap().version(), "1.1");
        assert_eq!(shop.lines("out/rows.csv"), ["m1"], "the row is not written again");
        assert_eq!(shop.statuses(workflow, "mails").await, ["consumed"]);
        let payloads = shop.state(workflow, "seen").await;
        assert_eq!(payloads["payloads"][0]["status"], json!("applied"), "next saw what really happened: {payloads}");
        assert!(payloads["payloads"][0]["result"].is_object(), "with the original result: {payloads}");
        let output = shop.outputs(workflow).await.remove(0);
        assert_eq!(output.inputs, [shop.inputs(workflow).await[0].id], "the output is still linked to its input");
        assert_eq!(shop.inputs(workflow).await[0].status, InputStatus::Done);
    }

    async fn a_failing_next_leaves_no_events_behind(shop: Workshop) {
        let publishes_then_throws = PUBLISH.replace("return {", "throw new Error('late'); return {");
        let workflow = shop.deploy("rows", &row("", APPEND, &publishes_then_throws)).await;

        shop.work().await;

        assert!(shop.events(workflow, "rows").await.is_empty());
    }

    async fn a_failing_producer_leaves_nothing_behind(shop: Workshop) {
        let broken = row("", APPEND, PUBLISH).replace("payload: {}, inputId } });", "payload: {}, inputId } }); throw new Error('late');");
        let workflow = shop.deploy("rows", &broken).await;

        shop.work().await;

        let failed = shop.runs(workflow).await.pop().unwrap();
        assert_eq!((failed.handler.as_str(), failed.status), ("poll", Status::FailedLogic));
        assert!(shop.inputs(workflow).await.is_empty());
        assert!(shop.events(workflow, "mails").await.is_empty());
    }

    async fn an_error_that_a_script_throws_is_the_scripts_whatever_it_says(shop: Workshop) {
        let speaks_of_others = r#"throw new Error("401 Unauthorized: invalid_grant, ECONNREFUSED, EACCES");"#;
        let workflow = shop.deploy("rows", &row(speaks_of_others, APPEND, PUBLISH)).await;

        shop.work().await;

        let failed = shop.runs(workflow).await.pop().unwrap();
        assert_eq!((failed.status, failed.error_class), (Status::FailedLogic, Some(FailureClass::Logic)));
        assert!(shop.workflow(workflow).await.maintenance);
    }

    async fn what_a_request_keeps_secret_is_told_nowhere(shop: Workshop) {
        const SECRET: &str = "Bearer f7d1-of-the-test";
        shop.outside.answer("rows", 401, &format!("`{SECRET}` has expired"));
        let post = format!(r#"await Http.post({{ url: "$URL/rows?key={SECRET}", headers: {{ authorization: "{SECRET}" }} }});"#);
        let workflow = shop.deploy("rows", &row("", &post, PUBLISH)).await;

        shop.work().await;

        let stopped = shop.workflow(workflow).await;
        let run = shop.store.run(shop.workspace, stopped.stopped_by_run_id.unwrap()).await.unwrap();
        let session = shop.store.session(shop.workspace, run.session_id).await.unwrap();
        let output = shop.outputs(workflow).await.remove(0);
        let notices = shop.notices(workflow).await;
        let journal = shop.store.all_journal(shop.workspace, workflow).await.unwrap();
        let told = format!(
            "{:?} {:?} {:?} {:?} {:?} {notices:?} {journal:?} {:?}",
            stopped.error, run.error, session.error, output.error, output.target, shop.log(run.id).await,
        );
        assert!(told.contains("has expired"), "{told}");
        assert!(!told.contains("f7d1"), "{told}");
        assert!(notices[0].body.contains("(`http 127.0.0.1`)"), "the service is named: {notices:?}");
    }

    async fn a_flaky_network_is_retried_with_growing_pauses_and_then_asks_a_person(shop: Workshop) {
        // Nobody listens on port 1.
        let workflow = shop.deploy("rows", &row(r#"await Http.get({ url: "http://127.0.0.1:1/x" });"#, APPEND, PUBLISH)).await;
        shop.work().await;
        let mut pauses = Vec::new();
        while let Some(until) = shop.workflow(workflow).await.backoff_until {
            let pause = until.since(windlass_core::Clock::now(&*shop.clock));
            pauses.push(pause.as_secs());
            assert_eq!(shop.statuses(workflow, "mails").await, ["pending"], "before its effect a run gives its events back");
            shop.work_after(pause).await;
            if shop.workflow(workflow).await.error.is_some() {
                break;
            }
        }

        assert_eq!(pauses, [10, 20, 40, 80, 160]);
        let blocked = shop.workflow(workflow).await;
        assert_eq!(blocked.error_class, Some(FailureClass::Network));
        let error = blocked.error.unwrap();
        assert!(error.contains("127.0.0.1"), "{error}");
    }

    async fn a_network_that_recovers_clears_the_count(shop: Workshop) {
        shop.outside.answer("feed", 503, "busy");
        let workflow = shop.deploy("rows", &row(r#"await Http.get({ url: "$URL/feed" });"#, APPEND, PUBLISH)).await;
        shop.work().await;
        shop.work_after(Duration::from_secs(10)).await;
        assert_eq!(shop.workflow(workflow).await.transient_failures, 2);

        shop.outside.answer("feed", 200, "ok");
        shop.work_after(Duration::from_secs(20)).await;

        let recovered = shop.workflow(workflow).await;
        assert_eq!((recovered.transient_failures, recovered.backoff_until, recovered.error), (0, None, None));
        assert_eq!(shop.lines("out/rows.csv"), ["m1"]);
    }

    async fn missing_credentials_stop_the_workflow_and_a_resume_goes_on(shop: Workshop) {
        shop.outside.answer("feed", 401, "who are you");
        let workflow = shop.deploy("rows", &row(r#"await Http.get({ url: "$URL/feed" });"#, APPEND, PUBLISH)).await;
        shop.work().await;
        let stopped = shop.workflow(workflow).await;
        assert_eq!(stopped.error_class, Some(FailureClass::Auth));
        assert_eq!(stopped.status.to_string(), "active", "the person's control is the person's");
        let unresolved = shop.store.all_notifications(stopped.workspace_id).await.unwrap();
        assert_eq!(unresolved.iter().filter(|known| known.resolved_at.is_none()).count(), 1);

        shop.outside.answer("feed", 200, "ok");
        shop.control(workflow, Action::Resume).await;
        shop.work().await;

        assert_eq!(shop.lines("out/rows.csv"), ["m1"]);
        let notifications = shop.store.all_notifications(stopped.workspace_id).await.unwrap();
        assert!(notifications.iter().all(|known| known.resolved_at.is_some()));
    }

    async fn a_definite_refusal_is_no_doubt_and_releases_the_event(shop: Workshop) {
        shop.outside.answer("rows", 422, "no");
        let workflow = shop.deploy("rows", &row("", r#"await Http.post({ url: "$URL/rows", body: {} });"#, PUBLISH)).await;

        shop.work().await;

        assert_eq!(shop.outputs(workflow).await[0].status, MutationStatus::Failed);
        assert_eq!(shop.statuses(workflow, "mails").await, ["pending"]);
        assert!(shop.workflow(workflow).await.maintenance, "a refused request is the script's fault");
    }

    async fn a_lost_answer_is_a_question_and_did_not_happen_begins_from_scratch(shop: Workshop) {
        shop.outside.answer("rows", 504, "gateway timeout");
        let workflow = shop.deploy("rows", &row("", r#"await Http.post({ url: "$URL/rows", body: {} });"#, PUBLISH)).await;
        shop.work().await;
        let doubtful = shop.outputs(workflow).await.remove(0);
        assert_eq!(doubtful.status, MutationStatus::Indeterminate);
        assert_eq!(shop.statuses(workflow, "mails").await, ["reserved"]);
        shop.work_after(Duration::from_secs(3_600)).await;
        assert_eq!(shop.outside.requests("rows"), 1, "nothing is sent again while nobody knows");

        shop.outside.answer("rows", 200, "ok");
        let resolution = Resolution::DidNotHappen;
        let params = ResolveMutation { workspace: shop.workspace, mutation: doubtful.id, resolution, actor: "me".to_owned(), reason: None };
        shop.store.resolve_mutation(params).await.unwrap();
        shop.work().await;

        assert_eq!(shop.outside.requests("rows"), 2);
        let statuses: Vec<_> = shop.outputs(workflow).await.iter().map(|output| output.status).collect();
        assert_eq!(statuses, [MutationStatus::Failed, MutationStatus::Applied]);
        assert_eq!(shop.events(workflow, "mails").await[0].attempt_number, 2);
    }

    async fn a_skipped_doubt_runs_next_once_with_skipped(shop: Workshop) {
        shop.outside.answer("rows", 504, "gateway timeout");
        let workflow = shop.deploy("rows", &row("", r#"await Http.post({ url: "$URL/rows", body: {} });"#, PUBLISH)).await;
        shop.work().await;
        let doubtful = shop.outputs(workflow).await.remove(0);

        let params = ResolveMutation { workspace: shop.workspace, mutation: doubtful.id, resolution: Resolution::Skip, actor: "me".to_owned(), reason: Some("known".to_owned()) };
        shop.store.resolve_mutation(params).await.unwrap();
        shop.work().await;

        assert_eq!(shop.outside.requests("rows"), 1);
        assert_eq!(shop.statuses(workflow, "mails").await, ["skipped"]);
        assert_eq!(shop.state(workflow, "seen").await, json!({"payloads": [{"status": "skipped"}]}));
        let row_event = shop.events(workflow, "rows").await.remove(0);
        let published_by = shop.store.run(shop.workspace, row_event.created_by_run_id).await.unwrap();
        assert!(published_by.retry_of.is_some(), "next ran in a run of its own");
    }

    async fn an_unanswered_port_before_sending_never_asks_whether_it_happened(shop: Workshop) {
        let workflow = shop.deploy("rows", &row("", r#"await Http.post({ url: "http://127.0.0.1:1/rows", body: {} });"#, PUBLISH)).await;

        shop.work().await;

        assert_eq!(shop.outputs(workflow).await[0].status, MutationStatus::Failed);
        assert!(shop.workflow(workflow).await.backoff_until.is_some(), "the network is tried again");
    }
}
