//! One thread that stops the calls whose wall time or processor time is over, or that need too much memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::call_control::{CallControl, StopReason};
use crate::halt;
use crate::memory::{self, Growth, MemoryLimits};
use crate::priority::ThreadId;

/// How long a stopped script may take to end, in milliseconds: its time limit, within this range. Some built-in functions of V8
/// cannot be interrupted.
const GRACE_MS: std::ops::RangeInclusive<u64> = 1_000..=10_000;

/// The same for a script that uses up the memory.
const MEMORY_GRACE_MS: u64 = 250;

/// How often memory is looked at while scripts run.
const MEMORY_INTERVAL: Duration = Duration::from_millis(50);

/// For how long a script keeps its core while other workspaces wait.
const CORE_TIME: Duration = Duration::from_millis(500);

/// How often it is tried to halt a thread. At some places that is not safe.
const HALT_INTERVAL: Duration = Duration::from_millis(2);

/// The processor time of a call is not looked at more often than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Stops calls at their deadlines. It sleeps until the nearest one.
#[derive(Debug)]
pub(crate) struct Watchdog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    deadlines: Mutex<Deadlines>,
    changed: Condvar,
}

/// When an action is due. The number distinguishes equal times.
type Key = (Instant, u64);

#[derive(Debug, Default)]
struct Deadlines {
    next: u64,
    by_time: BTreeMap<Key, (Weak<CallControl>, DueAction)>,
    /// When each deadline that is set is looked at next, by its number.
    looks: BTreeMap<u64, Instant>,
    /// The calls that have begun, by their numbers. Those that have ended are removed when memory is looked at next.
    calls: BTreeMap<u64, Weak<CallControl>>,
    is_closed: bool,
}

/// What is done at a deadline.
#[derive(Debug, Clone, Copy)]
enum DueAction {
    /// The call is looked at: its wall time is over at this instant, and its processor time may be over.
    Look(Instant),
    /// It was stopped for this reason, and still runs.
    Abandon(StopReason),
    /// It was abandoned, and its thread is not halted yet.
    Halt(ThreadId),
}

/// A deadline that is set. Dropping it removes the deadline.
#[derive(Debug)]
pub(crate) struct Deadline<'a> {
    watchdog: &'a Watchdog,
    number: u64,
    at: Instant,
}

/// The clock that limits are measured with.
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
    pub(crate) fn start(memory: MemoryLimits) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { deadlines: Mutex::default(), changed: Condvar::new() });
        let watched = Arc::clone(&shared);
        thread::Builder::new()
            .name("script-watchdog".into())
            .spawn(move || watched.watch(memory))?;
        Ok(Self(shared))
    }

    /// Stops the call after `time`, or when its processor time is used up, unless the deadline is dropped before.
    pub(crate) fn set(&self, time: Duration, call: &Arc<CallControl>) -> Deadline<'_> {
        let at = now() + time;
        let mut deadlines = self.0.lock();
        let number = deadlines.next_number();
        deadlines.look(number, at, call);
        deadlines.calls.entry(call.number).or_insert_with(|| Arc::downgrade(call));
        drop(deadlines);
        self.0.changed.notify_one();
        Deadline { watchdog: self, number, at }
    }

    /// Stops the call now, and abandons it if it does not end.
    pub(crate) fn stop(&self, call: &Arc<CallControl>, reason: StopReason) {
        self.0.stop(call, reason);
    }
}

impl Deadline<'_> {
    /// Removes the deadline and returns how much time was left.
    pub(crate) fn pause(self) -> Duration {
        self.at.saturating_duration_since(now())
    }
}

impl Drop for Deadline<'_> {
    fn drop(&mut self) {
        let mut deadlines = self.watchdog.0.lock();
        if let Some(look) = deadlines.looks.remove(&self.number) {
            deadlines.by_time.remove(&(look, self.number));
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl Deadlines {
    /// The calls that have begun and not ended.
    fn running(&mut self) -> Vec<Arc<CallControl>> {
        let is_running = |call: &Weak<CallControl>| call.upgrade().filter(|it| it.is_under_way());
        self.calls.retain(|_, call| is_running(call).is_some());
        self.calls.values().filter_map(is_running).collect()
    }

    const fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Looks at a call when its wall time is over, or earlier when its processor time may be over or it is to share its core.
    fn look(&mut self, number: u64, end: Instant, call: &Arc<CallControl>) {
        let left = call.processor_time_left().map(|left| left.clamp(SHORTEST_WAIT, CORE_TIME));
        let at = left.and_then(|left| now().checked_add(left)).map_or(end, |at| at.min(end));
        self.looks.insert(number, at);
        self.by_time.insert((at, number), (Arc::downgrade(call), DueAction::Look(end)));
    }
}

impl Shared {
    fn stop(&self, call: &Arc<CallControl>, reason: StopReason) {
        if call.stop(reason) {
            let limits = &call.limits;
            let grace = match reason {
                StopReason::Memory(_) => MEMORY_GRACE_MS,
                StopReason::Time | StopReason::Processor | StopReason::Cancelled => {
                    let grace = limits.time_ms.min(limits.cpu_time_ms);
                    grace.clamp(*GRACE_MS.start(), *GRACE_MS.end())
                }
            };
            let mut deadlines = self.lock();
            let key = (now() + Duration::from_millis(grace), deadlines.next_number());
            deadlines.by_time.insert(key, (Arc::downgrade(call), DueAction::Abandon(reason)));
            drop(deadlines);
            self.changed.notify_one();
        }
    }

    fn watch(&self, limits: MemoryLimits) {
        let mut growth = memory::usage().map(Growth::since);
        let mut next_look = now();
        let mut deadlines = self.lock();
        while !deadlines.is_closed {
            let nearest = deadlines.by_time.first_key_value().map(|(key, _)| key.0);
            let look = (growth.is_some() && !deadlines.calls.is_empty()).then_some(next_look);
            let left = nearest.into_iter().chain(look).min();
            let left = left.map(|at| at.saturating_duration_since(now()));
            deadlines = match left {
                None => self.changed.wait(deadlines).unwrap_or_else(PoisonError::into_inner),
                Some(left) if !left.is_zero() => {
                    let waited = self.changed.wait_timeout(deadlines, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) if look.is_some_and(|at| at <= now()) => {
                    let calls = deadlines.running();
                    drop(deadlines);
                    if let Some(growth) = &mut growth {
                        self.look_at_memory(growth, &calls, limits);
                    }
                    next_look = now() + MEMORY_INTERVAL;
                    self.lock()
                }
                Some(_) => {
                    let due = deadlines.by_time.pop_first();
                    drop(deadlines);
                    if let Some(((_, number), (call, due))) = due {
                        self.perform(number, &call, due);
                    }
                    self.lock()
                }
            };
        }
    }

    /// Stops the greediest call if there is too little memory.
    fn look_at_memory(
        &self,
        growth: &mut Growth,
        calls: &[Arc<CallControl>],
        limits: MemoryLimits,
    ) {
        let faults = |call: &Arc<CallControl>| Some((call.number, call.faults()?));
        let running: Vec<_> = calls.iter().filter_map(faults).collect();
        let Some(usage) = memory::usage() else { return };
        growth.note(usage, &running);
        let Some((greediest, excess)) = growth.greediest(limits) else { return };
        if let Some(call) = calls.iter().find(|call| call.number == greediest) {
            self.stop(call, StopReason::Memory(excess));
        }
    }

    fn perform(&self, number: u64, call: &Weak<CallControl>, due: DueAction) {
        let Some(call) = call.upgrade() else { return };
        match due {
            DueAction::Look(end) if end <= now() => self.stop(&call, StopReason::Time),
            DueAction::Look(_) if call.processor_time_left() == Some(Duration::ZERO) => {
                self.stop(&call, StopReason::Processor);
            }
            DueAction::Look(end) => {
                call.share_core();
                let mut deadlines = self.lock();
                // The deadline may have been dropped meanwhile.
                if deadlines.looks.remove(&number).is_some() {
                    deadlines.look(number, end, &call);
                }
            }
            DueAction::Abandon(reason) => {
                let thread = call.abandon_stopped(reason);
                if let Some(thread) = thread {
                    call.halt.request();
                    self.perform(number, &Arc::downgrade(&call), DueAction::Halt(thread));
                }
            }
            DueAction::Halt(thread) if halt::IS_POSSIBLE && !call.halt.is_halted() => {
                thread.halt();
                let mut deadlines = self.lock();
                let key = (now() + HALT_INTERVAL, deadlines.next_number());
                deadlines.by_time.insert(key, (Arc::downgrade(&call), due));
            }
            DueAction::Halt(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Deadlines> {
        self.deadlines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{Semaphore, oneshot};

    use super::*;
    use crate::call_control::{CallLimits, CallSlot};

    #[test]
    fn a_deadline_that_is_over_with_its_call_leaves_no_timer() {
        let watchdog = Watchdog::start(MemoryLimits { call: u64::MAX, process: None }).unwrap();
        let slot = CallSlot {
            reply: oneshot::channel().0,
            permit: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
            core: None,
            thread: None,
        };
        let time = Duration::from_secs(300);
        let limits = CallLimits {
            time_ms: 300_000,
            time_setting: "wall_time_ms",
            cpu_time_ms: 10_000,
            heap_mib: 64,
            native_mib: 256,
        };
        let call = Arc::new(CallControl::new(limits, None, slot));
        let n_timers = || watchdog.0.lock().by_time.len();

        let first = watchdog.set(time, &call);
        assert_eq!(n_timers(), 1);
        let left = first.pause();
        assert_eq!(n_timers(), 0, "while it waits for a reply");
        let second = watchdog.set(left, &call);
        assert_eq!(n_timers(), 1);
        drop(second);

        assert_eq!(n_timers(), 0);
        assert!(left <= time);
    }
}
