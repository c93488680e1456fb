//! Statements that are sent without waiting for one another's answers, and the error that is reported where one of them fails.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel::result::Error;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::error::{DatabaseError, Result, StoreError};

/// Runs several futures of one transaction at once, like `futures::try_join!`: it polls them in the order in which they are
/// written, and if any of them fail it returns the error of the one that failed first.
macro_rules! pipeline {
    ($($statement:expr),+ $(,)?) => {{
        let pipeline = $crate::pipeline::Pipeline::default();
        futures::try_join!($(pipeline.add($statement)),+)
    }};
}

pub(crate) use pipeline;

/// The statements of one pipeline.
///
/// PostgreSQL answers every statement that follows a failed one with "current transaction is aborted", and such an answer may
/// arrive first. A statement with this answer waits for the others, because one of them has the real error.
#[derive(Default)]
pub(crate) struct Pipeline {
    /// How many statements have not finished.
    n_running: AtomicUsize,
    /// The error of a statement that waits for the others.
    aborted: Mutex<Option<StoreError>>,
}

impl Pipeline {
    /// Adds a statement. All statements are added before the first one is polled. Boxed, so that the future of an operation does not
    /// grow with those of all its statements.
    pub(crate) fn add<'a, T: Send + 'a>(
        &'a self,
        statement: impl Future<Output = Result<T>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        self.n_running.fetch_add(1, Ordering::Relaxed);
        async {
            let answer = statement.await;
            let is_last = self.n_running.fetch_sub(1, Ordering::Relaxed) == 1;
            match answer {
                Err(error) if !is_last && is_aborted_transaction(&error) => {
                    *self.aborted() = Some(error);
                    pending().await
                }
                Ok(answer) if is_last => self.aborted().take().map_or(Ok(answer), Err),
                answer => answer,
            }
        }
        .boxed()
    }

    fn aborted(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.aborted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a statement was refused only because an earlier one of its transaction had failed.
fn is_aborted_transaction(error: &StoreError) -> bool {
    let StoreError::Database(DatabaseError(Error::DatabaseError(_, info))) = error else {
        return false;
    };
    info.message().starts_with("current transaction is aborted")
}

#[cfg(test)]
mod tests {
    use diesel::result::DatabaseErrorKind;
    use tokio::task::yield_now;

    use super::*;

    fn refused(message: &str) -> StoreError {
        let message = Box::new(message.to_owned());
        StoreError::from_diesel(Error::DatabaseError(DatabaseErrorKind::Unknown, message))
    }

    const ABORTED: &str =
        "current transaction is aborted, commands ignored until end of transaction block";

    async fn delayed(answer: Result<u8>) -> Result<u8> {
        yield_now().await;
        answer
    }

    #[tokio::test]
    async fn an_aborted_statement_waits_for_the_error_that_aborted_it() {
        let aborted = async { Err::<u8, _>(refused(ABORTED)) };

        let error = pipeline!(aborted, delayed(Ok(1)), delayed(Err(refused("no")))).unwrap_err();

        assert!(matches!(error, StoreError::Database(why) if why.to_string() == "no"));
    }

    #[tokio::test]
    async fn without_another_error_the_aborted_statement_is_reported() {
        let aborted = async { Err::<u8, _>(refused(ABORTED)) };

        let error = pipeline!(aborted, delayed(Ok(1)), delayed(Ok(2))).unwrap_err();

        assert!(is_aborted_transaction(&error));
    }

    #[tokio::test]
    async fn all_answers_are_returned() {
        assert_eq!(pipeline!(delayed(Ok(1)), async { Ok(2) }, delayed(Ok(3))).unwrap(), (1, 2, 3));
    }
}
