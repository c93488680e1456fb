//! Calls that their phase does not permit, and topics that a handler has not declared. A call in a helper counts for every handler
//! that calls the helper.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::collections::BTreeSet;

use oxc_ast::ast::{ArrayExpressionElement, CallExpression, Expression};
use oxc_span::{GetSpan, Span};
use windlass_core::{Manifest, Operation, Problem, ScriptPhase, nearest};

use super::finding::Finding;
use super::reach::Reached;
use super::survey::{Property, Survey, property};

/// Finds calls that fail because of their phase.
pub(super) fn wrong_phases(reached: &[Reached<'_, '_, '_>]) -> Vec<Finding> {
    let is_right = |it: &&Reached<'_, '_, '_>| it.handler.phase.permits(it.function.operation);
    let right: BTreeSet<u32> =
        reached.iter().filter(is_right).map(|it| it.call.span.start).collect();
    let mut reported = BTreeSet::new();
    let mut findings = Vec::new();
    for it in reached.iter().filter(|it| !is_right(it)) {
        let at = it.call.span.start;
        if (it.is_uncertain && right.contains(&at)) || !reported.insert(at) {
            continue;
        }
        let name = format!("{}.{}", it.function.namespace, it.function.method);
        let problem =
            Problem::new("wrong_phase", it.handler.phase.violation(&name, it.function.operation));
        findings.push(Finding::new(it.call.span, problem).because(&it.route));
    }
    findings
}

/// Finds topics that a handler uses and has not declared.
pub(super) fn topics(
    reached: &[Reached<'_, '_, '_>],
    manifest: &Manifest,
    survey: &Survey<'_>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reported = BTreeSet::new();
    for it in reached.iter().filter(|it| it.handler.phase.permits(it.function.operation)) {
        let Some(topics) = Topics::of(it, manifest) else { continue };
        for (name, span) in named_topics(it.call, survey) {
            if topics.declared.contains(name) || it.is_uncertain || !reported.insert(span.start) {
                continue;
            }
            findings.push(topics.undeclared(it, name, span));
        }
    }
    findings
}

/// The topics that a call may name.
struct Topics<'m> {
    code: &'static str,
    verb: &'static str,
    key: &'static str,
    declared: &'m BTreeSet<String>,
    all: &'m BTreeSet<String>,
}

impl<'m> Topics<'m> {
    fn of(it: &Reached<'_, '_, '_>, manifest: &'m Manifest) -> Option<Self> {
        let (name, all) = (&it.handler.name, &manifest.topics);
        let publishes = |declared| Self {
            code: "publish_undeclared",
            verb: "publishes to",
            key: "publishes",
            declared,
            all,
        };
        match (it.function.operation, it.handler.phase) {
            (Operation::TopicPublish, ScriptPhase::Producer) => {
                Some(publishes(&manifest.producers.get(name)?.publishes))
            }
            (Operation::TopicPublish, _) => {
                Some(publishes(&manifest.consumers.get(name)?.publishes))
            }
            (Operation::TopicPeek, _) => Some(Self {
                code: "peek_unsubscribed",
                verb: "looks at",
                key: "subscribe",
                declared: &manifest.consumers.get(name)?.subscribe,
                all,
            }),
            (Operation::Read | Operation::Mutation | Operation::RegisterInput, _) => None,
        }
    }

    fn undeclared(&self, it: &Reached<'_, '_, '_>, topic: &str, span: Span) -> Finding {
        let Self { code, verb, key, declared, all } = *self;
        let title = it.handler.title();
        let message = format!("{title} {verb} the topic `{topic}`, which is not in `{key}`");
        let likely = nearest(topic, declared).filter(|_| !all.contains(topic));
        let hint = match likely {
            Some(likely) => format!("did you mean `{likely}`?"),
            None => format!("add `\"{topic}\"` to `{key}` of `{}`", it.handler.name),
        };
        let problem = Problem::new(code, message).hint(hint);
        let finding = Finding::new(span, problem).because(&it.route);
        match likely {
            Some(likely) => finding.replace(span, format!("\"{likely}\"")),
            None => finding,
        }
    }
}

/// The topics that the input of a call names, as far as they are written out.
fn named_topics<'a>(call: &'a CallExpression<'a>, survey: &Survey<'a>) -> Vec<(&'a str, Span)> {
    let input = call.arguments.first().and_then(|input| input.as_expression());
    let Some(Property::Is(topic)) = input.map(|input| property(input, "topic")) else {
        return Vec::new();
    };
    let list = match topic.get_inner_expression() {
        Expression::ArrayExpression(list) => {
            list.elements.iter().filter_map(ArrayExpressionElement::as_expression).collect()
        }
        _ => vec![topic],
    };
    list.into_iter().filter_map(|it| Some((text(it, survey)?, it.span()))).collect()
}

/// The text that an expression is, directly or by the name of a constant.
fn text<'a>(expression: &'a Expression<'a>, survey: &Survey<'a>) -> Option<&'a str> {
    let mut expression = expression.get_inner_expression();
    if let Expression::Identifier(name) = expression {
        expression = survey.value(name.name.as_str())?.get_inner_expression();
    }
    match expression {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        Expression::TemplateLiteral(text) => text.single_quasi().map(|text| text.as_str()),
        _ => None,
    }
}

/// Finds publications that say wrongly what caused them: a producer has to, and `next` must not.
pub(super) fn causes(reached: &[Reached<'_, '_, '_>]) -> Vec<Finding> {
    let publications = reached.iter().filter(|it| {
        it.function.operation == Operation::TopicPublish
            && it.handler.phase.permits(it.function.operation)
    });
    let mut reported = BTreeSet::new();
    let found = publications.filter_map(|it| {
        let input = it.call.arguments.first()?.as_expression()?;
        let Property::Is(event) = property(input, "event") else { return None };
        let (span, message, hint) = match (it.handler.phase, property(event, "inputId")) {
            (ScriptPhase::Producer, Property::Missing(span)) => (
                span,
                "a producer's event does not say which input caused it",
                "call `Topics.registerInput` before, and pass the id that it returns as `inputId`",
            ),
            (ScriptPhase::Next, Property::Is(id)) => (
                id.span(),
                "`next` names an input",
                "leave `inputId` out: the event inherits the inputs of the events that were reserved",
            ),
            _ => return None,
        };
        let is_new = !it.is_uncertain && reported.insert(span.start);
        let problem = Problem::new("missing_input", message).hint(hint);
        is_new.then(|| Finding::new(span, problem).because(&it.route))
    });
    found.collect()
}
