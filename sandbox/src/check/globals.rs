//! State at the top level of a file, which does not last from one call to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oxc_ast::AstKind;
use oxc_ast::ast::{
    AssignmentExpression, BindingPattern, CallExpression, Declaration, Expression, Program,
    UnaryExpression, UnaryOperator, UpdateExpression, VariableDeclaration,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;
use windlass_core::Problem;

use super::calls::Scopes;
use super::finding::Finding;
use super::walk::{Budget, Depth, bounded_visits};

const HINT: &str =
    "every call evaluates the file anew: return what has to last as the handler's state";

const ARRAY_METHODS: &[&str] =
    &["push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "copyWithin"];
const SET_METHODS: &[&str] = &["set", "add", "delete", "clear"];

/// Finds variables at the top level, and constants whose content some function changes.
pub(super) fn shared(program: &Program<'_>, budget: &Rc<Budget>) -> Vec<Finding> {
    let mut finder = Finder {
        constants: BTreeMap::new(),
        reported: BTreeSet::new(),
        findings: Vec::new(),
        scopes: Scopes::new(budget),
        depth: Depth::new(budget),
    };
    for statement in &program.body {
        if let Some(Declaration::VariableDeclaration(variables)) = statement.as_declaration() {
            finder.declare(variables);
        }
    }
    finder.visit_program(program);
    finder.findings
}

/// What a constant holds, as far as it matters which methods change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Array,
    Collection,
    Other,
}

struct Finder {
    constants: BTreeMap<String, Content>,
    reported: BTreeSet<String>,
    findings: Vec<Finding>,
    scopes: Scopes,
    depth: Depth,
}

impl Finder {
    fn declare(&mut self, variables: &VariableDeclaration<'_>) {
        for variable in &variables.declarations {
            let BindingPattern::BindingIdentifier(id) = &variable.id else { continue };
            let name = id.name.to_string();
            // `workflow` itself may be declared in any way.
            if name != "workflow" && !variables.kind.is_const() {
                let kind = variables.kind.as_str();
                let message = format!("`{name}` is declared with `{kind}` at the top level");
                let problem =
                    Problem::new("mutable_global", message).hint(format!("write `const`; {HINT}"));
                self.findings.push(Finding::new(id.span, problem));
            } else {
                let content = variable.init.as_ref().map_or(Content::Other, content_of);
                self.constants.insert(name, content);
            }
        }
    }

    /// Notes that what is under this root is changed, if it is a constant of the top level and the place is a function.
    fn change(&mut self, span: Span, root: &str) {
        let is_shared = self.scopes.is_inside()
            && self.constants.contains_key(root)
            && !self.scopes.hides(root);
        if is_shared && self.reported.insert(root.to_owned()) {
            let message =
                format!("`{root}` is declared at the top level and changed in a function");
            let problem = Problem::new("mutable_global", message).hint(HINT);
            self.findings.push(Finding::new(span, problem));
        }
    }

    /// Whether calling this method of the constant, or of something in it, changes it.
    fn changes(&self, root: &str, is_direct: bool, method: &str) -> bool {
        match self.constants.get(root) {
            None => false,
            Some(Content::Array) => ARRAY_METHODS.contains(&method),
            Some(Content::Collection) => SET_METHODS.contains(&method),
            // A method of an object may be the author's own; lists inside it have only the usual ones.
            Some(Content::Other) => !is_direct && ARRAY_METHODS.contains(&method),
        }
    }
}

impl<'a> Visit<'a> for Finder {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        self.scopes.enter(kind);
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        self.scopes.leave(kind);
    }

    bounded_visits!('a);

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if let Some(member) = assignment.left.as_member_expression()
            && let Some(root) = root_of(member.object())
        {
            self.change(assignment.span, root);
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_update_expression(&mut self, update: &UpdateExpression<'a>) {
        if let Some(member) = update.argument.as_member_expression()
            && let Some(root) = root_of(member.object())
        {
            self.change(update.span, root);
        }
        walk::walk_update_expression(self, update);
    }

    fn visit_unary_expression(&mut self, unary: &UnaryExpression<'a>) {
        if unary.operator == UnaryOperator::Delete
            && let Some(member) = unary.argument.as_member_expression()
            && let Some(root) = root_of(member.object())
        {
            self.change(unary.span, root);
        }
        walk::walk_unary_expression(self, unary);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if call.callee.is_specific_member_access("Object", "assign") {
            let target = call.arguments.first().and_then(|target| target.as_expression());
            if let Some(root) = target.and_then(root_of) {
                self.change(call.span, root);
            }
        } else if let Some(member) = call.callee.get_inner_expression().as_member_expression()
            && let Some(method) = member.static_property_name()
            && let Some(root) = root_of(member.object())
            && self.changes(root, member.object().is_identifier_reference(), method)
        {
            self.change(call.span, root);
        }
        walk::walk_call_expression(self, call);
    }
}

/// The name at the beginning of `name.a[b].c`.
fn root_of<'t>(expression: &'t Expression<'_>) -> Option<&'t str> {
    let mut expression = expression.get_inner_expression();
    while let Some(member) = expression.as_member_expression() {
        expression = member.object().get_inner_expression();
    }
    Some(expression.get_identifier_reference()?.name.as_str())
}

fn content_of(value: &Expression<'_>) -> Content {
    let value = value.get_inner_expression();
    if let Expression::NewExpression(made) = value {
        let class = made.callee.get_identifier_reference().map(|class| class.name.as_str());
        return match class {
            Some("Array") => Content::Array,
            Some("Map" | "Set" | "WeakMap" | "WeakSet") => Content::Collection,
            Some(_) | None => Content::Other,
        };
    }
    if let Expression::CallExpression(call) = value {
        let makes_array = ["from", "of"]
            .iter()
            .any(|method| call.callee.is_specific_member_access("Array", method));
        return if makes_array { Content::Array } else { Content::Other };
    }
    if matches!(value, Expression::ArrayExpression(_)) { Content::Array } else { Content::Other }
}
