//! How long a request may be sent again to find out what became of it.

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::fake_call;
use crate::tool::{Effect, ToolSpec};

const KEPT: Age = Age::Span(Duration::from_secs(100));

/// A tool that sends its request again to look its effect up, after it has waited.
#[derive(Debug)]
struct Resending {
    spec: ToolSpec,
    keys_kept: Option<Age>,
    waits: Duration,
}

#[async_trait]
impl Tool for Resending {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        Effect::Mutation
    }

    fn can_look_up(&self, _input: &Value) -> bool {
        true
    }

    fn keys_kept(&self, _input: &Value) -> Option<Age> {
        self.keys_kept
    }

    async fn reconcile(&self, call: MutationCall) -> LookupResult {
        tokio::time::sleep(self.waits).await;
        match call.point.pass() {
            Ok(()) => LookupResult::Applied(json!("sent again")),
            Err(refused) => LookupResult::Unknown(refused.into()),
        }
    }
}

/// What a look-up comes to, where the key is so old and the tool waits for so long before it sends the request again.
async fn looked_up(keys_kept: Option<Age>, age: Option<u64>, waits: u64) -> LookupResult {
    let spec = fake_call::spec();
    let tool = Resending { spec, keys_kept, waits: Duration::from_secs(waits) };
    let (call, key) = (fake_call::call(Duration::from_secs(30)), fake_call::key());
    let age = KeyAge::new(age.map(Duration::from_secs), BootInstant::now());
    let sent = SentRequest { call, key, place: None, key_age: age };
    look_up(&tool, sent, || true).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_is_sent_again_while_its_key_is_known() {
    for (kept, age) in
        [(KEPT, Some(0)), (KEPT, Some(99)), (Age::Forever, Some(9_999)), (Age::Forever, None)]
    {
        let found = looked_up(Some(kept), age, 0).await;

        assert_eq!(found, LookupResult::Applied(json!("sent again")), "{kept} {age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_is_asked_at_once_when_the_key_may_be_forgotten() {
    for age in [Some(100), None] {
        let began = Instant::now();
        let found = looked_up(Some(KEPT), age, 10).await;

        let LookupResult::Impossible(failure) = found else { panic!("{found:?}") };
        assert!(failure.message.contains("which it keeps for 100s"), "{failure}");
        assert_eq!(began.elapsed(), Duration::ZERO, "the tool is not asked");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_when_the_key_grows_too_old_meanwhile() {
    let found = looked_up(Some(KEPT), Some(95), 10).await;

    assert!(matches!(found, LookupResult::Unknown(_)), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_does_not_say_how_long_keys_are_known_sends_nothing_again() {
    let found = looked_up(None, Some(0), 0).await;

    assert!(matches!(found, LookupResult::Unknown(_)), "{found:?}");
}
