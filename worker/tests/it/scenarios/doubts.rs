//! Tools that leave it open whether their effect happened, and tools that only seem to.

use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Failure, FailureClass, LookupResult, MutationStatus, Policy, ResolvedBy, ScriptLimits, Sent,
    Status, WorkflowId,
};
use windlass_store::{Mutation, NotificationKind, Resolution, ResolveMutation};

use crate::scenarios::env::TestEnv;
use crate::scenarios::failures::{APPEND, PUBLISH, row};
use crate::scenarios::fake_tool::Behavior;
use crate::scenarios::scenarios;

const CHANGE: &str = r#"await FakeTool.change({ name: "it" });"#;

/// The workflow's one effect is a question to a person, and stays one.
async fn asks_once(env: &TestEnv, workflow: WorkflowId) -> Mutation {
    env.run_after(Duration::from_secs(3_600)).await;
    let doubtful = env.outputs(workflow).await.remove(0);
    let run = env.store.run(env.workspace, doubtful.handler_run_id).await.unwrap();
    assert_eq!(doubtful.status, MutationStatus::Indeterminate);
    assert_eq!(run.status, Status::PausedReconciliation);
    assert_eq!(env.statuses(workflow, "mails").await, ["reserved"]);
    let seen = env.workflow(workflow).await;
    assert_eq!((seen.maintenance, seen.pending_retry_run_id), (false, Some(run.id)));
    let notices = env.notices(workflow).await;
    assert_eq!(
        notices.iter().map(|it| it.kind).collect::<Vec<_>>(),
        [NotificationKind::MutationInDoubt]
    );
    assert_eq!(env.fake_tool.n_calls("it"), 1, "it is not made again while nobody knows");
    doubtful
}

scenarios! {
    async fn a_tool_that_panics_in_a_mutation_leaves_a_question_and_its_worker_alive(env: TestEnv) {
        env.fake_tool.set_behavior("it", Behavior::Panic);
        let workflow = env.deploy("panics", &row("", CHANGE, PUBLISH)).await;
        let other = env.deploy("other", &row("", APPEND, PUBLISH)).await;

        env.run_until_idle().await;

        assert_eq!(env.statuses(other, "mails").await, ["consumed"]);
        let doubtful = asks_once(&env, workflow).await;
        let error = doubtful.error.clone().unwrap();
        assert!(error.contains("`FakeTool.change` panicked: the tool fell over"), "{error}");
        assert_eq!(doubtful.error_class, Some(FailureClass::Internal));
        env.fake_tool.set_behavior("it", Behavior::Succeed);
        let params = ResolveMutation { workspace: env.workspace, mutation: doubtful.id, resolution: Resolution::DidNotHappen, actor: "me".to_owned(), reason: None };
        env.store.resolve_mutation(params).await.unwrap();
        env.run_until_idle().await;
        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
    }

    async fn a_tool_that_panics_in_a_look_is_a_failure_of_ours_and_leaves_its_worker_alive(env: TestEnv) {
        env.fake_tool.set_behavior("it", Behavior::Panic);
        let workflow = env.deploy("panics", &row(r#"await FakeTool.read({ name: "it" });"#, APPEND, PUBLISH)).await;
        let other = env.deploy("other", &row("", APPEND, PUBLISH)).await;

        env.run_until_idle().await;

        assert_eq!(env.statuses(other, "mails").await, ["consumed"]);
        let run = env.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedInternal).unwrap();
        assert!(run.error.unwrap().contains("the tool fell over"));
        assert_eq!(env.notices(workflow).await[0].kind, NotificationKind::Error);
        assert_eq!(env.statuses(workflow, "mails").await, ["pending"]);
    }

    async fn a_tool_that_never_answers_a_mutation_leaves_a_question(env: TestEnv) {
        let script = ScriptLimits { wall_time_ms: 300, ..ScriptLimits::default() };
        let env = env.restarted(Policy { script, ..Policy::default() }).await;
        env.fake_tool.set_behavior("it", Behavior::Hang);
        let workflow = env.deploy("hangs", &row("", CHANGE, PUBLISH)).await;

        env.run_until_idle().await;

        let doubtful = asks_once(&env, workflow).await;
        assert_eq!(doubtful.error_class, Some(FailureClass::Network));
        assert!(doubtful.error.unwrap().contains("no answer within 300ms"));
    }

    async fn an_answer_of_the_wrong_shape_is_said_and_the_effect_stands(env: TestEnv) {
        env.fake_tool.set_behavior("it", Behavior::Answer(json!({"surprise": 1})));
        let workflow = env.deploy("surprise", &row("", CHANGE, PUBLISH)).await;

        env.run_after(Duration::from_secs(600)).await;

        let applied = env.outputs(workflow).await.remove(0);
        assert_eq!((applied.status, applied.result), (MutationStatus::Applied, Some(json!({"surprise": 1}))));
        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
        let expected = json!({"payloads": [{"status": "applied", "result": {"surprise": 1}}]});
        assert_eq!(env.state(workflow, "seen").await, expected);
        assert_eq!(env.fake_tool.n_calls("it"), 1);
        let log = env.log(applied.handler_run_id).await.join("\n");
        assert!(log.contains("the answer of `FakeTool.change` is not what the tool promises"), "{log}");
    }

    async fn a_failure_after_the_effect_does_not_undo_it(env: TestEnv) {
        env.fake_tool.set_behavior("it", Behavior::Fail(Failure::internal("the answer cannot be read"), Sent::Yes));
        let workflow = env.deploy("unreadable", &row("", CHANGE, PUBLISH)).await;

        env.run_after(Duration::from_secs(600)).await;

        let applied = env.outputs(workflow).await.remove(0);
        assert_eq!(applied.status, MutationStatus::Applied);
        assert_eq!(applied.result, Some(json!({"unreadable": "the answer cannot be read"})));
        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
        assert_eq!(env.fake_tool.n_calls("it"), 1);
    }

    async fn lost_answers_that_are_found_out_at_once_stop_nothing(env: TestEnv) {
        let ids = ["m1", "m2", "m3", "m4", "m5", "m6"];
        let lost = || Behavior::Fail(Failure::network("the answer was lost"), Sent::Maybe);
        for id in ids {
            env.fake_tool.set_behavior(id, lost());
            env.fake_tool.set_lookups(id, [LookupResult::Applied(json!({"done": true}))]);
        }
        let each = format!("for (const messageId of {ids:?}) await Topics.publish({{ topic: \"mails\", event: {{ messageId,");
        let script = row("", r#"await FakeTool.change({ name: prepared.data.id });"#, PUBLISH)
            .replace(r#"await Topics.publish({ topic: "mails", event: { messageId: "m1","#, &each);
        let workflow = env.deploy("lossy", &script).await;

        env.run_until_idle().await;

        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"; 6]);
        assert_eq!(env.workflow(workflow).await.error, None);
    }

    async fn an_effect_in_doubt_is_looked_up_across_restarts_until_it_is_found(env: TestEnv) {
        let in_vain = || LookupResult::Unknown(Failure::network("the line is down"));
        env.fake_tool.set_behavior("it", Behavior::Fail(Failure::network("the answer was lost"), Sent::Maybe));
        env.fake_tool.set_lookups("it", [in_vain(), in_vain(), LookupResult::Applied(json!({"done": true}))]);
        let workflow = env.deploy("found", &row("", CHANGE, PUBLISH)).await;
        env.run_until_idle().await;
        let looked_up = env.outputs(workflow).await.remove(0);
        assert_eq!((looked_up.status, looked_up.reconcile_attempts), (MutationStatus::NeedsReconcile, 1));
        assert_eq!(env.notices(workflow).await, [], "nobody has to act yet");

        let env = env.restarted(Policy::default()).await;
        env.run_after(Duration::from_secs(10)).await;
        assert_eq!(env.outputs(workflow).await[0].reconcile_attempts, 2);
        assert_eq!(env.statuses(workflow, "mails").await, ["reserved"]);
        env.run_after(Duration::from_secs(20)).await;

        let found = env.outputs(workflow).await.remove(0);
        assert_eq!((found.status, found.resolved_by), (MutationStatus::Applied, Some(ResolvedBy::Reconciliation)));
        assert_eq!(env.statuses(workflow, "mails").await, ["consumed"]);
        let expected = json!({"payloads": [{"status": "applied", "result": {"done": true}}]});
        assert_eq!(env.state(workflow, "seen").await, expected);
        assert_eq!((env.fake_tool.n_calls("it"), env.outputs(workflow).await.len()), (1, 1));
    }
}
