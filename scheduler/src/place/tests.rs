use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::json;
use windlass_core::LookupResult;

use super::*;
use crate::boot_instant::BootInstant;
use crate::fake_call;
use crate::lookup::{KeyAge, SentRequest, look_up};
use crate::tool::{Effect, MutationCall, ToolSpec};

/// A tool whose place changes, and that finds what it is told to find.
#[derive(Debug)]
struct Moving {
    spec: ToolSpec,
    /// The places that are seen one after the other. The last one stays.
    places: Mutex<VecDeque<Result<Option<Place>, Failure>>>,
    found: LookupResult,
    n_lookups: Mutex<usize>,
}

#[async_trait]
impl Tool for Moving {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effect(&self, _input: &Value) -> Effect {
        Effect::Mutation
    }

    async fn place(&self, _input: &Value) -> Result<Option<Place>, Failure> {
        let mut places = self.places.lock().unwrap();
        if places.len() > 1 { places.pop_front().unwrap() } else { places[0].clone() }
    }

    fn can_look_up(&self, _input: &Value) -> bool {
        true
    }

    async fn reconcile(&self, _call: MutationCall) -> LookupResult {
        *self.n_lookups.lock().unwrap() += 1;
        self.found.clone()
    }
}

fn folder(number: u32) -> Place {
    Place::new("folder `out`".to_owned(), &json!(number))
}

fn absent() -> LookupResult {
    LookupResult::Absent { counts_after: Duration::ZERO }
}

fn applied() -> LookupResult {
    LookupResult::Applied(json!("found"))
}

/// What a look-up of an effect in `recorded` proves to a worker that sees these places, and how often its tool was asked.
async fn looked_up(
    recorded: Option<Place>,
    seen: impl IntoIterator<Item = Result<Option<Place>, Failure>>,
    found: LookupResult,
) -> (LookupResult, usize) {
    let places = Mutex::new(seen.into_iter().collect());
    let spec = fake_call::spec();
    let tool = Moving { spec, places, found, n_lookups: Mutex::default() };
    let (call, key) = (fake_call::call(Duration::from_secs(30)), fake_call::key());
    let recorded = recorded.map(|place| place.identity);
    let key_age = KeyAge::new(Some(Duration::ZERO), BootInstant::now());
    let sent = SentRequest { call, key, place: recorded, key_age };
    let found = look_up(&tool, sent, || true).await.unwrap();
    let n_lookups = *tool.n_lookups.lock().unwrap();
    (found, n_lookups)
}

fn unproved(looked_up: (LookupResult, usize)) -> (String, usize) {
    let (LookupResult::Unknown(failure), n_lookups) = looked_up else { panic!("{looked_up:?}") };
    (failure.message, n_lookups)
}

#[tokio::test]
async fn what_is_found_in_the_same_place_counts() {
    for found in [absent(), applied()] {
        let same = looked_up(Some(folder(1)), [Ok(Some(folder(1)))], found.clone()).await;
        let everywhere = looked_up(None, [Ok(None)], found.clone()).await;

        assert_eq!((same, everywhere), ((found.clone(), 1), (found, 1)));
    }
}

#[tokio::test]
async fn nothing_is_looked_up_and_nothing_sent_again_elsewhere() {
    for found in [absent(), applied()] {
        let elsewhere = looked_up(Some(folder(1)), [Ok(Some(folder(2)))], found.clone()).await;
        let unrecorded = looked_up(None, [Ok(Some(folder(2)))], found.clone()).await;
        let nowhere = looked_up(Some(folder(1)), [Ok(None)], found.clone()).await;
        let missing = Err(Failure::internal("the folder is gone"));
        let unreadable = looked_up(Some(folder(1)), [missing], found).await;

        assert_eq!(
            unproved(elsewhere),
            ("this worker sees another folder `out` than the one in which the effect was to happen, so what it finds there proves nothing".to_owned(), 0)
        );
        assert_eq!(
            unproved(unrecorded),
            ("the ledger does not say in which folder `out` the effect was to happen, so what is found in this one proves nothing".to_owned(), 0)
        );
        assert_eq!(unproved(nowhere).1, 0);
        assert_eq!(unproved(unreadable), ("the folder is gone".to_owned(), 0));
    }
}

#[tokio::test]
async fn a_place_that_changes_during_the_look_up_proves_nothing() {
    let seen = [Ok(Some(folder(1))), Ok(Some(folder(2)))];

    let (why, n_lookups) = unproved(looked_up(Some(folder(1)), seen, absent()).await);

    assert!(why.starts_with("this worker sees another folder `out`"), "{why}");
    assert_eq!(n_lookups, 1);
}
