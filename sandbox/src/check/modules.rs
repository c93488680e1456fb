//! What a file has that is no plain script: modules, an `await` outside of functions, and types.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::rc::Rc;

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{Program, Statement};
use oxc_ast_visit::Visit;
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};
use windlass_core::Problem;

use super::finding::{Finding, Lines};
use super::walk::{Budget, Depth, bounded_visits};

/// Explains why a text is no script, better than its syntax error does.
pub(crate) fn explain(source: &str, is_typescript: bool, budget: &Rc<Budget>) -> Vec<Problem> {
    let allocator = Allocator::default();
    let lines = Lines::of(source);
    let parse = |kind: SourceType| {
        let parsed = Parser::new(&allocator, source, kind.with_module(true)).parse();
        parsed.diagnostics.is_empty().then_some(parsed.program)
    };
    let plain = parse(SourceType::mjs());
    let typed = if plain.is_none() { parse(SourceType::ts()) } else { None };
    let mut problems = Vec::new();
    if typed.is_some() && !is_typescript {
        problems.push(
            Problem::new(
                "typescript_in_js",
                "this is TypeScript, and the file's name says JavaScript",
            )
            .hint("give the file a name that ends with `.ts`"),
        );
    }
    if let Some(program) = plain.or(typed) {
        problems.extend(module_parts(&program, budget).into_iter().map(|it| lines.place(it)));
    }
    problems
}

/// The statements of a module, and the first `await` outside of functions.
fn module_parts(program: &Program<'_>, budget: &Rc<Budget>) -> Vec<Finding> {
    let mut findings: Vec<_> = program.body.iter().filter_map(module_statement).collect();
    let mut finder = AwaitFinder { functions: 0, first: None, depth: Depth::new(budget) };
    finder.visit_program(program);
    if let Some(span) = finder.first {
        let problem =
            Problem::new("top_level_await", "nothing can be awaited outside of functions")
                .hint("do it in a handler: the file only declares `const workflow`");
        findings.push(Finding::new(span, problem));
    }
    findings
}

fn module_statement(statement: &Statement<'_>) -> Option<Finding> {
    let (message, hint) = match statement {
        Statement::ImportDeclaration(_) => (
            "a script cannot import",
            "everything it needs is in this one file; tools such as `Files` are there without an import",
        ),
        Statement::ExportDefaultDeclaration(_) => (
            "a script exports nothing",
            "write `const workflow = { … };` instead of `export default { … };`",
        ),
        Statement::ExportDeclaration(_)
        | Statement::ExportNamedDeclaration(_)
        | Statement::ExportFromDeclaration(_)
        | Statement::ExportAllDeclaration(_) => ("a script exports nothing", "leave out `export`"),
        _ => return None,
    };
    Some(Finding::new(statement.span(), Problem::new("module_syntax", message).hint(hint)))
}

struct AwaitFinder {
    functions: u32,
    first: Option<Span>,
    depth: Depth,
}

impl<'a> Visit<'a> for AwaitFinder {
    bounded_visits!('a);

    fn enter_node(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::Function(_) | AstKind::ArrowFunctionExpression(_) => self.functions += 1,
            AstKind::AwaitExpression(it) if self.functions == 0 => {
                self.first.get_or_insert(it.span);
            }
            _ => {}
        }
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        if matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)) {
            self.functions -= 1;
        }
    }
}
