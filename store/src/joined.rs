//! Statements that are sent together, and what is said where one of them fails.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Result, StoreError};
use crate::postgres::is_consequence;

/// `futures::try_join!` for the parts of an operation: it polls them in the order in which they stand here, and of those that
/// fail it says why the first one did.
macro_rules! joined {
    ($($part:expr),+ $(,)?) => {{
        let parts = $crate::joined::Parts::default();
        futures::try_join!($(parts.part($part)),+)
    }};
}

pub(crate) use joined;

/// The parts of one join. PostgreSQL answers whatever is sent after the statement that failed with the bare word that the
/// transaction is aborted, and such an answer may be seen first: it waits for the others, of which one knows the reason.
#[derive(Default)]
pub(crate) struct Parts {
    /// How many have not come to an end.
    n_open: AtomicUsize,
    /// What one that waits for the others was answered.
    aborted: Mutex<Option<StoreError>>,
}

impl Parts {
    /// One of the parts; all are named before the first is polled.
    pub(crate) fn part<T: Send>(
        &self,
        part: impl Future<Output = Result<T>> + Send,
    ) -> impl Future<Output = Result<T>> + Send {
        self.n_open.fetch_add(1, Ordering::Relaxed);
        async {
            let answer = part.await;
            let is_last = self.n_open.fetch_sub(1, Ordering::Relaxed) == 1;
            match answer {
                Err(error) if !is_last && is_consequence(&error) => {
                    *self.aborted() = Some(error);
                    pending().await
                }
                Ok(answer) if is_last => self.aborted().take().map_or(Ok(answer), Err),
                answer => answer,
            }
        }
    }

    fn aborted(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.aborted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error};
    use tokio::task::yield_now;

    use super::*;

    fn refused(said: &str) -> StoreError {
        let said = Box::new(said.to_owned());
        StoreError::Database(Error::DatabaseError(DatabaseErrorKind::Unknown, said))
    }

    const CONSEQUENCE: &str =
        "current transaction is aborted, commands ignored until end of transaction block";

    async fn late(answer: Result<u8>) -> Result<u8> {
        yield_now().await;
        answer
    }

    #[tokio::test]
    async fn a_consequence_waits_for_its_reason() {
        let consequence = async { Err::<u8, _>(refused(CONSEQUENCE)) };

        let said = joined!(consequence, late(Ok(1)), late(Err(refused("no")))).unwrap_err();

        assert!(matches!(said, StoreError::Database(why) if why.to_string() == "no"));
    }

    #[tokio::test]
    async fn a_consequence_without_a_reason_is_told() {
        let consequence = async { Err::<u8, _>(refused(CONSEQUENCE)) };

        let said = joined!(consequence, late(Ok(1)), late(Ok(2))).unwrap_err();

        assert!(is_consequence(&said));
    }

    #[tokio::test]
    async fn what_all_answer_is_told() {
        assert_eq!(joined!(late(Ok(1)), async { Ok(2) }, late(Ok(3))).unwrap(), (1, 2, 3));
    }
}
