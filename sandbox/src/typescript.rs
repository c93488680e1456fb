//! TypeScript: its types are replaced by spaces, so that every line and column of what runs is that of the file.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "types are found in few of the many kinds of syntax"
)]

mod blanks;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use oxc_allocator::Allocator;
use oxc_ast::AstKind;
use oxc_ast::ast::{
    ArrowFunctionExpression, Class, ClassElement, Decorator, Expression, FormalParameter,
    MethodDefinitionType, PropertyDefinitionType, PropertyKey, Statement, TSAsExpression,
    TSNonNullExpression, TSSatisfiesExpression, TSThisParameter, TSType, TSTypeAnnotation,
    TSTypeAssertion, TSTypeParameterDeclaration, TSTypeParameterInstantiation, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType, Span};
use windlass_core::Problem;

use self::blanks::Blanks;
use crate::api::Script;
use crate::check::{Budget, Depth, Finding, Lines, explain};

/// A longer file is refused: the parser needs stack for every level of nesting, and has no limit of its own.
const SOURCE_BYTES: usize = 64 << 10;

/// How much text is kept without its types.
const KEPT_BYTES: usize = 16 << 20;

/// Whether a script is TypeScript. Its file name says so.
pub(crate) fn is_typescript(script: &Script) -> bool {
    script.name.ends_with(".ts")
}

/// Texts whose types have been taken out, by the digest of the file.
#[derive(Debug, Default)]
pub(crate) struct PlainTexts(Mutex<VecDeque<(Arc<str>, Arc<str>)>>);

impl PlainTexts {
    pub(crate) fn find(&self, script: &Script) -> Option<Arc<str>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.iter().find(|(digest, _)| *digest == script.digest);
        known.map(|(_, text)| Arc::clone(text))
    }

    pub(crate) fn add(&self, script: &Script, text: Arc<str>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push_back((Arc::clone(&script.digest), text));
        while all.iter().map(|(_, text)| text.len()).sum::<usize>() > KEPT_BYTES {
            all.pop_front();
        }
    }
}

/// The text without its types, each replaced by as many spaces as it has UTF-16 units.
///
/// # Errors
/// What is no valid TypeScript, and what would need more than taking types out.
pub(crate) fn plain(source: &str, budget: &Rc<Budget>) -> Result<String, Vec<Problem>> {
    if source.len() > SOURCE_BYTES {
        let message = format!("a TypeScript file has at most {} KiB", SOURCE_BYTES >> 10);
        return Err(vec![Problem::new("limit", message).hint("compile it to JavaScript")]);
    }
    let allocator = Allocator::default();
    let kind = SourceType::ts().with_script(true);
    let parsed = Parser::new(&allocator, source, kind).parse();
    let mut findings: Vec<Finding> = Vec::new();
    let mut blanks = Blanks::of(source);
    if let Some(error) = parsed.diagnostics.first() {
        let explained = explain(source, true, budget);
        if !explained.is_empty() {
            return Err(explained);
        }
        let start = error.labels.first().map_or(0, oxc_span::LabeledSpan::offset);
        let problem = Problem::new("syntax_error", format!("SyntaxError: {}", error.message));
        findings.push(Finding::new(Span::empty(start), problem));
    } else {
        let depth = Depth::new(budget);
        let mut eraser = Eraser { blanks: &mut blanks, findings: &mut findings, depth };
        eraser.visit_program(&parsed.program);
    }
    if findings.is_empty() {
        return Ok(blanks.render());
    }
    let lines = Lines::of(source);
    Err(findings.into_iter().map(|finding| lines.place(finding)).collect())
}

/// Finds the types of a script.
struct Eraser<'s, 'b> {
    blanks: &'b mut Blanks<'s>,
    findings: &'b mut Vec<Finding>,
    depth: Depth,
}

impl Eraser<'_, '_> {
    fn refuse(&mut self, span: Span, what: &str, hint: &str) {
        let message = format!("{what} needs more than taking out types");
        let problem = Problem::new("typescript_only", message).hint(hint);
        self.findings.push(Finding::new(span, problem));
    }

    /// Whether a statement is gone: it only declares types. What has code but is no JavaScript is refused.
    fn is_erased(&mut self, statement: &Statement<'_>) -> bool {
        match statement {
            Statement::TSTypeAliasDeclaration(_)
            | Statement::TSInterfaceDeclaration(_)
            | Statement::TSExternalModuleDeclaration(_)
            | Statement::TSGlobalDeclaration(_) => true,
            Statement::VariableDeclaration(variables) => variables.declare,
            Statement::FunctionDeclaration(function) => function.declare || function.body.is_none(),
            Statement::ClassDeclaration(class) => class.declare,
            Statement::TSEnumDeclaration(it) => {
                if !it.declare {
                    let hint = "write `const Name = { A: \"a\", B: \"b\" } as const;`";
                    self.refuse(it.span, "an enum", hint);
                }
                true
            }
            Statement::TSNamespaceDeclaration(it) => {
                if !it.declare {
                    self.refuse(it.span, "a namespace", "write an object, or plain functions");
                }
                true
            }
            _ => false,
        }
    }

    /// The `?` or `!` behind a name.
    fn mark(&mut self, end: u32) {
        let at = self.blanks.skip(end);
        if matches!(self.blanks.byte(at), Some(b'?' | b'!')) {
            self.blanks.blank(Span::new(at, at + 1));
        }
    }

    /// The words before the key of a member, and the mark behind it.
    fn member(&mut self, span: Span, key: &PropertyKey<'_>, is_computed: bool) {
        let mut at = span.start;
        loop {
            at = self.blanks.skip(at);
            let word = self.blanks.word(at);
            match word {
                _ if at >= key.span().start => break,
                "public" | "private" | "protected" | "readonly" | "override" => {
                    let end = at + u32::try_from(word.len()).unwrap_or_default();
                    self.blanks.blank(Span::new(at, end));
                    if at == span.start {
                        // The member before it may have no semicolon.
                        self.blanks.put(at, ';');
                    }
                    at = end;
                }
                "" => break,
                other => at += u32::try_from(other.len()).unwrap_or_default(),
            }
        }
        let mut end = key.span().end;
        if is_computed {
            end = self.blanks.skip(end) + 1;
        }
        self.mark(end);
    }

    /// `as T` and `satisfies T`.
    fn suffix(&mut self, expression: &Expression<'_>, whole: Span) {
        let start = self.blanks.skip(expression.span().end);
        self.blanks.blank(Span::new(start, whole.end));
    }

    /// Puts a semicolon where a type ended a statement or member without one: the next line could continue it.
    fn terminate(&mut self, span: Span) {
        if let Some(start) = self.blanks.that_ends_at(span.end) {
            self.blanks.put(start, ';');
        }
    }
}

impl<'a> Visit<'a> for Eraser<'_, '_> {
    fn enter_node(&mut self, kind: AstKind<'a>) {
        if let AstKind::Function(function) = kind
            && function.body.is_some()
            && let Some(this) = &function.this_param
        {
            let mut end = self.blanks.skip(this.span.end);
            if self.blanks.byte(end) == Some(b',') {
                end += 1;
            }
            self.blanks.blank(Span::new(this.span.start, end));
        }
    }

    fn visit_statement(&mut self, statement: &Statement<'a>) {
        if self.is_erased(statement) {
            self.blanks.blank(statement.span());
            self.blanks.put(statement.span().start, ';');
            return;
        }
        if self.depth.enter() {
            walk::walk_statement(self, statement);
        }
        self.depth.leave();
        self.terminate(statement.span());
    }

    fn visit_expression(&mut self, expression: &Expression<'a>) {
        if self.depth.enter() {
            walk::walk_expression(self, expression);
        }
        self.depth.leave();
    }

    fn visit_decorator(&mut self, decorator: &Decorator<'a>) {
        self.refuse(decorator.span, "a decorator", "call the function yourself");
    }

    fn visit_class(&mut self, class: &Class<'a>) {
        let mut keyword = class.span.start;
        if class.r#abstract && self.blanks.word(keyword) == "abstract" {
            self.blanks.blank(Span::sized(keyword, 8));
            keyword = self.blanks.skip(keyword + 8);
        }
        if let Some(last) = class.implements.last() {
            let heritage = class.heritage.as_ref();
            let arguments = heritage.and_then(|it| it.type_arguments.as_ref());
            let end = arguments
                .map(|it| it.span.end)
                .or_else(|| heritage.map(|it| it.expression.span().end))
                .or_else(|| class.type_parameters.as_ref().map(|it| it.span.end))
                .or_else(|| class.id.as_ref().map(|it| it.span.end))
                .unwrap_or(keyword + 5);
            let start = self.blanks.skip(end);
            self.blanks.blank(Span::new(start, last.span.end));
        }
        walk::walk_class(self, class);
    }

    fn visit_class_element(&mut self, element: &ClassElement<'a>) {
        let is_erased = match element {
            ClassElement::MethodDefinition(method) => {
                method.value.body.is_none()
                    || method.r#type == MethodDefinitionType::TSAbstractMethodDefinition
            }
            ClassElement::PropertyDefinition(property) => {
                property.declare
                    || property.r#type == PropertyDefinitionType::TSAbstractPropertyDefinition
            }
            ClassElement::TSIndexSignature(_) => true,
            ClassElement::AccessorProperty(_) | ClassElement::StaticBlock(_) => false,
        };
        if is_erased {
            self.blanks.blank(element.span());
            self.blanks.put(element.span().start, ';');
            return;
        }
        match element {
            ClassElement::MethodDefinition(it) => self.member(it.span, &it.key, it.computed),
            ClassElement::PropertyDefinition(it) => self.member(it.span, &it.key, it.computed),
            ClassElement::AccessorProperty(it) => self.member(it.span, &it.key, it.computed),
            ClassElement::StaticBlock(_) | ClassElement::TSIndexSignature(_) => {}
        }
        walk::walk_class_element(self, element);
        self.terminate(element.span());
    }

    fn visit_formal_parameter(&mut self, parameter: &FormalParameter<'a>) {
        if parameter.accessibility.is_some() || parameter.readonly || parameter.r#override {
            let hint = "declare a field, and write `this.name = name` in the constructor";
            self.refuse(parameter.span, "a parameter that declares a field", hint);
        }
        if parameter.optional {
            self.mark(parameter.pattern.span().end);
        }
        walk::walk_formal_parameter(self, parameter);
    }

    fn visit_variable_declarator(&mut self, variable: &VariableDeclarator<'a>) {
        if variable.definite {
            self.mark(variable.id.span().end);
        }
        walk::walk_variable_declarator(self, variable);
    }

    fn visit_arrow_function_expression(&mut self, arrow: &ArrowFunctionExpression<'a>) {
        walk::walk_arrow_function_expression(self, arrow);
        // No line may end before `=>`, and none between `async` or `return` and the parameters: the parenthesis moves there.
        let params = arrow.params.span;
        if let Some(types) = &arrow.type_parameters
            && self.blanks.has_line_end(Span::new(types.span.start, params.start))
        {
            self.blanks.blank(Span::sized(params.start, 1));
            self.blanks.put(types.span.start, '(');
        }
        if let Some(result) = &arrow.return_type
            && self.blanks.has_line_end(Span::new(params.end, result.span.end))
        {
            self.blanks.blank(Span::new(params.end - 1, params.end));
            self.blanks.put_last(result.span, ')');
        }
    }

    fn visit_ts_as_expression(&mut self, it: &TSAsExpression<'a>) {
        self.visit_expression(&it.expression);
        self.suffix(&it.expression, it.span);
    }

    fn visit_ts_satisfies_expression(&mut self, it: &TSSatisfiesExpression<'a>) {
        self.visit_expression(&it.expression);
        self.suffix(&it.expression, it.span);
    }

    fn visit_ts_non_null_expression(&mut self, it: &TSNonNullExpression<'a>) {
        self.visit_expression(&it.expression);
        self.blanks.blank(Span::new(it.span.end - 1, it.span.end));
    }

    fn visit_ts_type_assertion(&mut self, it: &TSTypeAssertion<'a>) {
        let operand = it.expression.span();
        let begins_otherwise = self.blanks.byte(operand.start) == Some(b'{')
            || matches!(self.blanks.word(operand.start), "function" | "class" | "async" | "let");
        let types = Span::new(it.span.start, operand.start);
        if begins_otherwise || self.blanks.has_line_end(types) {
            self.refuse(it.span, "this type assertion", "write `value as Type`");
        }
        self.blanks.blank(types);
        self.visit_expression(&it.expression);
    }

    fn visit_ts_type_annotation(&mut self, it: &TSTypeAnnotation<'a>) {
        self.blanks.blank(it.span);
    }

    fn visit_ts_type_parameter_declaration(&mut self, it: &TSTypeParameterDeclaration<'a>) {
        self.blanks.blank(it.span);
    }

    fn visit_ts_type_parameter_instantiation(&mut self, it: &TSTypeParameterInstantiation<'a>) {
        self.blanks.blank(it.span);
    }

    fn visit_ts_this_parameter(&mut self, _it: &TSThisParameter<'a>) {}

    fn visit_ts_type(&mut self, _it: &TSType<'a>) {}
}
