//! One thread that stops the calls whose wall time is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::interrupt::{Interrupt, Stop};

/// Stops calls at their deadlines. It sleeps until the nearest one.
#[derive(Debug)]
pub(crate) struct Watchdog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    deadlines: Mutex<Deadlines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Deadlines {
    next: u64,
    by_time: BTreeMap<(Instant, u64), Weak<Interrupt>>,
    is_closed: bool,
}

/// A deadline that is set; dropping takes it away.
#[derive(Debug)]
pub(crate) struct Deadline<'a> {
    watchdog: &'a Watchdog,
    key: (Instant, u64),
}

/// The time that limits are measured with.
#[expect(
    clippy::disallowed_methods,
    reason = "a script's wall time is real time, whatever the Clock says"
)]
fn now() -> Instant {
    Instant::now()
}

impl Watchdog {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let shared = Arc::new(Shared { deadlines: Mutex::default(), changed: Condvar::new() });
        let watched = Arc::clone(&shared);
        thread::Builder::new().name("script-watchdog".into()).spawn(move || watched.watch())?;
        Ok(Self(shared))
    }

    /// Stops `interrupt` after `time`, unless the deadline is dropped before.
    pub(crate) fn set(&self, time: Duration, interrupt: &Arc<Interrupt>) -> Deadline<'_> {
        let mut deadlines = self.0.lock();
        let key = (now() + time, deadlines.next);
        deadlines.next += 1;
        deadlines.by_time.insert(key, Arc::downgrade(interrupt));
        let is_nearest =
            deadlines.by_time.first_key_value().is_some_and(|(first, _)| *first == key);
        drop(deadlines);
        if is_nearest {
            self.0.changed.notify_one();
        }
        Deadline { watchdog: self, key }
    }
}

impl Deadline<'_> {
    /// Takes the deadline away and says how much time was left.
    pub(crate) fn pause(self) -> Duration {
        self.key.0.saturating_duration_since(now())
    }
}

impl Drop for Deadline<'_> {
    fn drop(&mut self) {
        self.watchdog.0.lock().by_time.remove(&self.key);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut deadlines = self.lock();
        while !deadlines.is_closed {
            let Some((at, _)) = deadlines.by_time.first_key_value().map(|(key, _)| *key) else {
                deadlines = self.changed.wait(deadlines).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = at.saturating_duration_since(now());
            if left.is_zero() {
                let due = deadlines.by_time.pop_first();
                if let Some(interrupt) = due.and_then(|(_, weak)| weak.upgrade()) {
                    interrupt.stop(Stop::Time);
                }
            } else {
                deadlines = self
                    .changed
                    .wait_timeout(deadlines, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
    }
}
