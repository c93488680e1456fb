//! Which calls each handler makes, directly and through functions of the script.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use oxc_ast::ast::CallExpression;
use oxc_span::Span;

use super::calls::{is_attempt, tool_of};
use super::survey::{Place, Survey};
use super::tree::{Handler, Tree};
use super::walk::Budget;
use crate::api::Function;

/// A function of the host that a handler calls.
pub(super) struct Reached<'t, 'a, 'f> {
    pub(super) handler: &'t Handler<'t, 'a>,
    pub(super) call: &'a CallExpression<'a>,
    pub(super) function: &'f Function,
    /// The calls of the script's own functions on the way there.
    pub(super) route: Vec<(Span, String)>,
    /// Whether a helper makes the call only under a condition, which may be about who calls it.
    pub(super) is_uncertain: bool,
}

/// Follows every handler.
pub(super) fn calls<'t, 'a, 'f>(
    handlers: &'t [Handler<'t, 'a>],
    tree: &Tree<'t, 'a>,
    survey: &Survey<'a>,
    functions: &'f [Function],
    budget: &Rc<Budget>,
) -> Vec<Reached<'t, 'a, 'f>> {
    let known: BTreeMap<String, &Function> =
        functions.iter().map(|it| (format!("{}.{}", it.namespace, it.method), it)).collect();
    let mut reached = Vec::new();
    for handler in handlers {
        let Some(start) = tree.function_at(handler.function) else { continue };
        for Step { place, route, is_uncertain } in follow(handler, start, survey, budget) {
            for site in survey.bodies.get(&place).into_iter().flat_map(|body| &body.calls) {
                let Some(name) = tool_of(site.what, functions) else { continue };
                let is_own = name.split('.').next().is_some_and(|it| survey.binds(it))
                    || (is_attempt(site.what) && survey.binds("attempt"));
                let Some(function) = known.get(&name).filter(|_| !is_own) else { continue };
                reached.push(Reached {
                    handler,
                    call: site.what,
                    function,
                    route: route.clone(),
                    is_uncertain: !route.is_empty() && (is_uncertain || site.is_conditional),
                });
            }
        }
    }
    reached
}

/// A function that a handler calls.
struct Step {
    place: Place,
    route: Vec<(Span, String)>,
    is_uncertain: bool,
}

fn follow(
    handler: &Handler<'_, '_>,
    start: Place,
    survey: &Survey<'_>,
    budget: &Rc<Budget>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = VecDeque::from([Step { place: start, route: Vec::new(), is_uncertain: false }]);
    while let Some(step) = open.pop_front() {
        if !budget.take() || !seen.insert(step.place) {
            continue;
        }
        for inner in survey.inner.get(&step.place).into_iter().flatten() {
            let (route, is_uncertain) = (step.route.clone(), step.is_uncertain);
            open.push_back(Step { place: *inner, route, is_uncertain });
        }
        for site in survey.bodies.get(&step.place).into_iter().flat_map(|body| &body.helpers) {
            let name = site.what.name.as_str();
            let Some(place) = survey.function(name) else { continue };
            let caller = match step.route.is_empty() {
                true => handler.title(),
                false => "which".to_owned(),
            };
            let mut route = step.route.clone();
            route.push((site.what.span, format!("{caller} calls `{name}`")));
            let is_uncertain = step.is_uncertain || (!step.route.is_empty() && site.is_conditional);
            open.push_back(Step { place, route, is_uncertain });
        }
        steps.push(step);
    }
    steps
}
