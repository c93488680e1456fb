//! Which tools a script calls, as far as its text says.

use std::rc::Rc;

use oxc_allocator::Allocator;
use oxc_ast::ast::CallExpression;
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::SourceType;
use windlass_core::{Capability, Grant};

use super::calls::tool_of;
use super::walk::{Budget, Depth, bounded_visits, on_thread};
use crate::api::{Function, Script};
use crate::sandbox::Sandbox;

impl Sandbox {
    /// The tools that a valid script calls by their names. One that is reached in another way is not found, and has to be granted by
    /// hand.
    pub async fn tools_of(&self, script: &Script) -> Grant {
        let Ok(script) = self.without_types(script.clone()).await else { return Grant::default() };
        let (source, functions) = (script.source, self.functions());
        on_thread(self.limits(), move |budget| find(&source, &functions, budget))
            .await
            .unwrap_or_default()
    }
}

fn find(source: &str, functions: &[Function], budget: &Rc<Budget>) -> Grant {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, SourceType::script()).parse();
    let mut finder = Finder { functions, found: Vec::new(), depth: Depth::new(budget) };
    finder.visit_program(&parsed.program);
    finder.found.into_iter().collect()
}

struct Finder<'f> {
    functions: &'f [Function],
    found: Vec<Capability>,
    depth: Depth,
}

impl<'a> Visit<'a> for Finder<'_> {
    bounded_visits!('a);

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Some(name) = tool_of(call, self.functions)
            && let Some((namespace, method)) = name.split_once('.')
            && self.functions.iter().any(|it| (&*it.namespace, &*it.method) == (namespace, method))
        {
            self.found.push(Capability::tool(namespace, method));
        }
        walk::walk_call_expression(self, call);
    }
}
