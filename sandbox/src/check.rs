//! Checks of a script before it runs.

mod arguments;
mod calls;
mod finding;
mod globals;
mod ids;
mod modules;
mod mutation;
mod names;
mod outcome;
mod phases;
mod reach;
mod survey;
mod tree;
mod unawaited;
mod uses;
mod walk;

use std::rc::Rc;
use std::sync::Arc;

use oxc_allocator::Allocator;
use oxc_ast::ast::Program;
use oxc_parser::Parser;
use oxc_span::SourceType;
use windlass_core::{Manifest, Problem, Severity, validate};

pub(crate) use self::finding::{Finding, Lines};
pub(crate) use self::modules::explain;
use self::survey::Survey;
use self::tree::Tree;
pub(crate) use self::walk::{Budget, Depth, on_thread};
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
        let written = Arc::clone(&script.source);
        self.examine(script, default_timezone).await.map_err(|mut problems| {
            first_problems(&mut problems);
            finding::complete(&mut problems, &written);
            problems
        })
    }

    async fn examine(
        &self,
        script: Script,
        default_timezone: &str,
    ) -> Result<Manifest, Vec<Problem>> {
        let plain = self.without_types(script.clone()).await.map_err(|untyped| untyped.problems)?;
        let result = self.run(script, Work::Describe, Placement::default()).await;
        let failed = match &result.end {
            Some(End::Failed(fault)) => Some(fault.code),
            Some(End::Returned(_) | End::Mutation(_)) | None => None,
        };
        let (problems, manifest) = match declared(result, default_timezone) {
            Ok(manifest) => (Vec::new(), Some(manifest)),
            Err(mut problems) => {
                // One more than are shown, so that it can be said that there are more.
                problems.truncate(MAX_PROBLEMS + 1);
                (problems, None)
            }
        };
        let problems = match failed {
            Some("limit") => problems,
            Some("syntax_error") => self.explain(plain, problems).await,
            Some(_) | None => self.inspect(plain, manifest.clone(), problems).await,
        };
        match manifest {
            Some(manifest) if problems.is_empty() => Ok(manifest),
            _ => Err(problems),
        }
    }

    /// Says what the text is, if it is no script, instead of where the script ends.
    async fn explain(&self, script: Script, problems: Vec<Problem>) -> Vec<Problem> {
        let work = move |budget: &Rc<Budget>| explain(&script.source, false, budget);
        let mut explained = on_thread(self.limits(), work).await.unwrap_or_default();
        let place = problems.first().map(|it| (it.line, it.column)).unwrap_or_default();
        for problem in explained.iter_mut().filter(|problem| problem.line.is_none()) {
            (problem.line, problem.column) = place;
        }
        if explained.is_empty() { problems } else { explained }
    }

    /// Finds the positions of `problems`, and the problems that the text shows.
    async fn inspect(
        &self,
        script: Script,
        manifest: Option<Manifest>,
        problems: Vec<Problem>,
    ) -> Vec<Problem> {
        let (functions, mut known) = (self.functions(), problems.clone());
        let work = move |budget: &Rc<Budget>| {
            let reading = Reading { source: &script.source, functions: &functions, budget };
            reading.problems(problems, manifest.as_ref())
        };
        on_thread(self.limits(), work).await.unwrap_or_else(|fault| {
            known.push(fault.into());
            known
        })
    }

    /// Probable mistakes in a script that has passed the [`check`](Self::check), in the order of the file.
    pub async fn advise(&self, script: Script) -> Vec<Problem> {
        let written = Arc::clone(&script.source);
        let Ok(script) = self.without_types(script).await else { return Vec::new() };
        let advice = on_thread(self.limits(), move |budget| advice(&script.source, budget)).await;
        let mut advice = advice.unwrap_or_default();
        finding::complete(&mut advice, &written);
        advice
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
    let problems = findings
        .into_iter()
        .take(MAX_PROBLEMS)
        .map(|finding| Problem { severity: Severity::Warning, ..lines.place(finding) });
    problems.collect()
}

/// The text of a script that is read.
struct Reading<'r> {
    source: &'r str,
    functions: &'r [Function],
    budget: &'r Rc<Budget>,
}

impl Reading<'_> {
    /// Sets the positions of `problems`, and adds the problems that the text shows.
    fn problems(&self, problems: Vec<Problem>, manifest: Option<&Manifest>) -> Vec<Problem> {
        let allocator = Allocator::default();
        let parsed = Parser::new(&allocator, self.source, SourceType::script()).parse();
        // V8 has accepted the script. If this parser does not, it is the parser that does not know the syntax yet.
        if !parsed.diagnostics.is_empty() {
            return problems;
        }
        let tree = Tree::new(&parsed.program, self.budget);
        let lines = Lines::of(self.source);
        let mut all = problems;
        for problem in all.iter_mut().filter(|problem| problem.line.is_none()) {
            if let Some(span) = tree.locate(&problem.path) {
                lines.set_position(problem, span);
            }
        }
        let survey = Survey::of(&parsed.program, self.budget);
        let unknown = names::unknown_names(&survey, self.functions);
        // Where the evaluation failed because of such a name, one of the two reports is enough.
        let known = |problem: &Problem| {
            let failed = |name| problem.message == format!("ReferenceError: {name} is not defined");
            unknown.iter().filter_map(|it| it.text(self.source)).any(failed)
        };
        all.retain(|problem| !known(problem));
        let findings = unknown
            .into_iter()
            .chain(self.findings(&parsed.program, &tree, &survey))
            .chain(self.of_handlers(&tree, &survey, manifest));
        all.extend(findings.take(MAX_PROBLEMS + 1).map(|finding| lines.place(finding)));
        all.sort_by_key(|problem| (problem.line.unwrap_or(u32::MAX), problem.column));
        all
    }

    /// What can be seen anywhere in the text.
    fn findings<'a>(
        &self,
        program: &Program<'a>,
        tree: &Tree<'_, 'a>,
        survey: &Survey<'a>,
    ) -> impl Iterator<Item = Finding> {
        let Self { functions, budget, .. } = self;
        let all = [
            calls::in_try(program, functions, budget),
            unawaited::calls(program, functions, budget),
            mutation::code_after(tree, functions),
            globals::shared(program, budget),
            names::unknown_tools(survey, functions),
            arguments::wrong(survey, functions),
        ];
        all.into_iter().flatten()
    }

    /// What depends on the handlers that reach a call.
    fn of_handlers<'a>(
        &self,
        tree: &Tree<'_, 'a>,
        survey: &Survey<'a>,
        manifest: Option<&Manifest>,
    ) -> impl Iterator<Item = Finding> {
        let handlers = tree.handlers();
        let reached = reach::calls(&handlers, tree, survey, self.functions, self.budget);
        let topics = manifest.map(|manifest| phases::topics(&reached, manifest, survey));
        let all = [
            phases::wrong_phases(&reached),
            phases::causes(&reached),
            topics.unwrap_or_default(),
            ids::unstable(&reached, survey, self.budget),
        ];
        all.into_iter().flatten()
    }
}
