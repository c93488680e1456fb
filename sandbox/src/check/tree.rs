//! A script's syntax tree, and how to get from keys of `workflow` to positions in the text.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::collections::{BTreeMap, BTreeSet};

use oxc_ast::ast::{
    ArrayExpressionElement, BindingPattern, CallExpression, Declaration, Expression, Function,
    ObjectExpression, ObjectPropertyKind, Program, PropertyKey, Statement,
};
use oxc_span::{GetSpan, Span};
use windlass_core::ScriptPhase;

use super::survey::{self, Place};
use super::walk::Budget;
use crate::host::function_of;

/// How many names are followed one after the other, and how many objects are searched for a key.
const STEPS: u32 = 32;

/// What a script declares at its top level.
pub(super) struct Tree<'t, 'a> {
    values: BTreeMap<&'t str, &'t Expression<'a>>,
    functions: BTreeMap<&'t str, &'t Function<'a>>,
    workflow: Option<Span>,
    budget: &'t Budget,
}

/// A function of the workflow that the engine calls.
pub(super) struct Handler<'t, 'a> {
    pub(super) phase: ScriptPhase,
    /// The name of its producer or consumer.
    pub(super) name: String,
    pub(super) function: &'t Expression<'a>,
}

impl Handler<'_, '_> {
    /// How a message calls it.
    pub(super) fn title(&self) -> String {
        format!("`{}` of `{}`", function_of(self.phase), self.name)
    }
}

/// A member of an object, and where its key is.
type Member<'t, 'a> = (Span, &'t Expression<'a>);

impl<'t, 'a> Tree<'t, 'a> {
    /// Reads the top level of the program.
    pub(super) fn new(program: &'t Program<'a>, budget: &'t Budget) -> Self {
        let (values, functions) = (BTreeMap::new(), BTreeMap::new());
        let mut tree = Self { values, functions, workflow: None, budget };
        for statement in &program.body {
            tree.add(statement);
        }
        tree
    }

    fn add(&mut self, statement: &'t Statement<'a>) {
        if let Some(Declaration::FunctionDeclaration(function)) = statement.as_declaration() {
            if let Some(id) = &function.id {
                self.functions.insert(id.name.as_str(), function);
            }
        } else if let Some(Declaration::VariableDeclaration(variables)) = statement.as_declaration()
        {
            for variable in &variables.declarations {
                if let (BindingPattern::BindingIdentifier(id), Some(value)) =
                    (&variable.id, &variable.init)
                {
                    self.define(id.name.as_str(), id.span, value);
                }
            }
        } else if let Statement::ExpressionStatement(statement) = statement
            && let Expression::AssignmentExpression(assignment) = &statement.expression
            && let Some(name) = assignment.left.get_identifier_name()
        {
            self.define(name, assignment.left.span(), &assignment.right);
        }
    }

    fn define(&mut self, name: &'t str, span: Span, value: &'t Expression<'a>) {
        self.values.insert(name, value);
        if name == "workflow" {
            self.workflow = Some(span);
        }
    }

    /// Where the value under that path is written, or else the nearest one around it that can be found.
    pub(super) fn locate(&self, path: &[String]) -> Option<Span> {
        let mut span = self.workflow?;
        let mut value = *self.values.get("workflow")?;
        for key in path {
            let Some((place, next)) = self.member(value, key) else { break };
            (span, value) = (place, next);
        }
        Some(span)
    }

    /// The functions under the key `name` of every consumer.
    pub(super) fn consumer_functions(&self, name: &str) -> Vec<&'t Expression<'a>> {
        let consumers = self.group("consumers").into_iter();
        let functions = consumers.filter_map(|(_, consumer)| self.member(consumer, name));
        functions.map(|(_, value)| self.follow(value)).collect()
    }

    /// Every function that is called from outside, as far as it can be found.
    pub(super) fn handlers(&self) -> Vec<Handler<'t, 'a>> {
        let mut handlers = Vec::new();
        for phase in ScriptPhase::ALL.iter().copied() {
            let group = match phase {
                ScriptPhase::Producer => "producers",
                ScriptPhase::Prepare | ScriptPhase::Mutate | ScriptPhase::Next => "consumers",
            };
            for (name, handler) in self.group(group) {
                if let Some((_, function)) = self.member(handler, function_of(phase)) {
                    handlers.push(Handler { phase, name, function: self.follow(function) });
                }
            }
        }
        handlers
    }

    /// The names and values in `producers` or `consumers`.
    fn group(&self, group: &str) -> Vec<(String, &'t Expression<'a>)> {
        let workflow = self.values.get("workflow").copied();
        let group = workflow
            .and_then(|workflow| self.member(workflow, group))
            .and_then(|(_, group)| self.object(group));
        let members = group.into_iter().flat_map(|group| &group.properties);
        let named = members.filter_map(|member| match member {
            ObjectPropertyKind::ObjectProperty(member) => {
                Some((self.name(&member.key, member.computed)?, &member.value))
            }
            ObjectPropertyKind::SpreadProperty(_) => None,
        });
        named.collect()
    }

    /// Where the function is that a handler's expression stands for.
    pub(super) fn function_at(&self, expression: &Expression<'_>) -> Option<Place> {
        match expression {
            Expression::Identifier(name) => Some(self.function(name.name.as_str())?.span.start),
            other => survey::function_at(other),
        }
    }

    /// The function declaration of that name.
    pub(super) fn function(&self, name: &str) -> Option<&'t Function<'a>> {
        self.functions.get(name).copied()
    }

    fn member(&self, value: &'t Expression<'a>, key: &str) -> Option<Member<'t, 'a>> {
        if let Expression::ArrayExpression(array) = self.follow(value) {
            let index: usize = key.parse().ok()?;
            let elements = array.elements.get(..=index)?;
            if elements.iter().any(ArrayExpressionElement::is_spread) {
                return None;
            }
            let element = elements.last()?.as_expression()?;
            return Some((element.span(), element));
        }
        self.property(self.object(value)?, key, &mut BTreeSet::new())
    }

    /// The last property of that name wins. `searched` are the objects in which it is not, by their places.
    fn property(
        &self,
        object: &'t ObjectExpression<'a>,
        key: &str,
        searched: &mut BTreeSet<u32>,
    ) -> Option<Member<'t, 'a>> {
        let is_new = searched.len() < STEPS as usize && searched.insert(object.span.start);
        if !is_new {
            return None;
        }
        object.properties.iter().rev().find_map(|property| match property {
            _ if !self.budget.take() => None,
            ObjectPropertyKind::ObjectProperty(property) => {
                let name = self.name(&property.key, property.computed)?;
                (name == key).then(|| (property.key.span(), &property.value))
            }
            ObjectPropertyKind::SpreadProperty(spread) => {
                self.property(self.object(&spread.argument)?, key, searched)
            }
        })
    }

    /// What a key is called, if that can be read off.
    fn name(&self, key: &'t PropertyKey<'a>, is_computed: bool) -> Option<String> {
        if let (true, Some(key)) = (is_computed, key.as_expression()) {
            let Expression::StringLiteral(text) = self.follow(key) else { return None };
            return Some(text.value.to_string());
        }
        key.static_name().map(std::borrow::Cow::into_owned)
    }

    fn object(&self, value: &'t Expression<'a>) -> Option<&'t ObjectExpression<'a>> {
        match self.follow(value) {
            Expression::ObjectExpression(object) => Some(object),
            _ => None,
        }
    }

    /// Follows names of constants, and looks through `Object.freeze`.
    fn follow(&self, value: &'t Expression<'a>) -> &'t Expression<'a> {
        let mut value = value.get_inner_expression();
        for _ in 0..STEPS {
            let next = if let Expression::Identifier(name) = value {
                self.values.get(name.name.as_str()).copied()
            } else if let Expression::CallExpression(call) = value {
                frozen(call)
            } else {
                None
            };
            let Some(next) = next else { break };
            value = next.get_inner_expression();
        }
        value
    }
}

fn frozen<'t, 'a>(call: &'t CallExpression<'a>) -> Option<&'t Expression<'a>> {
    let is_freeze = call.callee.is_specific_member_access("Object", "freeze");
    call.arguments.first().filter(|_| is_freeze)?.as_expression()
}
