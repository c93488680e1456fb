//! What the rules about calls need to know of a script: its functions, what they call, and which names it binds.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use oxc_ast::AstKind;
use oxc_ast::ast::{
    Argument, BindingPattern, CallExpression, Expression, IdentifierReference, Program,
    SimpleAssignmentTarget, UnaryOperator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_span::Span;

use super::walk::{Budget, Depth, bounded_visits};

/// A function's place in the text, which no other function shares.
pub(super) type Place = u32;

/// A call, or the name of a function that is called or passed on.
pub(super) struct Site<T> {
    pub(super) what: T,
    /// Whether a condition decides that it is reached.
    pub(super) is_conditional: bool,
}

/// What a function contains; what stands in a function inside it belongs to that one.
#[derive(Default)]
pub(super) struct Body<'a> {
    pub(super) calls: Vec<Site<&'a CallExpression<'a>>>,
    /// The functions that it may call, by their names.
    pub(super) helpers: Vec<Site<&'a IdentifierReference<'a>>>,
    /// What it returns.
    pub(super) returned: Vec<&'a Expression<'a>>,
    /// How many conditions are open; used during the walk.
    conditions: u32,
}

/// What is known of a script.
pub(super) struct Survey<'a> {
    pub(super) bodies: BTreeMap<Place, Body<'a>>,
    /// The functions that stand in a function, by the place of that one.
    pub(super) inner: BTreeMap<Place, Vec<Place>>,
    /// Every use of a name.
    pub(super) references: Vec<&'a IdentifierReference<'a>>,
    /// The names whose existence the script tests with `typeof`.
    pub(super) tested: BTreeSet<&'a str>,
    /// How often each name is declared or changed.
    bindings: BTreeMap<&'a str, u32>,
    by_name: BTreeMap<&'a str, Place>,
    values: BTreeMap<&'a str, &'a Expression<'a>>,
    open: Vec<Place>,
    depth: Depth,
}

impl<'a> Survey<'a> {
    /// Reads the program.
    pub(super) fn of(program: &Program<'a>, budget: &Rc<Budget>) -> Self {
        let mut survey = Self {
            bodies: BTreeMap::new(),
            inner: BTreeMap::new(),
            references: Vec::new(),
            tested: BTreeSet::new(),
            bindings: BTreeMap::new(),
            by_name: BTreeMap::new(),
            values: BTreeMap::new(),
            open: Vec::new(),
            depth: Depth::new(budget),
        };
        survey.visit_program(program);
        survey
    }

    /// Whether the script declares or sets this name anywhere.
    pub(super) fn binds(&self, name: &str) -> bool {
        self.bindings.contains_key(name)
    }

    /// The function that a name stands for, if it can stand for nothing else.
    pub(super) fn function(&self, name: &str) -> Option<Place> {
        self.by_name.get(name).copied().filter(|_| self.is_constant(name))
    }

    /// The value that a name stands for, if it can stand for nothing else.
    pub(super) fn value(&self, name: &str) -> Option<&'a Expression<'a>> {
        self.values.get(name).copied().filter(|_| self.is_constant(name))
    }

    fn is_constant(&self, name: &str) -> bool {
        self.bindings.get(name) == Some(&1)
    }

    fn bind(&mut self, name: &'a str) {
        *self.bindings.entry(name).or_default() += 1;
    }

    fn open(&mut self, place: Place, value: Option<&'a Expression<'a>>) {
        let parent = self.open.last().copied();
        let body = Body { returned: value.into_iter().collect(), ..Body::default() };
        self.bodies.insert(place, body);
        parent.iter().for_each(|parent| self.inner.entry(*parent).or_default().push(place));
        self.open.push(place);
    }

    fn body(&mut self) -> Option<&mut Body<'a>> {
        self.open.last().and_then(|place| self.bodies.get_mut(place))
    }

    fn call(&mut self, call: &'a CallExpression<'a>) {
        let Some(body) = self.body() else { return };
        let is_conditional = body.conditions > 0;
        body.calls.push(Site { what: call, is_conditional });
        let passed = call.arguments.iter().filter_map(Argument::as_expression);
        for expression in std::iter::once(&call.callee).chain(passed) {
            if let Some(what) = expression.get_identifier_reference() {
                body.helpers.push(Site { what, is_conditional });
            }
        }
    }

    fn declare(&mut self, name: &'a str, value: &'a Expression<'a>) {
        self.values.insert(name, value);
        if let Some(place) = function_at(value) {
            self.by_name.insert(name, place);
        }
    }
}

impl<'a> Visit<'a> for Survey<'a> {
    bounded_visits!('a);

    fn enter_node(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::Function(function) => {
                if let Some(id) = &function.id {
                    self.by_name.insert(id.name.as_str(), function.span.start);
                }
                self.open(function.span.start, None);
            }
            AstKind::ArrowFunctionExpression(arrow) => {
                self.open(arrow.span.start, arrow.body.as_expression());
            }
            AstKind::VariableDeclarator(variable) => {
                if let (BindingPattern::BindingIdentifier(id), Some(value)) =
                    (&variable.id, &variable.init)
                {
                    self.declare(id.name.as_str(), value);
                }
            }
            AstKind::BindingIdentifier(id) => self.bind(id.name.as_str()),
            AstKind::IdentifierReference(id) => self.references.push(id),
            AstKind::AssignmentExpression(assignment) => {
                if let Some(member) = assignment.left.as_member_expression()
                    && member.object().is_specific_id("globalThis")
                    && let Some(name) = member.static_property_name()
                {
                    self.bind(name);
                }
            }
            AstKind::UnaryExpression(unary) if unary.operator == UnaryOperator::Typeof => {
                if let Some(id) = unary.argument.get_identifier_reference() {
                    self.tested.insert(id.name.as_str());
                }
            }
            AstKind::ReturnStatement(result) => {
                if let (Some(value), Some(body)) = (&result.argument, self.body()) {
                    body.returned.push(value);
                }
            }
            AstKind::CallExpression(call) => self.call(call),
            other if is_condition(other) => {
                self.body().into_iter().for_each(|body| body.conditions += 1);
            }
            _ => {}
        }
    }

    fn leave_node(&mut self, kind: AstKind<'a>) {
        match kind {
            AstKind::Function(_) | AstKind::ArrowFunctionExpression(_) => {
                self.open.pop();
            }
            other if is_condition(other) => {
                self.body().into_iter().for_each(|body| body.conditions -= 1);
            }
            _ => {}
        }
    }

    fn visit_simple_assignment_target(&mut self, target: &SimpleAssignmentTarget<'a>) {
        if let SimpleAssignmentTarget::AssignmentTargetIdentifier(id) = target {
            self.bind(id.name.as_str());
        }
        walk::walk_simple_assignment_target(self, target);
    }
}

const fn is_condition(kind: AstKind<'_>) -> bool {
    matches!(
        kind,
        AstKind::IfStatement(_)
            | AstKind::ConditionalExpression(_)
            | AstKind::LogicalExpression(_)
            | AstKind::SwitchCase(_)
    )
}

/// Where the function is that an expression makes.
pub(super) fn function_at(expression: &Expression<'_>) -> Option<Place> {
    match expression.get_inner_expression() {
        Expression::FunctionExpression(function) => Some(function.span.start),
        Expression::ArrowFunctionExpression(arrow) => Some(arrow.span.start),
        _ => None,
    }
}

/// The value of the property `name` of an object that is written out, and whether it has no such property for certain.
pub(super) fn property<'a>(object: &'a Expression<'a>, name: &str) -> Property<'a> {
    use oxc_ast::ast::ObjectPropertyKind;
    let Expression::ObjectExpression(object) = object.get_inner_expression() else {
        return Property::Unknown;
    };
    let mut found = Property::Missing(object.span);
    for member in &object.properties {
        match member {
            ObjectPropertyKind::SpreadProperty(_) => found = Property::Unknown,
            ObjectPropertyKind::ObjectProperty(member) => match member.key.static_name() {
                Some(key) if key == name => found = Property::Is(&member.value),
                None => found = Property::Unknown,
                Some(_) => {}
            },
        }
    }
    found
}

/// What is known of a property.
pub(super) enum Property<'a> {
    /// It has this value.
    Is(&'a Expression<'a>),
    /// The object here does not have it.
    Missing(Span),
    /// Nothing.
    Unknown,
}
