//! Whether a script can work, found out before it does.

/// The two ways on which a walk goes deeper; the walker has a field `depth`.
macro_rules! bounded {
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

mod calls;
mod globals;
mod mutation;
mod outcome;
mod tree;
mod uses;

use std::sync::Arc;

use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::{SourceType, Span};
use tokio::sync::oneshot;
use windlass_core::{Manifest, Problem, validate};

use self::tree::Tree;
use crate::api::{Function, Script};
use crate::execution::Work;
use crate::fault::{End, Fault};
use crate::sandbox::Sandbox;
use crate::thread::Done;

/// Room for the parser and whoever walks its tree: both go as deep as the script is nested, which V8 bounds before.
const STACK_BYTES: usize = 256 << 20;

/// Deeper than this nobody looks.
const DEPTH: u32 = 4_000;

impl Sandbox {
    /// Evaluates the file without calling anything in it, checks what it declares, and looks for mistakes that can be
    /// seen in its text. A cron schedule without a time zone of its own is read in `default_timezone`.
    ///
    /// # Errors
    /// Every problem there is, in the order of the file.
    ///
    /// # Cancel safety
    /// Dropping the future terminates the script; nothing is left behind.
    pub async fn check(
        &self,
        script: Script,
        default_timezone: &str,
    ) -> Result<Manifest, Vec<Problem>> {
        let done = self.run(script.clone(), Work::Describe).await;
        let is_readable = !matches!(
            &done.end,
            Some(End::Failed(fault)) if matches!(fault.code, "syntax_error" | "limit")
        );
        let declared = declared(done, default_timezone);
        let (mut problems, manifest) = match declared {
            Ok(manifest) => (Vec::new(), Some(manifest)),
            Err(problems) => (problems, None),
        };
        if is_readable {
            problems = inspect(script, self.functions(), problems).await;
        }
        match manifest {
            Some(manifest) if problems.is_empty() => Ok(manifest),
            _ => Err(problems),
        }
    }

    /// What may be a mistake in a script that has passed the [`check`](Self::check), in the order of the file.
    pub async fn advise(&self, script: Script) -> Vec<Problem> {
        on_thread(move || advice(&script.source)).await.unwrap_or_default()
    }
}

/// What the script declares, going by what its evaluation has come to.
fn declared(done: Done, default_timezone: &str) -> Result<Manifest, Vec<Problem>> {
    match done.end {
        Some(End::Returned(Some(description))) => validate(&description, default_timezone),
        Some(End::Returned(None)) => Err(vec![
            Problem::new("no_workflow", "the script declares no `workflow`")
                .hint("write `const workflow = { topics: {}, producers: {}, consumers: {} };`"),
        ]),
        Some(End::Failed(fault)) => Err(vec![fault.into()]),
        Some(End::Mutation(_)) | None => {
            Err(vec![Problem::new("cancelled", "the check was cancelled")])
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let at = fault.failure.at;
        Self {
            line: at.as_ref().map(|at| at.line),
            column: at.as_ref().map(|at| at.column),
            ..Self::new(fault.code, fault.failure.message)
        }
    }
}

/// Finds the places of `problems`, and the problems that can be seen in the text. It has a thread of its own, for the
/// stack.
async fn inspect(
    script: Script,
    functions: Arc<[Function]>,
    problems: Vec<Problem>,
) -> Vec<Problem> {
    let known = problems.clone();
    on_thread(move || read(&script.source, &functions, problems)).await.unwrap_or(known)
}

/// Does what walks a tree. None where there is no thread for it.
async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (reply, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("script-check".into()).stack_size(STACK_BYTES);
    let thread = thread.spawn(move || {
        // Nobody listens where the check was cancelled.
        let _ = reply.send(work());
    });
    if let Err(error) = &thread {
        tracing::warn!(%error, "could not look at a script's text");
    }
    done.await.ok()
}

fn advice(source: &str) -> Vec<Problem> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::script()).parse();
    if !parsed.diagnostics.is_empty() {
        return Vec::new();
    }
    let findings = outcome::unasked(&Tree::new(&parsed.program), source);
    let placed = findings.into_iter().map(|(span, mut problem)| {
        place(&mut problem, source, span);
        problem
    });
    placed.collect()
}

fn read(source: &str, functions: &[Function], problems: Vec<Problem>) -> Vec<Problem> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::script()).parse();
    // V8 has accepted the script: where this parser does not, it is the one that is behind.
    if !parsed.diagnostics.is_empty() {
        return problems;
    }
    let tree = Tree::new(&parsed.program);
    let mut all = problems;
    for problem in all.iter_mut().filter(|problem| problem.line.is_none()) {
        if let Some(span) = tree.locate(&problem.path) {
            place(problem, source, span);
        }
    }
    let findings = [
        calls::in_try(&parsed.program, functions),
        mutation::code_after(&tree, functions),
        globals::shared(&parsed.program),
    ];
    for (span, mut problem) in findings.into_iter().flatten() {
        place(&mut problem, source, span);
        all.push(problem);
    }
    all.sort_by_key(|problem| (problem.line.unwrap_or(u32::MAX), problem.column));
    all
}

/// Where a problem is, and what it is.
type Finding = (Span, Problem);

/// Says where a problem is: in characters as V8 counts them.
fn place(problem: &mut Problem, source: &str, span: Span) {
    let before = source.get(..span.start as usize).unwrap_or_default();
    let line = before.rsplit(['\n', '\u{2028}', '\u{2029}']).next().unwrap_or_default();
    let ends = before.matches(['\n', '\u{2028}', '\u{2029}']).count();
    problem.line = u32::try_from(ends + 1).ok();
    problem.column = u32::try_from(line.encode_utf16().count() + 1).ok();
}

/// Counts how deep a walk has come.
#[derive(Default)]
struct Depth(u32);

impl Depth {
    /// One level down. `false`: that is too deep.
    const fn enter(&mut self) -> bool {
        self.0 += 1;
        self.0 < DEPTH
    }

    const fn leave(&mut self) {
        self.0 -= 1;
    }
}
