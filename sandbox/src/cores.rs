//! How many scripts compute at the same time.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// As many permits as there are cores for scripts, given out in the order of asking.
#[derive(Debug)]
pub(crate) struct Cores {
    queue: Mutex<Queue>,
    moved: Condvar,
}

#[derive(Debug)]
struct Queue {
    free: usize,
    next_ticket: u64,
    now_serving: u64,
}

/// A core that is held; dropping gives it back.
#[derive(Debug)]
pub(crate) struct Core(Arc<Cores>);

impl Cores {
    /// `count` permits, at least one.
    pub(crate) fn new(count: usize) -> Arc<Self> {
        let queue = Queue { free: count.max(1), next_ticket: 0, now_serving: 0 };
        Arc::new(Self { queue: Mutex::new(queue), moved: Condvar::new() })
    }

    /// Waits for a core. Whoever asked first gets it first.
    pub(crate) fn acquire(self: &Arc<Self>) -> Core {
        let mut queue = self.lock();
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        while queue.free == 0 || queue.now_serving != ticket {
            queue = self.moved.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.free -= 1;
        queue.now_serving += 1;
        drop(queue);
        self.moved.notify_all();
        Core(Arc::clone(self))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.0.lock().free += 1;
        self.0.moved.notify_all();
    }
}
