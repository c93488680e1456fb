//! Ids that a producer makes of the clock or of chance: every poll then publishes the same thing again.
//!
//! A time that is cut to a day or an hour is a fine id, and so is any id of an input of the source `System`, which stands for a
//! moment or a throw of the dice itself.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::collections::BTreeSet;
use std::rc::Rc;

use oxc_ast::ast::{
    Argument, ArrayExpressionElement, BinaryExpression, BinaryOperator, CallExpression, Expression,
};
use oxc_span::{GetSpan, Span};
use windlass_core::{Operation, Problem, ScriptPhase};

use super::finding::Finding;
use super::reach::Reached;
use super::survey::{Place, Property, Survey, property};
use super::walk::Budget;

/// Methods of a date and its texts that keep every moment apart from the next.
const KEEP_THE_MOMENT: &[&str] = &[
    "toISOString",
    "toJSON",
    "getTime",
    "valueOf",
    "toString",
    "padStart",
    "replace",
    "replaceAll",
];

/// How many names and functions are followed one after the other.
const MAX_STEPS: usize = 16;

/// Where an id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Clock,
    Chance,
}

/// Finds them.
pub(super) fn unstable(
    reached: &[Reached<'_, '_, '_>],
    survey: &Survey<'_>,
    budget: &Rc<Budget>,
) -> Vec<Finding> {
    let producers = reached.iter().filter(|it| it.handler.phase == ScriptPhase::Producer);
    let of_moments: BTreeSet<&str> = producers
        .clone()
        .filter(|it| it.function.operation == Operation::RegisterInput && may_be_system(it.call))
        .map(|it| it.handler.name.as_str())
        .collect();
    let mut reported = BTreeSet::new();
    let found = producers.filter(|it| !of_moments.contains(it.handler.name.as_str())).filter_map(|it| {
        let (key, id) = id_of(it)?;
        let mut search = Search { survey, budget, steps: Vec::new(), functions: BTreeSet::new() };
        let (origin, span) = search.origin(id)?;
        if !reported.insert(id.span().start) {
            return None;
        }
        let what = match origin {
            Origin::Clock => "the clock",
            Origin::Chance => "chance",
        };
        let message = format!("`{key}` is made of {what}: each poll finds the same thing anew");
        let problem = Problem::new("unstable_id", message).hint(
            "take the thing's own id, such as a message id, a path or a number that it has at its source",
        );
        let is_elsewhere = !(id.span().start..id.span().end).contains(&span.start);
        let places: Vec<_> =
            is_elsewhere.then(|| (span, format!("{what} comes in here"))).into_iter().collect();
        Some(Finding::new(id.span(), problem).because(&places))
    });
    found.collect()
}

/// Whether an input may be a moment or a throw of the dice.
fn may_be_system(call: &CallExpression<'_>) -> bool {
    let input = call.arguments.first().and_then(Argument::as_expression);
    match input.map(|input| property(input, "source")) {
        Some(Property::Is(Expression::StringLiteral(source))) => source.value == "System",
        Some(Property::Is(_) | Property::Unknown) | None => true,
        Some(Property::Missing(_)) => false,
    }
}

/// The id in the input of a call, and what it is called there.
fn id_of<'a>(it: &Reached<'_, 'a, '_>) -> Option<(&'static str, &'a Expression<'a>)> {
    let input = it.call.arguments.first()?.as_expression()?;
    let (key, owner) = match it.function.operation {
        Operation::RegisterInput => ("id", input),
        Operation::TopicPublish => match property(input, "event") {
            Property::Is(event) => ("messageId", event),
            Property::Missing(_) | Property::Unknown => return None,
        },
        Operation::Read | Operation::Mutation | Operation::TopicPeek => return None,
    };
    match property(owner, key) {
        Property::Is(id) => Some((key, id)),
        Property::Missing(_) | Property::Unknown => None,
    }
}

struct Search<'s, 'a> {
    survey: &'s Survey<'a>,
    budget: &'s Rc<Budget>,
    /// The names that are being followed.
    steps: Vec<&'a str>,
    /// The functions that have been looked into.
    functions: BTreeSet<Place>,
}

impl<'a> Search<'_, 'a> {
    /// What a value is made of, if it is a new one at every moment, and where that comes in.
    fn origin(&mut self, value: &'a Expression<'a>) -> Option<(Origin, Span)> {
        if !self.budget.take() || self.steps.len() > MAX_STEPS {
            return None;
        }
        match value.get_inner_expression() {
            Expression::CallExpression(call) => self.call(call),
            Expression::NewExpression(made) if made.callee.is_specific_id("Date") => {
                match made.arguments.first() {
                    None => Some((Origin::Clock, made.span)),
                    Some(of) => self.origin(of.as_expression()?),
                }
            }
            Expression::TemplateLiteral(text) => {
                text.expressions.iter().find_map(|it| self.origin(it))
            }
            Expression::BinaryExpression(binary) => self.binary(binary),
            Expression::UnaryExpression(unary) => self.origin(&unary.argument),
            Expression::AwaitExpression(awaited) => self.origin(&awaited.argument),
            Expression::LogicalExpression(either) => {
                self.origin(&either.left).or_else(|| self.origin(&either.right))
            }
            Expression::ConditionalExpression(either) => {
                self.origin(&either.consequent).or_else(|| self.origin(&either.alternate))
            }
            Expression::Identifier(name) => {
                let name = name.name.as_str();
                let value = self.survey.value(name).filter(|_| !self.steps.contains(&name))?;
                self.steps.push(name);
                let origin = self.origin(value);
                self.steps.pop();
                origin
            }
            _ => None,
        }
    }

    fn binary(&mut self, binary: &'a BinaryExpression<'a>) -> Option<(Origin, Span)> {
        let origin = self.origin(&binary.left).or_else(|| self.origin(&binary.right));
        // A division or a remainder may make a day of a moment; nothing makes a stable value of chance.
        let keeps = |(origin, _): &(Origin, Span)| {
            *origin == Origin::Chance || binary.operator == BinaryOperator::Addition
        };
        origin.filter(keeps)
    }

    fn call(&mut self, call: &'a CallExpression<'a>) -> Option<(Origin, Span)> {
        let callee = call.callee.get_inner_expression();
        if callee.is_specific_member_access("Date", "now") {
            return Some((Origin::Clock, call.span));
        }
        if callee.is_specific_member_access("Math", "random") {
            return Some((Origin::Chance, call.span));
        }
        let first = call.arguments.first().and_then(Argument::as_expression);
        if let Some(name) = callee.get_identifier_reference() {
            let name = name.name.as_str();
            if matches!(name, "String" | "Number" | "BigInt") {
                return self.origin(first?);
            }
            let place = self.survey.function(name)?;
            return self.result_of(place);
        }
        let member = callee.as_member_expression()?;
        let method = member.static_property_name()?;
        if member.object().is_specific_id("Math") || member.object().is_specific_id("JSON") {
            return self.origin(first?);
        }
        if let (Expression::ArrayExpression(list), "join") =
            (member.object().get_inner_expression(), method)
        {
            let items = list.elements.iter().filter_map(ArrayExpressionElement::as_expression);
            return items.into_iter().find_map(|it| self.origin(it));
        }
        let keeps = |(origin, _): &(Origin, Span)| {
            *origin == Origin::Chance || KEEP_THE_MOMENT.contains(&method)
        };
        self.origin(member.object()).filter(keeps)
    }

    /// What a function of the script returns.
    fn result_of(&mut self, place: Place) -> Option<(Origin, Span)> {
        if !self.functions.insert(place) {
            return None;
        }
        let body = self.survey.bodies.get(&place)?;
        body.returned.iter().find_map(|it| self.origin(it))
    }
}
