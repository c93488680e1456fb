//! The pool of threads: they are started on demand, reused, and never more than allowed.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use windlass_core::{ScriptLimits, WorkspaceId};

use crate::api::{Function, Options};
use crate::call_control::{CallControl, StopReason};
use crate::call_runtime::SharedResources;
use crate::code::SharedCode;
use crate::cores::{Core, Cores};
use crate::job::Job;
use crate::memory::{self, MemoryLimits};
use crate::typescript::PlainTexts;
use crate::watchdog::Watchdog;

/// The threads of one sandbox.
pub(crate) struct Pool {
    pub(crate) options: Options,
    pub(crate) functions: Arc<[Function]>,
    pub(crate) code: Arc<SharedCode>,
    /// The TypeScript files without their types.
    pub(crate) plain: PlainTexts,
    /// One for each script that may compute.
    cores: Arc<Cores>,
    watchdog: io::Result<Watchdog>,
    /// One permit for each call that may be under way.
    permits: Arc<Semaphore>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    is_closed: bool,
    next_number: u64,
    /// The free threads. The one that was busy last is at the end.
    free: Vec<FreeThread>,
    running: Vec<Weak<CallControl>>,
}

struct FreeThread {
    number: u64,
    /// The script that it ran last.
    digest: Arc<str>,
    inbox: SyncSender<Job>,
}

/// What became of a job that was dispatched.
pub(crate) enum Dispatch {
    /// A free thread has it.
    Sent,
    /// No thread is free: a new one has to take it.
    NoFreeThread(Job),
    /// The pool is closed.
    Closed,
}

/// A thread in the list of the free ones.
pub(crate) struct FreeListing {
    number: u64,
    pub(crate) jobs: Receiver<Job>,
}

impl Pool {
    /// A pool without threads. The watchdog's thread starts at once.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            functions: options.functions.clone().into(),
            code: Arc::default(),
            plain: PlainTexts::default(),
            cores: Cores::new(options.cores),
            watchdog: Watchdog::start(memory_limits(&options.limits)),
            permits: Arc::new(Semaphore::new(options.max_threads.clamp(1, Semaphore::MAX_PERMITS))),
            threads: Mutex::default(),
            options,
        }
    }

    /// Waits until one more call may be under way. `None`: the pool is closed.
    pub(crate) async fn acquire_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Waits until one more script of that workspace may compute.
    ///
    /// A thread is chosen only afterwards: so no more threads are busy than necessary, and the one that was busy last is reused.
    pub(crate) async fn acquire_core(&self, workspace: Option<WorkspaceId>) -> Core {
        self.cores.acquire(workspace).await
    }

    /// A core, if no script uses or awaits it.
    pub(crate) fn try_acquire_core(&self) -> Option<Core> {
        self.cores.try_acquire()
    }

    /// Gives a job to a free thread.
    pub(crate) fn dispatch(&self, job: Job) -> Dispatch {
        let free = {
            let mut threads = self.lock();
            if threads.is_closed {
                return Dispatch::Closed;
            }
            threads.running.retain(|call| call.strong_count() > 0);
            threads.running.push(Arc::downgrade(&job.control));
            threads.take_free(&job.script.digest)
        };
        match free {
            // A free thread listens until it is removed from the list. If it has died, its caller notices that the reply is lost.
            Some(thread) => {
                drop(thread.inbox.send(job));
                Dispatch::Sent
            }
            None => Dispatch::NoFreeThread(job),
        }
    }

    /// What all calls share while they run.
    ///
    /// # Errors
    /// Where the system did not start the watchdog's thread.
    pub(crate) fn shared(&self) -> io::Result<SharedResources<'_>> {
        match &self.watchdog {
            Ok(watchdog) => Ok(SharedResources { cores: &self.cores, watchdog }),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    /// Lists the calling thread as free for a next job. `None`: the pool is closed.
    pub(crate) fn add_free_thread(&self, digest: Arc<str>) -> Option<FreeListing> {
        let mut threads = self.lock();
        if threads.is_closed {
            return None;
        }
        let number = threads.next_number;
        threads.next_number += 1;
        let (inbox, jobs) = sync_channel(1);
        threads.free.push(FreeThread { number, digest, inbox });
        Some(FreeListing { number, jobs })
    }

    /// Removes a thread from the free ones. `false`: it has been given a job already.
    pub(crate) fn remove_free_thread(&self, listing: &FreeListing) -> bool {
        let mut threads = self.lock();
        let count = threads.free.len();
        threads.free.retain(|thread| thread.number != listing.number);
        threads.free.len() < count
    }

    /// Takes no more jobs, stops those under way, and lets the free threads end.
    pub(crate) fn close(&self) {
        let (free, running) = {
            let mut threads = self.lock();
            threads.is_closed = true;
            (std::mem::take(&mut threads.free), std::mem::take(&mut threads.running))
        };
        drop(free);
        for call in running.iter().filter_map(Weak::upgrade) {
            self.stop(&call, StopReason::Cancelled);
        }
    }

    /// Stops a call.
    pub(crate) fn stop(&self, call: &Arc<CallControl>, reason: StopReason) {
        if let Ok(watchdog) = &self.watchdog {
            watchdog.stop(call, reason);
        }
    }

    /// Waits until no call is under way.
    pub(crate) async fn wait_until_idle(&self) {
        let all = u32::try_from(self.options.max_threads.max(1)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.permits.acquire_many(all).await;
    }

    fn lock(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limits of memory that V8 does not keep by itself.
fn memory_limits(limits: &ScriptLimits) -> MemoryLimits {
    let mib = u64::from(limits.heap_mib) + u64::from(limits.array_buffers_mib);
    let call = mib.saturating_add(limits.native_mib.into()).saturating_mul(1 << 20);
    MemoryLimits { call, process: memory::process_limit() }
}

impl Threads {
    /// The free thread that ran this script last, or else the one that was busy last.
    fn take_free(&mut self, digest: &str) -> Option<FreeThread> {
        match self.free.iter().rposition(|thread| *thread.digest == *digest) {
            Some(index) => Some(self.free.remove(index)),
            None => self.free.pop(),
        }
    }
}
