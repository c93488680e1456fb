//! What the walks through a syntax tree share: bounds on their depth, steps and findings, and a thread with a large stack.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use windlass_core::{Problem, ScriptLimits};

use crate::end::Fault;

/// The stack of the parser and the walks. Both recurse as deep as the script is nested, which V8 bounds before.
const STACK_BYTES: usize = 256 << 20;

/// How deep a walk goes.
const MAX_DEPTH: u32 = 4_000;

/// How many problems a check reports.
pub(super) const MAX_PROBLEMS: usize = 100;

/// The two visits by which a walk goes deeper, with a bound. The visitor has a field `depth`.
macro_rules! bounded_visits {
    ($life:lifetime) => {
        fn visit_statement(&mut self, statement: &oxc_ast::ast::Statement<$life>) {
            if self.depth.enter() {
                oxc_ast_visit::walk::walk_statement(self, statement);
            }
            self.depth.leave();
        }

        fn visit_expression(&mut self, expression: &oxc_ast::ast::Expression<$life>) {
            if self.depth.enter() {
                oxc_ast_visit::walk::walk_expression(self, expression);
            }
            self.depth.leave();
        }
    };
}

pub(super) use bounded_visits;

/// The steps that may still be made to check one script. They end as well when nobody waits for the check any more.
pub(crate) struct Budget {
    left: Cell<u64>,
    is_given_up: Arc<AtomicBool>,
}

impl Budget {
    /// Makes one step. `false`: there is none left.
    pub(crate) fn take(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0 && !self.is_given_up.load(Ordering::Relaxed)
    }

    /// Whether steps were missing.
    pub(crate) fn is_used_up(&self) -> bool {
        self.left.get() == 0
    }
}

/// Counts how deep a walk is.
pub(crate) struct Depth {
    level: u32,
    budget: Rc<Budget>,
}

impl Depth {
    /// The depth of a walk that has not begun, and whose steps count against `budget`.
    pub(crate) fn new(budget: &Rc<Budget>) -> Self {
        Self { level: 0, budget: Rc::clone(budget) }
    }

    /// One step, and one level down. `false`: it is too deep, or there are no steps left.
    pub(crate) fn enter(&mut self) -> bool {
        self.level += 1;
        self.level < MAX_DEPTH && self.budget.take()
    }

    /// One level up.
    pub(crate) const fn leave(&mut self) {
        self.level -= 1;
    }
}

/// Does `work` on a thread with a large stack, within the limits of a check.
///
/// # Errors
/// The limit that was reached, or that the system started no thread. Work that takes too long is given up, and ends at its next step.
pub(crate) async fn on_thread<T: Send + 'static>(
    limits: &ScriptLimits,
    work: impl FnOnce(&Rc<Budget>) -> T + Send + 'static,
) -> Result<T, Fault> {
    let (reply, done) = oneshot::channel();
    let is_given_up = Arc::new(AtomicBool::new(false));
    let give_up = GiveUpOnDrop(Arc::clone(&is_given_up));
    let steps = limits.check_steps;
    let thread = std::thread::Builder::new().name("script-check".into()).stack_size(STACK_BYTES);
    thread
        .spawn(move || {
            let budget = Rc::new(Budget { left: Cell::new(steps), is_given_up });
            let result = work(&budget);
            // Nobody listens where the check was cancelled.
            let _ = reply.send((result, budget.is_used_up()));
        })
        .map_err(|error| Fault::internal(format!("could not start a thread to check: {error}")))?;
    let time = limits.check_time_ms;
    let done = tokio::time::timeout(Duration::from_millis(time), done).await;
    drop(give_up);
    match done {
        Ok(Ok((result, false))) => Ok(result),
        Ok(Ok((_, true))) => {
            Err(Fault::limit("the script is too long or too intricate", "check_steps", steps))
        }
        Ok(Err(_gone)) => Err(Fault::internal("the check of the text ended unexpectedly")),
        Err(_elapsed) => {
            Err(Fault::limit("checking the text takes too long", "check_time_ms", time))
        }
    }
}

/// Lets the work of a thread end when nobody waits for it.
struct GiveUpOnDrop(Arc<AtomicBool>);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Keeps the first problems, and says where some are left out.
pub(crate) fn first_problems(problems: &mut Vec<Problem>) {
    if problems.len() > MAX_PROBLEMS {
        problems.truncate(MAX_PROBLEMS);
        let message = format!("there are more problems: only {MAX_PROBLEMS} are shown");
        problems.push(Problem::new("more_problems", message).hint("solve these first"));
    }
}
