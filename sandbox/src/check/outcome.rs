//! A `next` that reads the mutation's result without checking whether there is one.
//!
//! This is advice, not a rule: a function that mentions `status` anywhere, or uses the result in another way than by reading its
//! members, counts as checking it.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a rule is about few of the many kinds of syntax"
)]

use std::rc::Rc;

use oxc_ast::ast::{BindingPattern, Expression, FormalParameters, Statement};
use oxc_ast_visit::{Visit, walk};
use oxc_span::{GetSpan, Span};
use windlass_core::Problem;

use super::finding::Finding;
use super::tree::Tree;
use super::walk::{Budget, Depth};

/// Finds them in the `next` of every consumer, one for each.
pub(super) fn unchecked_results(
    tree: &Tree<'_, '_>,
    source: &str,
    budget: &Rc<Budget>,
) -> Vec<Finding> {
    let functions = tree.consumer_functions("next");
    let unchecked = |function| unchecked_in(function, tree, source, Reader::new(budget));
    functions.into_iter().filter_map(unchecked).collect()
}

fn unchecked_in(
    function: &Expression<'_>,
    tree: &Tree<'_, '_>,
    source: &str,
    mut reader: Reader,
) -> Option<Finding> {
    let (span, place) = if let Expression::ArrowFunctionExpression(arrow) = function {
        let place = reader.read(&arrow.params, |reader| {
            reader.visit_arrow_function_body(&arrow.body);
        });
        (arrow.span, place)
    } else {
        let function = match function {
            Expression::Identifier(name) => tree.function(name.name.as_str())?,
            Expression::FunctionExpression(function) => function,
            _ => return None,
        };
        let place = reader.read(&function.params, |reader| {
            function.body.iter().for_each(|body| reader.visit_function_body(body));
        });
        (function.span, place)
    };
    let text = source.get(span.start as usize..span.end as usize)?;
    let place = place.filter(|_| !text.contains("status"))?;
    let message = "`next` reads the mutation's result without checking its `status`";
    let problem = Problem::new("unchecked_result", message)
        .hint("only with the status `applied` there is a result: `next` also runs with `none` and `skipped`");
    Some(Finding::new(place, problem))
}

/// How the body of a function calls the result.
enum Name {
    Nothing,
    /// By the name it was taken apart into.
    Own(String),
    /// As `result` of what has this name.
    MemberOf(String),
}

/// Follows the uses of the result.
struct Reader {
    name: Name,
    n_uses: usize,
    /// Those of the uses that read what is in it.
    reads: Vec<Span>,
    depth: Depth,
}

impl Reader {
    fn new(budget: &Rc<Budget>) -> Self {
        Self { name: Name::Nothing, n_uses: 0, reads: Vec::new(), depth: Depth::new(budget) }
    }

    /// The first place that needs a result, if all that use it do.
    fn read(
        &mut self,
        params: &FormalParameters<'_>,
        walk: impl FnOnce(&mut Self),
    ) -> Option<Span> {
        match &params.items.get(1)?.pattern {
            BindingPattern::BindingIdentifier(whole) => {
                self.name = Name::MemberOf(whole.name.to_string());
            }
            BindingPattern::ObjectPattern(parts) => {
                let is_result = |key: &str| key == "result";
                let part = parts
                    .properties
                    .iter()
                    .find(|part| part.key.static_name().as_deref().is_some_and(is_result))?;
                match &part.value {
                    BindingPattern::BindingIdentifier(own) => {
                        self.name = Name::Own(own.name.to_string());
                    }
                    BindingPattern::ObjectPattern(_) | BindingPattern::ArrayPattern(_) => {
                        return Some(part.span);
                    }
                    _ => return None,
                }
            }
            _ => return None,
        }
        walk(self);
        self.reads.first().copied().filter(|_| self.reads.len() == self.n_uses)
    }

    fn is_result(&self, expression: &Expression<'_>) -> bool {
        let is_named = |expression: &Expression<'_>, name: &str| {
            expression.get_identifier_reference().is_some_and(|found| found.name == name)
        };
        match &self.name {
            Name::Nothing => false,
            Name::Own(name) => is_named(expression, name),
            Name::MemberOf(name) => expression.as_member_expression().is_some_and(|member| {
                member.static_property_name() == Some("result") && is_named(member.object(), name)
            }),
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_statement(&mut self, statement: &Statement<'a>) {
        if self.depth.enter() {
            walk::walk_statement(self, statement);
        }
        self.depth.leave();
    }

    fn visit_expression(&mut self, expression: &Expression<'a>) {
        self.n_uses += usize::from(self.is_result(expression));
        if let Some(member) = expression.as_member_expression()
            && !member.optional()
            && self.is_result(member.object())
        {
            self.reads.push(expression.span());
        }
        if self.depth.enter() {
            walk::walk_expression(self, expression);
        }
        self.depth.leave();
    }
}
