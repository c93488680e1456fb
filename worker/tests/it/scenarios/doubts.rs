//! Tools that leave it open whether their effect happened, and tools that only seem to.

use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Failure, FailureClass, LookupResult, MutationStatus, Policy, ResolvedBy, ScriptLimits, Sent,
    Status, WorkflowId,
};
use windlass_store::{Mutation, NotificationKind, Resolution, ResolveMutation};

use crate::scenarios::failures::{APPEND, PUBLISH, row};
use crate::scenarios::odd::Does;
use crate::scenarios::scenarios;
use crate::scenarios::workshop::Workshop;

const CHANGE: &str = r#"await Odd.change({ name: "it" });"#;

/// The workflow's one effect is a question to a person, and stays one.
async fn asks_once(shop: &Workshop, workflow: WorkflowId) -> Mutation {
    shop.work_after(Duration::from_secs(3_600)).await;
    let doubtful = shop.outputs(workflow).await.remove(0);
    let run = shop.store.run(shop.workspace, doubtful.handler_run_id).await.unwrap();
    assert_eq!(doubtful.status, MutationStatus::Indeterminate);
    assert_eq!(run.status, Status::PausedReconciliation);
    assert_eq!(shop.statuses(workflow, "mails").await, ["reserved"]);
    let seen = shop.workflow(workflow).await;
    assert_eq!((seen.maintenance, seen.pending_retry_run_id), (false, Some(run.id)));
    let notices = shop.notices(workflow).await;
    assert_eq!(
        notices.iter().map(|it| it.kind).collect::<Vec<_>>(),
        [NotificationKind::MutationInDoubt]
    );
    assert_eq!(shop.odd.n_calls("it"), 1, "it is not made again while nobody knows");
    doubtful
}

scenarios! {
    async fn a_tool_that_panics_in_a_mutation_leaves_a_question_and_its_worker_alive(shop: Workshop) {
        shop.odd.does("it", Does::Panic);
        let workflow = shop.deploy("panics", &row("", CHANGE, PUBLISH)).await;
        let other = shop.deploy("other", &row("", APPEND, PUBLISH)).await;

        shop.work().await;

        assert_eq!(shop.statuses(other, "mails").await, ["consumed"]);
        let doubtful = asks_once(&shop, workflow).await;
        let error = doubtful.error.clone().unwrap();
        assert!(error.contains("`Odd.change` panicked: the tool fell over"), "{error}");
        assert_eq!(doubtful.error_class, Some(FailureClass::Internal));
        shop.odd.does("it", Does::Well);
        let params = ResolveMutation { workspace: shop.workspace, mutation: doubtful.id, resolution: Resolution::DidNotHappen, actor: "me".to_owned(), reason: None };
        shop.store.resolve_mutation(params).await.unwrap();
        shop.work().await;
        assert_eq!(shop.statuses(workflow, "mails").await, ["consumed"]);
    }

    async fn a_tool_that_panics_in_a_look_is_a_failure_of_ours_and_leaves_its_worker_alive(shop: Workshop) {
        shop.odd.does("it", Does::Panic);
        let workflow = shop.deploy("panics", &row(r#"await Odd.look({ name: "it" });"#, APPEND, PUBLISH)).await;
        let other = shop.deploy("other", &row("", APPEND, PUBLISH)).await;

        shop.work().await;

        assert_eq!(shop.statuses(other, "mails").await, ["consumed"]);
        let run = shop.runs(workflow).await.into_iter().find(|run| run.status == Status::FailedInternal).unwrap();
        assert!(run.error.unwrap().contains("the tool fell over"));
        assert_eq!(shop.notices(workflow).await[0].kind, NotificationKind::Error);
        assert_eq!(shop.statuses(workflow, "mails").await, ["pending"]);
    }

    async fn a_tool_that_never_answers_a_mutation_leaves_a_question(shop: Workshop) {
        let script = ScriptLimits { wall_time_ms: 300, ..ScriptLimits::default() };
        let shop = shop.restarted(Policy { script, ..Policy::default() }).await;
        shop.odd.does("it", Does::Hang);
        let workflow = shop.deploy("hangs", &row("", CHANGE, PUBLISH)).await;

        shop.work().await;

        let doubtful = asks_once(&shop, workflow).await;
        assert_eq!(doubtful.error_class, Some(FailureClass::Network));
        assert!(doubtful.error.unwrap().contains("no answer within 300ms"));
    }

    async fn an_answer_of_the_wrong_shape_is_said_and_the_effect_stands(shop: Workshop) {
        shop.odd.does("it", Does::Answer(json!({"surprise": 1})));
        let workflow = shop.deploy("surprise", &row("", CHANGE, PUBLISH)).await;

        shop.work_after(Duration::from_secs(600)).await;

        let applied = shop.outputs(workflow).await.remove(0);
        assert_eq!((applied.status, applied.result), (MutationStatus::Applied, Some(json!({"surprise": 1}))));
        assert_eq!(shop.statuses(workflow, "mails").await, ["consumed"]);
        let expected = json!({"payloads": [{"status": "applied", "result": {"surprise": 1}}]});
        assert_eq!(shop.state(workflow, "seen").await, expected);
        assert_eq!(shop.odd.n_calls("it"), 1);
        let log = shop.log(applied.handler_run_id).await.join("\n");
        assert!(log.contains("the answer of `Odd.change` is not what the tool promises"), "{log}");
    }

    async fn a_failure_after_the_effect_does_not_undo_it(shop: Workshop) {
        shop.odd.does("it", Does::Fail(Failure::internal("the answer cannot be read"), Sent::Yes));
        let workflow = shop.deploy("unreadable", &row("", CHANGE, PUBLISH)).await;

        shop.work_after(Duration::from_secs(600)).await;

        let applied = shop.outputs(workflow).await.remove(0);
        assert_eq!(applied.status, MutationStatus::Applied);
        assert_eq!(applied.result, Some(json!({"unreadable": "the answer cannot be read"})));
        assert_eq!(shop.statuses(workflow, "mails").await, ["consumed"]);
        assert_eq!(shop.odd.n_calls("it"), 1);
    }

    async fn an_effect_in_doubt_is_looked_up_across_restarts_until_it_is_found(shop: Workshop) {
        let in_vain = || LookupResult::Unknown(Failure::network("the line is down"));
        shop.odd.does("it", Does::Fail(Failure::network("the answer was lost"), Sent::Maybe));
        shop.odd.sees("it", [in_vain(), in_vain(), LookupResult::Applied(json!({"done": true}))]);
        let workflow = shop.deploy("found", &row("", CHANGE, PUBLISH)).await;
        shop.work().await;
        let looked_up = shop.outputs(workflow).await.remove(0);
        assert_eq!((looked_up.status, looked_up.reconcile_attempts), (MutationStatus::NeedsReconcile, 1));
        assert_eq!(shop.notices(workflow).await, [], "nobody has to act yet");

        let shop = shop.restarted(Policy::default()).await;
        shop.work_after(Duration::from_secs(10)).await;
        assert_eq!(shop.outputs(workflow).await[0].reconcile_attempts, 2);
        assert_eq!(shop.statuses(workflow, "mails").await, ["reserved"]);
        shop.work_after(Duration::from_secs(20)).await;

        let found = shop.outputs(workflow).await.remove(0);
        assert_eq!((found.status, found.resolved_by), (MutationStatus::Applied, Some(ResolvedBy::Reconciliation)));
        assert_eq!(shop.statuses(workflow, "mails").await, ["consumed"]);
        let expected = json!({"payloads": [{"status": "applied", "result": {"done": true}}]});
        assert_eq!(shop.state(workflow, "seen").await, expected);
        assert_eq!((shop.odd.n_calls("it"), shop.outputs(workflow).await.len()), (1, 1));
    }
}
