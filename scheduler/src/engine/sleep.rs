//! How long an engine sleeps between two polls.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use windlass_core::ExponentialDelay;
use windlass_store::WakeUps;

use crate::error::EngineError;
use crate::lease::heartbeat_interval;

/// How long an engine waits after errors of the store in a row; it never stops trying.
const STORE_DELAY: ExponentialDelay =
    ExponentialDelay { first: Duration::from_millis(100), longest: Duration::from_secs(10) };

/// How long a worker without a free slot ignores wake-ups.
const FULL_DELAY: Duration = Duration::from_secs(1);

/// How long a worker that was told to stop waits for a look for work that is under way.
const STOP_POLL_TIME: Duration = Duration::from_secs(2);

/// Sleeps for `duration`, but no longer than from one heartbeat to the next. The store sends no wake-up when a lease ends: a worker that
/// polls this often knows of each lease before it ends. And if a wake-up is lost, work waits no longer than this.
pub(super) async fn sleep_for(duration: Option<Duration>, lease: Duration) {
    let longest = heartbeat_interval(lease);
    tokio::time::sleep(duration.map_or(longest, |duration| duration.min(longest))).await;
}

/// Is over some time after the worker was told to stop: so long it waits for a look for work that is under way.
pub(super) async fn stopped_for_long(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(STOP_POLL_TIME).await;
}

/// Waits for a wake-up. A worker without a free slot reacts later, because most wake-ups announce a run.
pub(super) async fn wake_up(wake_ups: &mut WakeUps, free_slots: u32) {
    if free_slots == 0 {
        tokio::time::sleep(FULL_DELAY).await;
    }
    wake_ups.wait().await;
}

/// Waits a little longer after each error of the store in a row.
#[derive(Debug, Default)]
pub(super) struct StoreBackoff {
    errors: u32,
}

impl StoreBackoff {
    /// How long to sleep after a poll.
    ///
    /// # Errors
    /// Those of the poll that waiting does not help.
    pub(super) fn after(
        &mut self,
        poll: Result<Option<Duration>, EngineError>,
    ) -> Result<Option<Duration>, EngineError> {
        let error = match poll {
            Ok(sleep) => {
                self.errors = 0;
                return Ok(sleep);
            }
            Err(EngineError::Store(error)) if error.is_transient() => error,
            Err(error) => return Err(error),
        };
        self.errors = self.errors.saturating_add(1);
        let delay = STORE_DELAY.after(self.errors);
        tracing::warn!(%error, "the store does not answer, trying again in {delay:?}");
        Ok(Some(delay))
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use async_trait::async_trait;
    use tokio::time::Instant;
    use windlass_core::{Clock as _, Id as _, LimitKey, Policy, Prices, SystemClock, WorkerId};
    use windlass_sandbox::Sandbox;
    use windlass_store::{
        ClaimFilter, Layer, LayeredStore, Options, SetLimit, SharedStore, WorkerInfo, WriteOutcome,
    };

    use super::super::{DEREGISTER_TIME, Engine};
    use super::*;
    use crate::parts::{EngineParts, MutationMode};
    use crate::registry::Registry;

    /// A store that answers nothing: its connections are open and dead.
    #[derive(Debug)]
    struct Silent;

    #[async_trait]
    impl Layer for Silent {
        async fn write<T: WriteOutcome>(
            &self,
            _method: &'static str,
            _call: impl Future<Output = windlass_store::Result<T>> + Send,
        ) -> windlass_store::Result<T> {
            pending().await
        }

        async fn read<T: Send>(
            &self,
            _method: &'static str,
            _call: impl Future<Output = windlass_store::Result<T>> + Send,
        ) -> windlass_store::Result<T> {
            pending().await
        }
    }

    /// A worker whose store answers nothing.
    fn deaf_engine(inner: SharedStore) -> Engine {
        windlass_sandbox::initialize_in_tests();
        let policy = Policy::default();
        let sandbox = Sandbox::start(windlass_sandbox::Options {
            limits: policy.script.clone(),
            functions: Vec::new(),
            max_threads: 1,
            cores: NonZeroUsize::MIN.get(),
        });
        let worker = WorkerInfo {
            id: WorkerId::mint(SystemClock.now()),
            host: "here".to_owned(),
            pid: 1,
            version: "0".to_owned(),
            slots: 1,
            filter: ClaimFilter::default(),
        };
        Engine::new(EngineParts {
            store: Arc::new(LayeredStore { inner, layer: Silent }),
            sandbox,
            registry: Arc::new(Registry::new(Vec::new()).unwrap()),
            policy,
            prices: Prices::default(),
            worker,
            mutation_mode: MutationMode::Execute,
            workers_dir: None,
            observer: None,
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_worker_stops_although_its_store_does_not_answer() {
        let store = windlass_store::open("sqlite::memory:", Options::default()).await.unwrap();
        let engine = deaf_engine(store);
        let shutdown = CancellationToken::new();
        tokio::time::pause();
        let began = Instant::now();
        let told = async {
            tokio::time::sleep(Duration::from_secs(300)).await;
            shutdown.cancel();
        };

        let (served, ()) = tokio::join!(engine.serve(shutdown.clone()), told);

        served.unwrap();
        let took = began.elapsed() - Duration::from_secs(300);
        assert!(took <= STOP_POLL_TIME + DEREGISTER_TIME + FULL_DELAY, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_without_wake_ups_polls_long_before_a_lease_ends() {
        let lease = Duration::from_secs(60);
        let began = Instant::now();

        sleep_for(None, lease).await;
        sleep_for(Some(Duration::from_secs(86_400)), lease).await;
        sleep_for(Some(Duration::from_secs(1)), lease).await;

        assert_eq!(began.elapsed(), Duration::from_secs(15 + 15 + 1));
    }

    #[tokio::test]
    async fn a_worker_without_a_free_slot_reacts_to_a_wake_up_a_second_later() {
        let store = windlass_store::open("sqlite::memory:", Options::default()).await.unwrap();
        let workspace = store.ensure_workspace("default").await.unwrap();
        let mut wake_ups = store.wake_ups();
        // Changing a limit sends a wake-up.
        let params = SetLimit {
            workspace,
            key: LimitKey::Connector("mail".to_owned()),
            limit: None,
            actor: "ann".to_owned(),
        };
        tokio::time::pause();

        for (free_slots, reacts_after) in [(0, FULL_DELAY), (1, Duration::ZERO)] {
            store.set_limit(params.clone()).await.unwrap();
            let sent_at = Instant::now();
            wake_up(&mut wake_ups, free_slots).await;

            // Tokio rounds up to the next millisecond.
            assert_eq!(sent_at.elapsed().as_secs(), reacts_after.as_secs());
        }
    }
}
