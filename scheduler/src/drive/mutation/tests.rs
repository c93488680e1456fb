//! The result of a request, whatever its tool does.

use async_trait::async_trait;
use windlass_core::Timestamp;

use super::*;
use crate::fake_call;
use crate::tool::{Effect, ToolSpec};

/// What the call does.
#[derive(Debug, Clone, Copy)]
enum CallBehaviour {
    Answer,
    Fail(Sent),
    AskToWait,
    Hang,
    Panic,
}

/// Whether the call passes its commit point before it does that.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Passing {
    Passes,
    StopsBefore,
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
    passing: Passing,
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

    async fn mutate(&self, call: MutationCall) -> Result<Value, ToolError> {
        if self.passing == Passing::Passes {
            call.point.pass()?;
        }
        match self.call {
            CallBehaviour::Answer => Ok(json!("done")),
            CallBehaviour::Fail(sent) => Err(ToolError { failure: Failure::network("lost"), sent }),
            CallBehaviour::AskToWait => {
                let now = Timestamp::from_micros(0);
                let failure = Failure::network("busy").asked_to_wait(Duration::from_secs(60), now);
                Err(ToolError { failure, sent: Sent::Maybe })
            }
            CallBehaviour::Hang => std::future::pending().await,
            CallBehaviour::Panic => panic!("the tool fell over"),
        }
    }

    fn can_look_up(&self, _input: &Value) -> bool {
        self.lookup.is_some()
    }

    async fn reconcile(&self, _call: MutationCall) -> LookupResult {
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

/// The result of a request that passes its commit point, in words.
async fn result_of(call: CallBehaviour, lookup: Option<LookupBehaviour>) -> String {
    make(call, Passing::Passes, lookup, true).await.0
}

/// The result of a request in words, and whether it has passed its commit point, which lets it pass if `is_safe`.
async fn make(
    call: CallBehaviour,
    passing: Passing,
    lookup: Option<LookupBehaviour>,
    is_safe: bool,
) -> (String, bool) {
    let attempt = Attempt {
        tool: &Fake { spec: fake_call::spec(), call, passing, lookup },
        call: fake_call::call(Duration::from_secs(300)),
        key: fake_call::key(),
        place: None,
        key_age: KeyAge::new(Some(Duration::ZERO), BootInstant::now()),
        lookup_time_limit: Duration::from_secs(30),
    };
    let (result, was_passed) = attempt.make(move || is_safe).await;
    let words = match result {
        RequestResult::Applied { result, resolved_by } => {
            format!("applied {result} {resolved_by:?}")
        }
        RequestResult::Failed { failure, no_effect } => {
            format!("failed: {failure} {no_effect:?}")
        }
        RequestResult::InDoubt { failure, looked_up } => {
            format!("in doubt: {failure} {looked_up:?}")
        }
    };
    (words, was_passed)
}

#[tokio::test(start_paused = true)]
async fn an_answer_settles_it_and_a_definite_failure_does_too() {
    let looked_up = Some(LookupBehaviour::Unknown);

    assert_eq!(result_of(CallBehaviour::Answer, looked_up).await, r#"applied "done" None"#);
    assert_eq!(result_of(CallBehaviour::Fail(Sent::No), looked_up).await, "failed: lost Refused");
    assert_eq!(
        result_of(CallBehaviour::Fail(Sent::Yes), looked_up).await,
        r#"applied {"unreadable":"lost"} None"#
    );
}

#[tokio::test(start_paused = true)]
async fn who_asks_to_wait_is_not_asked_at_once_what_became_of_the_request() {
    let result = result_of(CallBehaviour::AskToWait, Some(LookupBehaviour::Applied)).await;

    let said = "busy; the server asked to wait until 1970-01-01 00:01:00 UTC";
    assert_eq!(result, format!("in doubt: {said} None"));
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
            (Some(LookupBehaviour::AbsentAfter(0)), format!("failed: {why} LookedUp")),
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

#[tokio::test(start_paused = true)]
async fn what_ends_before_its_commit_point_was_certainly_not_sent() {
    for (call, why) in [
        (CallBehaviour::Fail(Sent::No), "lost"),
        (CallBehaviour::Fail(Sent::Maybe), "lost"),
        (CallBehaviour::Hang, "nothing was sent within 300s"),
        (CallBehaviour::Panic, "`Fake.change` panicked: the tool fell over"),
    ] {
        let lookup = Some(LookupBehaviour::Applied);

        let (result, was_passed) = make(call, Passing::StopsBefore, lookup, true).await;

        assert_eq!((result, was_passed), (format!("failed: {why} Unsent"), false), "{call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_its_commit_point_refuses_was_not_sent() {
    let lookup = Some(LookupBehaviour::Unknown);

    let (result, _) = make(CallBehaviour::Answer, Passing::Passes, lookup, false).await;

    assert_eq!(result, format!("failed: {} Unsent", crate::commit_point::Refused));
}

#[tokio::test(start_paused = true)]
async fn an_effect_without_a_passed_commit_point_counts_and_is_told() {
    let forgetful = Passing::StopsBefore;

    let answered = make(CallBehaviour::Answer, forgetful, None, true).await;
    let unreadable = make(CallBehaviour::Fail(Sent::Yes), forgetful, None, true).await;

    assert_eq!(answered, (r#"applied "done" None"#.to_owned(), false));
    assert_eq!(unreadable, (r#"applied {"unreadable":"lost"} None"#.to_owned(), false));
}
