//! The threads: made on demand, used again, never more than allowed.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::api::Function;
use crate::code::SharedCode;
use crate::control::{Control, Stop};
use crate::sandbox::Options;
use crate::stack;
use crate::thread::{Job, serve};
use crate::turn::Machine;
use crate::watchdog::Watchdog;

/// The threads of one sandbox.
pub(crate) struct Pool {
    pub(crate) options: Options,
    pub(crate) functions: Arc<[Function]>,
    pub(crate) code: Arc<SharedCode>,
    /// One permit for each script that may compute, given out in the order of asking.
    cores: Arc<Semaphore>,
    watchdog: io::Result<Watchdog>,
    permits: Arc<Semaphore>,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    is_closed: bool,
    next_place: u64,
    /// The free threads; the one that was busy last is at the end.
    free: Vec<FreeThread>,
    running: Vec<Weak<Control>>,
}

struct FreeThread {
    place: u64,
    digest: Arc<str>,
    inbox: SyncSender<Job>,
}

impl Pool {
    /// No threads yet, but the watchdog's.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            functions: options.functions.clone().into(),
            code: Arc::default(),
            cores: Arc::new(semaphore(options.cores)),
            watchdog: Watchdog::start(),
            permits: Arc::new(semaphore(options.max_threads)),
            threads: Mutex::default(),
            options,
        }
    }

    /// Waits until one more call may be under way. `None`: never again.
    pub(crate) async fn admit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// Waits until one more script may compute. `None`: never again.
    ///
    /// Only then is a thread chosen, so that no more of them are busy than have to be, and one that is warm.
    pub(crate) async fn core(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.cores).acquire_owned().await.ok()
    }

    /// A core that no script waits for.
    pub(crate) fn spare_core(&self) -> Option<SemaphorePermit<'_>> {
        self.cores.try_acquire().ok()
    }

    /// Gives a job to a thread. `false`: the pool is closed.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(crate) fn submit(self: &Arc<Self>, job: Job) -> io::Result<bool> {
        let free = {
            let mut threads = self.lock();
            if threads.is_closed {
                return Ok(false);
            }
            threads.running.retain(|call| call.strong_count() > 0);
            threads.running.push(Arc::downgrade(&job.control));
            threads.take_free(&job.script.digest)
        };
        match free {
            // A free thread listens until it is taken off the list; if it has died, the caller learns by the lost reply.
            Some(thread) => drop(thread.inbox.send(job)),
            None => self.spawn(job)?,
        }
        Ok(true)
    }

    fn spawn(self: &Arc<Self>, job: Job) -> io::Result<()> {
        let stack = self.options.limits.stack_kib as usize * 1024 + stack::RESERVE_BYTES;
        let pool = Arc::clone(self);
        let thread = thread::Builder::new().name("script".into()).stack_size(stack);
        thread.spawn(move || serve(&pool, job)).map(drop)
    }

    /// What a call's turn is taken from.
    pub(crate) fn machine(&self) -> io::Result<Machine<'_>> {
        match &self.watchdog {
            Ok(watchdog) => Ok(Machine { cores: &self.cores, watchdog }),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        }
    }

    /// The calling thread is free for a next job. `None`: the pool is closed.
    pub(crate) fn park(&self, digest: Arc<str>) -> Option<(u64, Receiver<Job>)> {
        let mut threads = self.lock();
        if threads.is_closed {
            return None;
        }
        let place = threads.next_place;
        threads.next_place += 1;
        let (inbox, tasks) = sync_channel(1);
        threads.free.push(FreeThread { place, digest, inbox });
        Some((place, tasks))
    }

    /// The calling thread is not free any more. `false`: it has been given a job already.
    pub(crate) fn leave(&self, place: u64) -> bool {
        let mut threads = self.lock();
        let count = threads.free.len();
        threads.free.retain(|thread| thread.place != place);
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
            self.stop(&call, Stop::Cancelled);
        }
    }

    /// Stops a call.
    pub(crate) fn stop(&self, call: &Arc<Control>, why: Stop) {
        if let Ok(watchdog) = &self.watchdog {
            watchdog.stop(call, why);
        }
    }

    /// Waits until no call is under way.
    pub(crate) async fn wait_until_free(&self) {
        let all = u32::try_from(self.options.max_threads.max(1)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.permits.acquire_many(all).await;
    }

    fn lock(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At least one permit.
fn semaphore(permits: usize) -> Semaphore {
    Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS))
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
