//! What the walks through a syntax tree share: a bound on their depth, a thread with a large stack, and what they find.

use oxc_span::Span;
use tokio::sync::oneshot;
use windlass_core::Problem;

/// The stack of the parser and the walks. Both recurse as deep as the script is nested, which V8 bounds before.
const STACK_BYTES: usize = 256 << 20;

/// How deep a walk goes.
const MAX_DEPTH: u32 = 4_000;

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

/// A problem, and where it is.
pub(super) type Finding = (Span, Problem);

/// Counts how deep a walk is.
#[derive(Default)]
pub(super) struct Depth(u32);

impl Depth {
    /// One level down. `false`: it is too deep.
    pub(super) const fn enter(&mut self) -> bool {
        self.0 += 1;
        self.0 < MAX_DEPTH
    }

    /// One level up.
    pub(super) const fn leave(&mut self) {
        self.0 -= 1;
    }
}

/// Does `work` on a thread with a large stack. None where the system does not start one.
pub(super) async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (reply, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("script-check".into()).stack_size(STACK_BYTES);
    let thread = thread.spawn(move || {
        // Nobody listens where the check was cancelled.
        let _ = reply.send(work());
    });
    if let Err(error) = &thread {
        tracing::warn!(%error, "could not check a script's text");
    }
    done.await.ok()
}
