//! Calls of tools, and attempts to catch their errors, which cannot be caught.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::collections::BTreeSet;
use std::rc::Rc;

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, BindingIdentifier, CallExpression, Expression, Program, TryStatement,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use windlass_core::Problem;

use super::finding::Finding;
use super::walk::{Budget, Depth, bounded_visits};
use crate::api::Function;

/// The tool that an expression calls, once `await` and parentheses are taken off.
pub(super) fn tool_call(expression: &Expression<'_>, functions: &[Function]) -> Option<String> {
    let mut expression = expression.get_inner_expression();
    while let Expression::AwaitExpression(awaited) = expression {
        expression = awaited.argument.get_inner_expression();
    }
    match expression {
        Expression::CallExpression(call) => tool_of(call, functions),
        _ => None,
    }
}

/// Whether a call attempts what its first argument is.
pub(super) fn is_attempt(call: &CallExpression<'_>) -> bool {
    let callee = call.callee.get_inner_expression().get_identifier_reference();
    callee.is_some_and(|it| it.name == "attempt")
}

/// What a call of a tool passes to it.
pub(super) fn inputs_of<'c, 'a>(call: &'c CallExpression<'a>) -> &'c [Argument<'a>] {
    call.arguments.get(usize::from(is_attempt(call))..).unwrap_or_default()
}

/// The tool that a call calls, by itself or through `attempt`.
pub(super) fn tool_of(call: &CallExpression<'_>, functions: &[Function]) -> Option<String> {
    let callee = call.callee.get_inner_expression();
    let attempted = call.arguments.first().filter(|_| is_attempt(call));
    let function = attempted.and_then(Argument::as_expression).unwrap_or(callee);
    let member = function.get_inner_expression().as_member_expression()?;
    let object = member.object().get_identifier_reference()?.name.as_str();
    let is_known = functions.iter().any(|function| function.namespace == object);
    let method = member.static_property_name().filter(|_| is_known)?;
    Some(format!("{object}.{method}"))
}

/// Finds the tool calls inside `try` blocks, and those whose promise has a handler for errors.
pub(super) fn in_try(
    program: &Program<'_>,
    functions: &[Function],
    budget: &Rc<Budget>,
) -> Vec<Finding> {
    let mut finder = TryFinder {
        functions,
        tries: 0,
        findings: Vec::new(),
        scopes: Scopes::new(budget),
        depth: Depth::new(budget),
    };
    finder.visit_program(program);
    finder.findings
}

struct TryFinder<'f> {
    functions: &'f [Function],
    /// How many `try` blocks are open.
    tries: u32,
    findings: Vec<Finding>,
    scopes: Scopes,
    depth: Depth,
}

impl TryFinder<'_> {
    fn report(&mut self, span: Span, call: &str) {
        let namespace = call.split('.').next().unwrap_or_default();
        if self.scopes.hides(namespace) {
            return;
        }
        let message = format!("an error of `{call}` cannot be caught: it ends the script");
        let problem = Problem::new("tool_call_in_try", message)
            .hint("call it outside of `try` and without `catch`; Windlass deals with the failure");
        self.findings.push(Finding::new(span, problem));
    }
}

impl<'a> Visit<'a> for TryFinder<'_> {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        self.scopes.enter(kind);
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        self.scopes.leave(kind);
    }

    bounded_visits!('a);

    fn visit_try_statement(&mut self, statement: &TryStatement<'a>) {
        self.tries += 1;
        self.visit_block_statement(&statement.block);
        self.tries -= 1;
        if let Some(handler) = &statement.handler {
            self.visit_catch_clause(handler);
        }
        if let Some(finalizer) = &statement.finalizer {
            self.visit_block_statement(finalizer);
        }
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Some(name) = tool_of(call, self.functions).filter(|_| self.tries > 0) {
            self.report(call.span, &name);
        } else if let Some(member) = call.callee.as_member_expression()
            && let Some(name) = tool_call(member.object(), self.functions)
        {
            let handles = match member.static_property_name() {
                Some("catch") => true,
                Some("then") => call.arguments.len() > 1,
                Some(_) | None => false,
            };
            if handles {
                self.report(member.object().span(), &name);
            }
        }
        walk::walk_call_expression(self, call);
    }
}

/// The names that are bound inside the outermost function around a place. They hide what is declared at the top level;
/// the position in the function at which they are bound does not matter.
pub(super) struct Scopes {
    functions: u32,
    names: BTreeSet<String>,
    budget: Rc<Budget>,
}

impl Scopes {
    /// The scopes of a walk that has not begun.
    pub(super) fn new(budget: &Rc<Budget>) -> Self {
        Self { functions: 0, names: BTreeSet::new(), budget: Rc::clone(budget) }
    }

    /// To be called for every node that is entered.
    pub(super) fn enter(&mut self, kind: AstKind<'_>) {
        let mut names = Names { found: BTreeSet::new(), depth: Depth::new(&self.budget) };
        match kind {
            AstKind::Function(function) if self.functions == 0 => {
                names.visit_formal_parameters(&function.params);
                if let Some(body) = &function.body {
                    names.visit_function_body(body);
                }
            }
            AstKind::ArrowFunctionExpression(function) if self.functions == 0 => {
                names.visit_formal_parameters(&function.params);
                names.visit_arrow_function_body(&function.body);
            }
            _ => {}
        }
        self.names.append(&mut names.found);
        self.functions += u32::from(is_function(kind));
    }

    /// To be called for every node that is left.
    pub(super) fn leave(&mut self, kind: AstKind<'_>) {
        self.functions -= u32::from(is_function(kind));
        if self.functions == 0 {
            self.names.clear();
        }
    }

    /// Whether the place is inside a function.
    pub(super) const fn is_inside(&self) -> bool {
        self.functions > 0
    }

    /// Whether the name may stand for something else than at the top level.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

const fn is_function(kind: AstKind<'_>) -> bool {
    matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_))
}

/// Collects what is bound.
struct Names {
    found: BTreeSet<String>,
    depth: Depth,
}

impl<'a> Visit<'a> for Names {
    bounded_visits!('a);

    fn visit_binding_identifier(&mut self, identifier: &BindingIdentifier<'a>) {
        self.found.insert(identifier.name.to_string());
    }
}
