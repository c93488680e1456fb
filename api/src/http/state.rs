//! What all handlers share.

use std::sync::Arc;

use chrono_tz::Tz;
use tokio_util::sync::CancellationToken;
use windlass_core::{Clock as _, SystemClock};
use windlass_scheduler::Registry;
use windlass_store::SharedStore;

use super::streams::Streams;
use crate::metrics::Metrics;
use crate::text::TimeFormat;

/// What a server is made of.
#[derive(Debug)]
pub struct ServerParts {
    /// Where everything is recorded.
    pub store: SharedStore,
    /// The tools, by which what a person says of an effect is checked.
    pub registry: Arc<Registry>,
    /// The zone of the times that are shown.
    pub zone: Tz,
    /// The names under which browsers and programs reach the server, besides `localhost` and addresses of this machine.
    pub hosts: Vec<String>,
    /// Whether people reach it over https, so that cookies are sent over nothing else.
    pub is_encrypted: bool,
    /// The numbers of this process.
    pub metrics: Arc<Metrics>,
    /// Ends the server, with the streams that are open.
    pub stop: CancellationToken,
}

/// What all handlers share.
#[derive(Debug, Clone)]
pub(crate) struct HttpState {
    parts: Arc<ServerParts>,
    streams: Streams,
}

impl HttpState {
    pub(crate) fn new(parts: ServerParts) -> Self {
        Self { parts: Arc::new(parts), streams: Streams::default() }
    }

    /// Where everything is recorded. Handlers go through [`Tenant`](super::caller::Tenant) instead.
    pub(crate) fn store(&self) -> &SharedStore {
        &self.parts.store
    }

    /// The tools.
    pub(crate) fn registry(&self) -> &Registry {
        &self.parts.registry
    }

    /// The names under which the server may be reached.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.parts.hosts
    }

    /// Whether people reach the server over https.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.parts.is_encrypted
    }

    /// Is cancelled when the server ends.
    pub(super) fn stop(&self) -> &CancellationToken {
        &self.parts.stop
    }

    /// The streams that are open.
    pub(super) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// The numbers of this process.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }

    /// How instants are worded at this moment.
    pub(crate) fn times(&self) -> TimeFormat {
        TimeFormat { zone: self.parts.zone, now: SystemClock.now() }
    }
}
