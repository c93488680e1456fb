//! What a request comes to, whatever its tool does.

use async_trait::async_trait;
use windlass_core::{Id, MutationId, RunId, Timestamp, WorkflowId, WorkspaceId};

use super::*;
use crate::tool::{Effect, ToolSpec};

/// What the call does.
#[derive(Debug, Clone, Copy)]
enum Does {
    Answer,
    Fail(Sent),
    Hang,
    Panic,
}

/// What looking its effect up does.
#[derive(Debug, Clone, Copy)]
enum Sees {
    Effect,
    NoneAfter(u64),
    Nothing,
    Hang,
    Panic,
}

#[derive(Debug)]
struct Fake {
    spec: ToolSpec,
    does: Does,
    sees: Option<Sees>,
}

#[async_trait]
impl Tool for Fake {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        Effect::Mutation
    }

    async fn call(&self, _call: ToolCall) -> Result<Value, ToolError> {
        match self.does {
            Does::Answer => Ok(json!("done")),
            Does::Fail(sent) => Err(ToolError { failure: Failure::network("lost"), sent }),
            Does::Hang => std::future::pending().await,
            Does::Panic => panic!("the tool fell over"),
        }
    }

    fn can_look_up(&self, _input: &Value) -> bool {
        self.sees.is_some()
    }

    async fn reconcile(&self, _call: ToolCall) -> LookupResult {
        match self.sees {
            Some(Sees::Effect) => LookupResult::Applied(json!("found")),
            Some(Sees::NoneAfter(seconds)) => {
                LookupResult::Absent { counts_after: Duration::from_secs(seconds) }
            }
            Some(Sees::Nothing) | None => LookupResult::Unknown(Failure::network("away")),
            Some(Sees::Hang) => std::future::pending().await,
            Some(Sees::Panic) => panic!("the tool fell over again"),
        }
    }
}

/// What becomes of the request, in words.
async fn fate(does: Does, sees: Option<Sees>) -> String {
    let spec = ToolSpec {
        namespace: "Fake".to_owned(),
        method: "change".to_owned(),
        docs: String::new(),
        input: json!({}),
        output: json!({}),
        input_types: Vec::new(),
    };
    let now = Timestamp::from_micros(0);
    let request = ToolCall {
        input: json!({}),
        workspace: WorkspaceId::mint(now),
        workflow: WorkflowId::mint(now),
        workflow_name: "fake".to_owned(),
        run: RunId::mint(now),
        mutation: Some(MutationKey { id: MutationId::mint(now), idempotency_key: String::new() }),
        time_limit: Duration::from_secs(300),
    };
    match send(&Fake { spec, does, sees }, request, Duration::from_secs(30)).await {
        Settled::Applied { result, resolved_by } => format!("applied {result} {resolved_by:?}"),
        Settled::Failed { failure, resolved_by } => format!("failed: {failure} {resolved_by:?}"),
        Settled::InDoubt { failure, looked_up } => format!("in doubt: {failure} {looked_up:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_settles_it_and_a_definite_failure_does_too() {
    let looked_up = Some(Sees::Nothing);

    assert_eq!(fate(Does::Answer, looked_up).await, r#"applied "done" None"#);
    assert_eq!(fate(Does::Fail(Sent::No), looked_up).await, "failed: lost None");
    assert_eq!(
        fate(Does::Fail(Sent::Yes), looked_up).await,
        r#"applied {"unreadable":"lost"} None"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_a_time_limit_and_a_panic_are_doubts_until_they_are_looked_up() {
    for (does, why) in [
        (Does::Fail(Sent::Maybe), "lost"),
        (Does::Hang, "no answer within 300s, after the request may have left"),
        (Does::Panic, "`Fake.change` panicked: the tool fell over"),
    ] {
        let table = [
            (None, format!("in doubt: {why} None")),
            (Some(Sees::Effect), r#"applied "found" Some(Reconciliation)"#.to_owned()),
            (Some(Sees::NoneAfter(0)), format!("failed: {why} Some(Reconciliation)")),
            (Some(Sees::NoneAfter(60)), format!("in doubt: {why} Some(60s)")),
            (Some(Sees::Nothing), format!("in doubt: {why} Some(0ns)")),
            (Some(Sees::Hang), format!("in doubt: {why} Some(0ns)")),
            (Some(Sees::Panic), format!("in doubt: {why} Some(0ns)")),
        ];
        for (sees, expected) in table {
            assert_eq!(fate(does, sees).await, expected, "{does:?}, {sees:?}");
        }
    }
}
