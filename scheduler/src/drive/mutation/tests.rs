//! The result of a request, whatever its tool does.

use async_trait::async_trait;
use windlass_core::{Id, MutationId, RunId, Timestamp, WorkflowId, WorkspaceId};

use super::*;
use crate::tool::{Effect, ToolSpec};

/// What the call does.
#[derive(Debug, Clone, Copy)]
enum CallBehaviour {
    Answer,
    Fail(Sent),
    Hang,
    Panic,
}

/// What looking its effect up does.
#[derive(Debug, Clone, Copy)]
enum LookupBehaviour {
    Applied,
    AbsentAfter(u64),
    Unknown,
    Hang,
    Panic,
}

#[derive(Debug)]
struct Fake {
    spec: ToolSpec,
    call: CallBehaviour,
    lookup: Option<LookupBehaviour>,
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
        match self.call {
            CallBehaviour::Answer => Ok(json!("done")),
            CallBehaviour::Fail(sent) => Err(ToolError { failure: Failure::network("lost"), sent }),
            CallBehaviour::Hang => std::future::pending().await,
            CallBehaviour::Panic => panic!("the tool fell over"),
        }
    }

    fn can_look_up(&self, _input: &Value) -> bool {
        self.lookup.is_some()
    }

    async fn reconcile(&self, _call: ToolCall) -> LookupResult {
        match self.lookup {
            Some(LookupBehaviour::Applied) => LookupResult::Applied(json!("found")),
            Some(LookupBehaviour::AbsentAfter(seconds)) => {
                LookupResult::Absent { counts_after: Duration::from_secs(seconds) }
            }
            Some(LookupBehaviour::Unknown) | None => {
                LookupResult::Unknown(Failure::network("away"))
            }
            Some(LookupBehaviour::Hang) => std::future::pending().await,
            Some(LookupBehaviour::Panic) => panic!("the tool fell over again"),
        }
    }
}

/// The result of the request, in words.
async fn result_of(call: CallBehaviour, lookup: Option<LookupBehaviour>) -> String {
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
    match send(&Fake { spec, call, lookup }, request, Duration::from_secs(30)).await {
        RequestResult::Applied { result, resolved_by } => {
            format!("applied {result} {resolved_by:?}")
        }
        RequestResult::Failed { failure, resolved_by } => {
            format!("failed: {failure} {resolved_by:?}")
        }
        RequestResult::InDoubt { failure, looked_up } => {
            format!("in doubt: {failure} {looked_up:?}")
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_settles_it_and_a_definite_failure_does_too() {
    let looked_up = Some(LookupBehaviour::Unknown);

    assert_eq!(result_of(CallBehaviour::Answer, looked_up).await, r#"applied "done" None"#);
    assert_eq!(result_of(CallBehaviour::Fail(Sent::No), looked_up).await, "failed: lost None");
    assert_eq!(
        result_of(CallBehaviour::Fail(Sent::Yes), looked_up).await,
        r#"applied {"unreadable":"lost"} None"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_a_time_limit_and_a_panic_are_doubts_until_they_are_looked_up() {
    for (call, why) in [
        (CallBehaviour::Fail(Sent::Maybe), "lost"),
        (CallBehaviour::Hang, "no answer within 300s, after the request may have left"),
        (CallBehaviour::Panic, "`Fake.change` panicked: the tool fell over"),
    ] {
        let table = [
            (None, format!("in doubt: {why} None")),
            (Some(LookupBehaviour::Applied), r#"applied "found" Some(Reconciliation)"#.to_owned()),
            (Some(LookupBehaviour::AbsentAfter(0)), format!("failed: {why} Some(Reconciliation)")),
            (Some(LookupBehaviour::AbsentAfter(60)), format!("in doubt: {why} Some(60s)")),
            (Some(LookupBehaviour::Unknown), format!("in doubt: {why} Some(0ns)")),
            (Some(LookupBehaviour::Hang), format!("in doubt: {why} Some(0ns)")),
            (Some(LookupBehaviour::Panic), format!("in doubt: {why} Some(0ns)")),
        ];
        for (lookup, expected) in table {
            assert_eq!(result_of(call, lookup).await, expected, "{call:?}, {lookup:?}");
        }
    }
}
