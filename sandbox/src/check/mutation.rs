//! Code in `mutate` that never runs, because the mutation before it ends the script.
//!
//! Only what certainly never runs is reported: a statement that directly follows one which calls a tool whatever
//! happens, and a loop whose body directly begins with or contains such a statement. A `return` that calls nothing may
//! follow, and so may declarations of functions.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use oxc_ast::ast::{ArrowFunctionBody, Declaration, Expression, Statement};
use oxc_span::GetSpan;
use windlass_core::Problem;

use super::calls::tool_call;
use super::finding::Finding;
use super::tree::Tree;
use crate::api::Function;

/// Finds such code in the `mutate` of every consumer.
pub(super) fn code_after(tree: &Tree<'_, '_>, functions: &[Function]) -> Vec<Finding> {
    let mut finder = Finder { functions, findings: Vec::new() };
    for function in tree.consumer_functions("mutate") {
        if let Expression::Identifier(name) = function {
            let declared = tree.function(name.name.as_str());
            finder.body(declared.and_then(|declared| declared.body.as_deref()));
        } else if let Expression::FunctionExpression(function) = function {
            finder.body(function.body.as_deref());
        } else if let Expression::ArrowFunctionExpression(function) = function
            && let ArrowFunctionBody::FunctionBody(body) = &function.body
        {
            finder.body(Some(body));
        }
    }
    finder.findings
}

struct Finder<'f> {
    functions: &'f [Function],
    findings: Vec<Finding>,
}

impl Finder<'_> {
    fn body(&mut self, body: Option<&oxc_ast::ast::FunctionBody<'_>>) {
        if let Some(body) = body {
            self.list(&body.statements);
        }
    }

    /// Statements one after the other.
    fn list(&mut self, statements: &[Statement<'_>]) {
        let mut call = None;
        for statement in statements {
            if let Some(call) = &call
                && !self.is_harmless(statement)
            {
                let message = format!("this never runs: `{call}` ends `mutate`");
                let problem = Problem::new("code_after_mutation", message)
                    .hint("do it before the call, or in `next`");
                self.findings.push(Finding::new(statement.span(), problem));
                return;
            }
            call = call.or_else(|| self.call_in(statement));
            self.nested(statement);
        }
    }

    /// The statements inside a statement.
    fn nested(&mut self, statement: &Statement<'_>) {
        if let Statement::BlockStatement(block) = statement {
            self.list(&block.body);
        } else if let Statement::IfStatement(branches) = statement {
            self.nested(&branches.consequent);
            branches.alternate.iter().for_each(|alternate| self.nested(alternate));
        } else if let Statement::TryStatement(attempt) = statement {
            self.list(&attempt.block.body);
        } else if let Statement::SwitchStatement(switch) = statement {
            switch.cases.iter().for_each(|case| self.list(&case.consequent));
        } else if let Some(body) = loop_body(statement) {
            self.repeated(body);
            self.nested(body);
        }
    }

    /// The body of a loop.
    fn repeated(&mut self, body: &Statement<'_>) {
        let statements = match body {
            Statement::BlockStatement(block) => &*block.body,
            other => std::slice::from_ref(other),
        };
        let leaves = |statement: &Statement<'_>| {
            matches!(statement, Statement::ReturnStatement(_) | Statement::BreakStatement(_))
        };
        if statements.iter().any(leaves) {
            return;
        }
        for statement in statements {
            if let Some(call) = self.call_in(statement) {
                let message = format!("this loop runs only once: `{call}` ends `mutate`");
                let problem = Problem::new("mutation_in_loop", message)
                    .hint("reserve one event per run: each run makes one mutation");
                self.findings.push(Finding::new(statement.span(), problem));
                return;
            }
        }
    }

    /// The tool that a statement calls whatever happens.
    fn call_in(&self, statement: &Statement<'_>) -> Option<String> {
        if let Statement::ExpressionStatement(statement) = statement {
            return match &statement.expression {
                Expression::AssignmentExpression(assignment) => {
                    tool_call(&assignment.right, self.functions)
                }
                expression => tool_call(expression, self.functions),
            };
        }
        let Some(Declaration::VariableDeclaration(variables)) = statement.as_declaration() else {
            return None;
        };
        let values = variables.declarations.iter().filter_map(|variable| variable.init.as_ref());
        values.into_iter().find_map(|value| tool_call(value, self.functions))
    }

    /// Whether a statement may stand after the call.
    fn is_harmless(&self, statement: &Statement<'_>) -> bool {
        match statement {
            Statement::ReturnStatement(result) => result
                .argument
                .as_ref()
                .is_none_or(|result| tool_call(result, self.functions).is_none()),
            Statement::EmptyStatement(_)
            | Statement::FunctionDeclaration(_)
            | Statement::BreakStatement(_)
            | Statement::ContinueStatement(_) => true,
            _ => false,
        }
    }
}

fn loop_body<'t, 'a>(statement: &'t Statement<'a>) -> Option<&'t Statement<'a>> {
    match statement {
        Statement::ForStatement(repeat) => Some(&repeat.body),
        Statement::ForOfStatement(repeat) => Some(&repeat.body),
        Statement::ForInStatement(repeat) => Some(&repeat.body),
        Statement::WhileStatement(repeat) => Some(&repeat.body),
        Statement::DoWhileStatement(repeat) => Some(&repeat.body),
        _ => None,
    }
}
