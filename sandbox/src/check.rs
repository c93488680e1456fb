//! Checks of a script before it runs.

mod calls;
mod globals;
mod mutation;
mod outcome;
mod tree;
mod unawaited;
mod uses;
mod walk;

use std::rc::Rc;

use oxc_allocator::Allocator;
use oxc_parser::Parser;
use oxc_span::SourceType;
use windlass_core::{Manifest, Problem, validate};

use self::tree::Tree;
pub(crate) use self::walk::{Budget, Depth, Finding, Lines, on_thread};
use self::walk::{MAX_PROBLEMS, first_problems};
use crate::api::{Function, Script};
use crate::end::{CallResult, End, Fault};
use crate::job::Work;
use crate::sandbox::{Placement, Sandbox};

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
        let plain = self.without_types(script.clone()).await.map_err(|untyped| untyped.problems)?;
        let result = self.run(script, Work::Describe, Placement::default()).await;
        let is_readable = !matches!(
            &result.end,
            Some(End::Failed(fault)) if matches!(fault.code, "syntax_error" | "limit")
        );
        let declared = declared(result, default_timezone);
        let (mut problems, manifest) = match declared {
            Ok(manifest) => (Vec::new(), Some(manifest)),
            Err(mut problems) => {
                // One more than are shown, so that it can be said that there are more.
                problems.truncate(MAX_PROBLEMS + 1);
                (problems, None)
            }
        };
        if is_readable {
            problems = self.inspect(plain, problems).await;
        }
        first_problems(&mut problems);
        match manifest {
            Some(manifest) if problems.is_empty() => Ok(manifest),
            _ => Err(problems),
        }
    }

    /// Finds the positions of `problems`, and the problems that the text shows.
    async fn inspect(&self, script: Script, problems: Vec<Problem>) -> Vec<Problem> {
        let (functions, mut known) = (self.functions(), problems.clone());
        let work = move |budget: &Rc<Budget>| read(&script.source, &functions, problems, budget);
        on_thread(self.limits(), work).await.unwrap_or_else(|fault| {
            known.push(fault.into());
            known
        })
    }

    /// Probable mistakes in a script that has passed the [`check`](Self::check), in the order of the file.
    pub async fn advise(&self, script: Script) -> Vec<Problem> {
        let Ok(script) = self.without_types(script).await else { return Vec::new() };
        on_thread(self.limits(), move |budget| advice(&script.source, budget))
            .await
            .unwrap_or_default()
    }
}

/// What the script declares, according to the result of its evaluation.
fn declared(result: CallResult, default_timezone: &str) -> Result<Manifest, Vec<Problem>> {
    match result.end {
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

fn advice(source: &str, budget: &Rc<Budget>) -> Vec<Problem> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::script()).parse();
    if !parsed.diagnostics.is_empty() {
        return Vec::new();
    }
    let findings = outcome::unchecked_results(&Tree::new(&parsed.program, budget), source, budget);
    let lines = Lines::of(source);
    let problems = findings.into_iter().take(MAX_PROBLEMS).map(|(span, mut problem)| {
        lines.set_position(&mut problem, span);
        problem
    });
    problems.collect()
}

fn read(
    source: &str,
    functions: &[Function],
    problems: Vec<Problem>,
    budget: &Rc<Budget>,
) -> Vec<Problem> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::script()).parse();
    // V8 has accepted the script. If this parser does not, it is the parser that does not know the syntax yet.
    if !parsed.diagnostics.is_empty() {
        return problems;
    }
    let tree = Tree::new(&parsed.program, budget);
    let lines = Lines::of(source);
    let mut all = problems;
    for problem in all.iter_mut().filter(|problem| problem.line.is_none()) {
        if let Some(span) = tree.locate(&problem.path) {
            lines.set_position(problem, span);
        }
    }
    let findings = [
        calls::in_try(&parsed.program, functions, budget),
        unawaited::calls(&parsed.program, functions, budget),
        mutation::code_after(&tree, functions),
        globals::shared(&parsed.program, budget),
    ];
    for (span, mut problem) in findings.into_iter().flatten().take(MAX_PROBLEMS + 1) {
        lines.set_position(&mut problem, span);
        all.push(problem);
    }
    all.sort_by_key(|problem| (problem.line.unwrap_or(u32::MAX), problem.column));
    all
}
