//! Calls whose promise is thrown away: the handler may return before they are answered, and then it fails.
//!
//! Only what certainly happens is reported. A promise counts as kept if it is awaited, returned, passed on or stored in a variable
//! that is used. Changes are left out because they end the script, and so are publications because the sandbox waits for them.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, ArrayExpressionElement, BindingPattern, CallExpression, Expression,
    ExpressionStatement, MemberExpression, Program, UnaryOperator, VariableDeclarator,
};
use oxc_ast_visit::Visit;
use oxc_span::Span;
use windlass_core::{Operation, Problem};

use super::calls::tool_of;
use super::finding::Finding;
use super::survey::{Place, function_at};
use super::walk::{Budget, Depth, bounded_visits};
use crate::api::Function;

/// Array methods that throw away what their callback returns, or take a promise for `true`.
const CARELESS: &[&str] =
    &["forEach", "filter", "find", "findIndex", "findLast", "some", "every", "sort"];

/// Finds them.
pub(super) fn calls(
    program: &Program<'_>,
    functions: &[Function],
    budget: &Rc<Budget>,
) -> Vec<Finding> {
    let mut survey = Survey {
        functions,
        open: Vec::new(),
        bindings: BTreeMap::new(),
        references: BTreeSet::new(),
        bodies: BTreeMap::new(),
        by_name: BTreeMap::new(),
        statements: Vec::new(),
        calls: Vec::new(),
        variables: Vec::new(),
        depth: Depth::new(budget),
    };
    survey.visit_program(program);
    let waiting = survey.waiting_functions();
    Judge { survey: &survey, waiting: &waiting, budget }.findings()
}

/// What is known of a function.
#[derive(Default)]
struct Body<'a> {
    is_async: bool,
    /// The function around it.
    parent: Option<Place>,
    /// The first tool that it calls and whose answer it needs.
    tool: Option<String>,
    /// The functions that it calls by name.
    helpers: Vec<&'a str>,
    /// What it returns, if its body is an expression.
    value: Option<&'a Expression<'a>>,
}

/// Everything in a script that the rule looks at.
struct Survey<'a, 'f> {
    functions: &'f [Function],
    /// The functions around the place of the walk, the innermost last.
    open: Vec<Place>,
    /// How often each name is declared or changed.
    bindings: BTreeMap<&'a str, u32>,
    references: BTreeSet<&'a str>,
    bodies: BTreeMap<Place, Body<'a>>,
    by_name: BTreeMap<&'a str, Place>,
    statements: Vec<&'a ExpressionStatement<'a>>,
    calls: Vec<&'a CallExpression<'a>>,
    variables: Vec<&'a VariableDeclarator<'a>>,
    depth: Depth,
}

impl<'a> Survey<'a, '_> {
    fn open(&mut self, place: Place, is_async: bool, value: Option<&'a Expression<'a>>) {
        let parent = self.open.last().copied();
        self.bodies.insert(place, Body { is_async, parent, value, ..Body::default() });
        self.open.push(place);
    }

    fn bind(&mut self, name: &'a str) {
        *self.bindings.entry(name).or_default() += 1;
    }

    fn call(&mut self, call: &'a CallExpression<'a>) {
        self.calls.push(call);
        let tool = self.tool(call);
        let Some(body) = self.open.last().and_then(|place| self.bodies.get_mut(place)) else {
            return;
        };
        if tool.is_some() {
            body.tool = body.tool.take().or(tool);
        } else if let Some(helper) = call.callee.get_identifier_reference() {
            body.helpers.push(helper.name.as_str());
        }
        for argument in &call.arguments {
            if let Some(helper) =
                argument.as_expression().and_then(|it| it.get_identifier_reference())
            {
                body.helpers.push(helper.name.as_str());
            }
        }
    }

    /// The tool that a call calls, if the script needs its answer.
    fn tool(&self, call: &CallExpression<'_>) -> Option<String> {
        let name = tool_of(call, self.functions)?;
        let (namespace, method) = name.split_once('.')?;
        let is_it = |it: &&Function| (&*it.namespace, &*it.method) == (namespace, method);
        let known = self.functions.iter().find(is_it).filter(|_| !self.hides(&name))?;
        match known.operation {
            Operation::Read | Operation::TopicPeek | Operation::RegisterInput => Some(name),
            Operation::Mutation | Operation::TopicPublish => None,
        }
    }

    /// Whether the script declares a name of its own like that tool's namespace.
    fn hides(&self, tool: &str) -> bool {
        tool.split('.').next().is_some_and(|namespace| self.bindings.contains_key(namespace))
    }

    /// The function that a name stands for, if it can stand for no other.
    fn named(&self, name: &str) -> Option<Place> {
        let is_unique = self.bindings.get(name) == Some(&1);
        self.by_name.get(name).copied().filter(|_| is_unique)
    }

    /// The functions that wait for the answer of a tool, directly or through others, with the name of a tool.
    fn waiting_functions(&self) -> BTreeMap<Place, String> {
        let mut reached_from: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for (place, body) in &self.bodies {
            let helpers = body.helpers.iter().filter_map(|name| self.named(name));
            helpers.for_each(|helper| reached_from.entry(helper).or_default().push(*place));
            body.parent.iter().for_each(|parent| {
                reached_from.entry(*place).or_default().push(*parent);
            });
        }
        let own = |(place, body): (&Place, &Body<'_>)| {
            Some((*place, body.tool.clone().filter(|tool| !self.hides(tool))?))
        };
        let mut next: Vec<_> = self.bodies.iter().filter_map(own).collect();
        let mut waiting = BTreeMap::new();
        while let Some((place, tool)) = next.pop() {
            if waiting.contains_key(&place) {
                continue;
            }
            let callers = reached_from.get(&place).into_iter().flatten();
            next.extend(callers.map(|caller| (*caller, tool.clone())));
            waiting.insert(place, tool);
        }
        waiting
    }
}

impl<'a> Visit<'a> for Survey<'a, '_> {
    bounded_visits!('a);

    fn enter_node(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::Function(function) => {
                if let Some(id) = &function.id {
                    self.by_name.insert(id.name.as_str(), function.span.start);
                }
                self.open(function.span.start, function.r#async, None);
            }
            AstKind::ArrowFunctionExpression(arrow) => {
                self.open(arrow.span.start, arrow.r#async, arrow.body.as_expression());
            }
            AstKind::VariableDeclarator(variable) => {
                self.variables.push(variable);
                if let (BindingPattern::BindingIdentifier(id), Some(value)) =
                    (&variable.id, &variable.init)
                    && let Some(place) = function_at(value)
                {
                    self.by_name.insert(id.name.as_str(), place);
                }
            }
            AstKind::BindingIdentifier(id) => self.bind(id.name.as_str()),
            AstKind::IdentifierReference(id) => {
                self.references.insert(id.name.as_str());
            }
            AstKind::AssignmentExpression(assignment) => {
                if let Some(name) = assignment.left.get_identifier_name() {
                    self.bind(name);
                }
            }
            AstKind::ExpressionStatement(statement) => self.statements.push(statement),
            AstKind::CallExpression(call) => self.call(call),
            _ => {}
        }
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        if matches!(kind, AstKind::Function(_) | AstKind::ArrowFunctionExpression(_)) {
            self.open.pop();
        }
    }
}

/// Whether an expression makes a list of promises, for which `await` alone does not wait.
fn is_list(expression: &Expression<'_>) -> bool {
    let expression = expression.get_inner_expression();
    let method = match expression {
        Expression::CallExpression(call) => {
            let callee = call.callee.get_inner_expression().as_member_expression();
            callee.and_then(MemberExpression::static_property_name)
        }
        _ => None,
    };
    matches!(expression, Expression::ArrayExpression(_))
        || matches!(method, Some("map" | "flatMap"))
}

/// Decides which promises are thrown away.
struct Judge<'s, 'a, 'f> {
    survey: &'s Survey<'a, 'f>,
    waiting: &'s BTreeMap<Place, String>,
    budget: &'s Rc<Budget>,
}

impl<'a> Judge<'_, 'a, '_> {
    fn findings(&self) -> Vec<Finding> {
        let statements = self.survey.statements.iter().filter_map(|statement| {
            let tool = self.promise(&statement.expression)?;
            if is_list(&statement.expression) {
                return Some(finding(
                    statement.span,
                    &tool,
                    "write `await Promise.all(…)` around it",
                ));
            }
            let hint = "write `await` before it, in an async function";
            Some(finding(statement.span, &tool, hint).precede(statement.span, "await "))
        });
        let callbacks = self.survey.calls.iter().filter_map(|call| {
            let member = call.callee.get_inner_expression().as_member_expression()?;
            let method = member.static_property_name().filter(|it| CARELESS.contains(it))?;
            let tool = self.callback(call.arguments.first()?)?;
            let hint = format!(
                "`{method}` waits for no promise: write `for (const item of items) {{ … await … }}`, or \
                 `await Promise.all(items.map(async (item) => …))`"
            );
            Some(finding(call.span, &tool, &hint))
        });
        let variables = self.survey.variables.iter().filter_map(|variable| {
            let BindingPattern::BindingIdentifier(id) = &variable.id else { return None };
            let is_unused = !self.survey.references.contains(id.name.as_str());
            let tool = self.promise(variable.init.as_ref().filter(|_| is_unused)?)?;
            let hint = format!("`{}` is never used: write `await` before the call", id.name);
            Some(finding(variable.span, &tool, &hint))
        });
        statements.chain(callbacks).chain(variables).collect()
    }

    /// The tool for whose answer the promise waits that an expression makes, if it makes one.
    fn promise(&self, expression: &'a Expression<'a>) -> Option<String> {
        let mut search = Search { open: vec![expression], seen: BTreeSet::new() };
        self.search(&mut search)
    }

    /// The tool that a callback waits for.
    fn callback(&self, argument: &'a Argument<'a>) -> Option<String> {
        let mut search = Search::default();
        let function = argument.as_expression()?.get_inner_expression();
        self.function(function, &mut search).or_else(|| self.search(&mut search))
    }

    fn search(&self, search: &mut Search<'a>) -> Option<String> {
        while let Some(expression) = search.open.pop() {
            if !self.budget.take() {
                return None;
            }
            match expression.get_inner_expression() {
                Expression::UnaryExpression(unary) if unary.operator == UnaryOperator::Void => {
                    search.open.push(&unary.argument);
                }
                Expression::LogicalExpression(either) => search.open.push(&either.right),
                Expression::ConditionalExpression(either) => {
                    search.open.extend([&either.consequent, &either.alternate]);
                }
                Expression::SequenceExpression(all) => search.open.extend(&all.expressions),
                Expression::ArrayExpression(all) => {
                    let elements = all.elements.iter();
                    search.open.extend(elements.filter_map(ArrayExpressionElement::as_expression));
                }
                Expression::CallExpression(call) => {
                    let found = self.survey.tool(call).or_else(|| self.call(call, search));
                    if found.is_some() {
                        return found;
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The tool that a call waits for because of the functions in it. What else its promise is made of is left to the search.
    fn call(&self, call: &'a CallExpression<'a>, search: &mut Search<'a>) -> Option<String> {
        let callee = call.callee.get_inner_expression();
        let Some(member) = callee.as_member_expression() else {
            return self.function(callee, search);
        };
        let mut arguments = call.arguments.iter().filter_map(Argument::as_expression);
        match (member.object().get_identifier_reference(), member.static_property_name()?) {
            (Some(promise), "all" | "allSettled" | "any" | "race") if promise.name == "Promise" => {
                search.open.extend(arguments);
                None
            }
            (_, "then" | "catch" | "finally") => {
                search.open.push(member.object());
                arguments.find_map(|it| self.function(it.get_inner_expression(), search))
            }
            (_, "map" | "flatMap") => {
                self.function(arguments.next()?.get_inner_expression(), search)
            }
            _ => None,
        }
    }

    /// The tool that the promise of an async function waits for. What another function returns is left to the search.
    fn function(&self, function: &'a Expression<'a>, search: &mut Search<'a>) -> Option<String> {
        let place = match function {
            Expression::Identifier(name) => self.survey.named(name.name.as_str())?,
            other => function_at(other)?,
        };
        let body = self.survey.bodies.get(&place)?;
        if body.is_async {
            return self.waiting.get(&place).cloned();
        }
        if search.seen.insert(place) {
            search.open.extend(body.value);
        }
        None
    }
}

/// The expressions that a promise may be made of and that have not been looked at, and the functions that have been.
#[derive(Default)]
struct Search<'a> {
    open: Vec<&'a Expression<'a>>,
    seen: BTreeSet<Place>,
}

fn finding(span: Span, tool: &str, hint: &str) -> Finding {
    let message = format!(
        "nobody awaits this, which calls `{tool}`: the handler may return before the answer is there, and then fails"
    );
    Finding::new(span, Problem::new("unawaited_call", message).hint(hint))
}
