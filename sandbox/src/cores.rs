//! The right to compute: a core for each script that runs. Workspaces that wait take turns, whatever the number of their calls.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use windlass_core::WorkspaceId;

/// The cores of a sandbox.
#[derive(Debug)]
pub(crate) struct Cores(Mutex<Queue>);

#[derive(Debug)]
struct Queue {
    free: usize,
    /// The workspaces whose calls wait, in the order of their turns. None of them is without a waiting call.
    turns: VecDeque<Turn>,
}

/// The waiting calls of a workspace, the one that has waited longest first.
#[derive(Debug)]
struct Turn {
    workspace: Option<WorkspaceId>,
    waiting: VecDeque<oneshot::Sender<Core>>,
}

/// A core. Dropping it gives it to the next call that waits.
#[derive(Debug)]
pub(crate) struct Core(Option<Arc<Cores>>);

impl Cores {
    /// That many cores, at least one.
    pub(crate) fn new(cores: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Queue { free: cores.max(1), turns: VecDeque::new() })))
    }

    /// Waits for a core.
    ///
    /// # Cancel safety
    /// A call whose future is dropped loses its place.
    pub(crate) async fn acquire(self: &Arc<Self>, workspace: Option<WorkspaceId>) -> Core {
        let given = {
            let mut queue = self.lock();
            if queue.free > 0 {
                queue.free -= 1;
                return Core(Some(Arc::clone(self)));
            }
            let (give, given) = oneshot::channel();
            queue.add(workspace, give);
            given
        };
        // The queue drops no sender without a core: each stays in it until it is given one.
        given.await.unwrap_or(Core(None))
    }

    /// A core, if no call uses or awaits it.
    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Core> {
        let mut queue = self.lock();
        queue.free = queue.free.checked_sub(1)?;
        Some(Core(Some(Arc::clone(self))))
    }

    /// Gives a core that is no longer used to the next call.
    fn give(self: Arc<Self>) {
        let mut core = Core(Some(Arc::clone(&self)));
        loop {
            let mut queue = self.lock();
            let Some(next) = queue.next() else {
                queue.free += 1;
                core.0 = None;
                return;
            };
            drop(queue);
            match next.send(core) {
                Ok(()) => return,
                // That call has been dropped.
                Err(refused) => core = refused,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Whether a call of another workspace waits for a core.
    pub(crate) fn is_wanted_by_others(&self, workspace: Option<WorkspaceId>) -> bool {
        self.0.as_ref().is_some_and(|cores| cores.lock().has_other(workspace))
    }
}

impl Queue {
    fn has_other(&self, workspace: Option<WorkspaceId>) -> bool {
        let waits = |turn: &Turn| turn.waiting.iter().any(|waiting| !waiting.is_closed());
        self.turns.iter().any(|turn| turn.workspace != workspace && waits(turn))
    }

    fn add(&mut self, workspace: Option<WorkspaceId>, give: oneshot::Sender<Core>) {
        match self.turns.iter_mut().find(|turn| turn.workspace == workspace) {
            Some(turn) => turn.waiting.push_back(give),
            None => self.turns.push_back(Turn { workspace, waiting: [give].into() }),
        }
    }

    /// The next call, whose workspace then waits for its next turn. Calls that were dropped take no turn.
    fn next(&mut self) -> Option<oneshot::Sender<Core>> {
        while let Some(mut turn) = self.turns.pop_front() {
            turn.waiting.retain(|waiting| !waiting.is_closed());
            let next = turn.waiting.pop_front();
            if !turn.waiting.is_empty() {
                self.turns.push_back(turn);
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        if let Some(cores) = self.0.take() {
            cores.give();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures::FutureExt as _;
    use futures::future::BoxFuture;
    use windlass_core::{Id as _, Timestamp};

    use super::*;

    /// The waiting calls by their names. Each holds the core until it is dropped.
    struct Waiting<'a>(Vec<(&'static str, BoxFuture<'a, Core>)>);

    impl Waiting<'_> {
        /// The call that has a core now.
        fn served(&mut self) -> Option<(&'static str, Core)> {
            let mut context = std::task::Context::from_waker(futures::task::noop_waker_ref());
            for index in 0..self.0.len() {
                if let Poll::Ready(core) = self.0[index].1.poll_unpin(&mut context) {
                    return Some((self.0.remove(index).0, core));
                }
            }
            None
        }
    }

    #[test]
    fn workspaces_take_turns_whatever_the_number_of_their_calls() {
        let cores = Cores::new(1);
        let [many, few] = [1, 2].map(|it| Some(WorkspaceId::mint(Timestamp::from_micros(it))));
        let busy = cores.try_acquire().unwrap();
        assert!(cores.try_acquire().is_none());
        let calls = [("a1", many), ("a2", many), ("a3", many), ("b1", few), ("b2", few)];
        let mut waiting = Waiting(Vec::new());
        for (name, workspace) in calls {
            waiting.0.push((name, cores.acquire(workspace).boxed()));
            assert!(waiting.served().is_none());
        }
        // One that is given up loses its place.
        let given_up = waiting.0.remove(1);
        drop((given_up, busy));

        let mut order = Vec::new();
        while let Some((name, core)) = waiting.served() {
            order.push(name);
            drop(core);
        }

        assert_eq!(order, ["a1", "b1", "a3", "b2"]);
        assert!(cores.try_acquire().is_some());
    }
}
