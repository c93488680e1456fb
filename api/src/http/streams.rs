//! Answers that go on for a while: how many of them a caller may hold, and when they end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use windlass_core::CredentialId;

use super::problem::Problem;

/// How many streams one caller may hold: as many pages as somebody looks at.
const MOST: u32 = 20;

/// The streams that are open, by caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<CredentialId, u32>>>);

/// The right to one open stream, given back when it is dropped.
#[derive(Debug)]
pub(super) struct StreamPermit {
    streams: Streams,
    caller: CredentialId,
}

impl Streams {
    /// One more stream for a caller.
    pub(super) fn open(&self, caller: CredentialId) -> Result<StreamPermit, Problem> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = open.entry(caller).or_insert(0);
        if *held >= MOST {
            let detail = format!("this caller holds {MOST} streams already");
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", detail);
            return Err(problem.hint("close one of them first"));
        }
        *held += 1;
        Ok(StreamPermit { streams: self.clone(), caller })
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut held) = open.entry(self.caller) {
            *held.get_mut() -= 1;
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::{Clock as _, Id as _, SystemClock};

    use super::*;

    #[test]
    fn a_caller_holds_so_many_streams_and_no_more() {
        let streams = Streams::default();
        let [ada, bob] = [1, 2].map(|_| CredentialId::mint(SystemClock.now()));
        let mut held: Vec<_> = (0..MOST).map(|_| streams.open(ada).unwrap()).collect();

        assert_eq!(streams.open(ada).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(streams.open(bob).is_ok());

        drop(held.pop());
        assert!(streams.open(ada).is_ok());
        drop(held);
        assert!(streams.0.lock().unwrap().is_empty(), "nothing is kept of those that are closed");
    }
}
