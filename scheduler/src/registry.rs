//! What scripts may call: the tools of this worker and `Topics`, with their schemas compiled once.

mod problems;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;
use windlass_core::{Failure, Operation};
use windlass_sandbox::Function;

use crate::inputs::check_input_kind;
use crate::tool::{Effect, Tool, ToolSpec};

pub use topics::TopicsFunction;

/// Everything that scripts may call, in the order of namespaces and methods.
///
/// Each name exists once, each input schema refuses unknown properties, and each schema is compiled.
#[derive(Debug)]
pub struct Registry {
    callables: Vec<Arc<Callable>>,
    missing: BTreeMap<String, Failure>,
}

/// Something that scripts may call as `namespace.method`.
#[derive(Debug)]
pub struct Callable {
    spec: ToolSpec,
    target: Target,
    input: Validator,
    output: Validator,
    defaults: Vec<(String, Value)>,
}

/// What answers a call.
#[derive(Debug, Clone)]
pub enum Target {
    /// A tool.
    Tool(Arc<dyn Tool>),
    /// The scheduler itself.
    Topics(TopicsFunction),
}

/// A set of tools that cannot be offered to scripts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two tools have the same name.
    #[error("two tools are called `{name}`: rename one")]
    Duplicate {
        /// Namespace and method.
        name: String,
    },
    /// The engine or JavaScript uses the namespace, or a script could not write the name.
    #[error("no tool may be called `{name}`: {reason}")]
    Name {
        /// Namespace and method.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A schema is not valid.
    #[error("the {part} schema of `{name}` cannot be used")]
    Schema {
        /// Namespace and method.
        name: String,
        /// `input` or `output`.
        part: &'static str,
        /// The error of the schema compiler.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The input schema allows unknown properties: a misspelt property would be ignored silently.
    #[error(
        "the input schema of `{name}` must describe one object with `additionalProperties: false`"
    )]
    OpenInput {
        /// Namespace and method.
        name: String,
    },
    /// The tool says that it yields inputs of an unknown kind.
    #[error("`{name}` names an input kind that the registry of inputs does not have")]
    InputKind {
        /// Namespace and method.
        name: String,
        /// Which, and the known ones.
        source: Failure,
    },
}

impl Registry {
    /// A registry of `tools` and the functions of `Topics`.
    ///
    /// # Errors
    /// [`RegistryError`] where a name or a schema cannot be offered to scripts.
    pub fn new(tools: Vec<Arc<dyn Tool>>) -> Result<Self, RegistryError> {
        let topics = TopicsFunction::ALL.map(Callable::topics);
        let tools = tools.into_iter().map(Callable::tool);
        let callables = topics.into_iter().chain(tools);
        let mut callables: Vec<_> =
            callables.map(|it| it.map(Arc::new)).collect::<Result<_, _>>()?;

        callables.sort_by(|one, other| one.key().cmp(&other.key()));
        if let Some(twin) = callables.windows(2).find_map(|pair| match pair {
            [one, other] if one.key() == other.key() => Some(one),
            _ => None,
        }) {
            return Err(RegistryError::Duplicate { name: twin.name() });
        }
        Ok(Self { callables, missing: BTreeMap::new() })
    }

    /// The same, without the tools of some namespaces, which could not be had for these reasons.
    #[must_use]
    pub fn with_missing(self, missing: BTreeMap<String, Failure>) -> Self {
        Self { missing, ..self }
    }

    /// The namespaces whose tools could not be had, and why.
    #[must_use]
    pub const fn missing(&self) -> &BTreeMap<String, Failure> {
        &self.missing
    }

    /// Finds what a script calls as `namespace.method`.
    #[must_use]
    pub fn find(&self, namespace: &str, method: &str) -> Option<&Arc<Callable>> {
        let idx = self.callables.binary_search_by(|it| it.key().cmp(&(namespace, method))).ok()?;
        self.callables.get(idx)
    }

    /// Everything, in the order of namespaces and methods.
    pub fn callables(&self) -> impl Iterator<Item = &Callable> {
        self.callables.iter().map(Arc::as_ref)
    }

    /// What the sandbox installs.
    #[must_use]
    pub fn functions(&self) -> Vec<Function> {
        self.callables().map(Callable::function).collect()
    }
}

impl Callable {
    fn tool(tool: Arc<dyn Tool>) -> Result<Self, RegistryError> {
        let spec = tool.spec().clone();
        check_name(&spec)?;
        for (source, kind) in &spec.input_types {
            check_input_kind(source, kind)
                .map_err(|source| RegistryError::InputKind { name: spec.name(), source })?;
        }
        Self::new(spec, Target::Tool(tool))
    }

    fn topics(function: TopicsFunction) -> Result<Self, RegistryError> {
        Self::new(function.spec(), Target::Topics(function))
    }

    fn new(spec: ToolSpec, target: Target) -> Result<Self, RegistryError> {
        let closed = spec.input.get("additionalProperties") == Some(&Value::Bool(false));
        if !closed || spec.input.get("type") != Some(&Value::from("object")) {
            return Err(RegistryError::OpenInput { name: spec.name() });
        }
        let input = compile(&spec, "input", &spec.input)?;
        let output = compile(&spec, "output", &spec.output)?;
        let defaults = defaults(&spec.input);
        Ok(Self { spec, target, input, output, defaults })
    }

    fn key(&self) -> (&str, &str) {
        (&self.spec.namespace, &self.spec.method)
    }

    /// `namespace.method`.
    #[must_use]
    pub fn name(&self) -> String {
        self.spec.name()
    }

    /// Its description.
    #[must_use]
    pub const fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    /// What answers it.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Which operation a call with this valid input is.
    #[must_use]
    pub fn operation(&self, input: &Value) -> Operation {
        match &self.target {
            Target::Topics(function) => function.operation(),
            Target::Tool(tool) => match tool.effect(input) {
                Effect::Read => Operation::Read,
                Effect::Mutation => Operation::Mutation,
            },
        }
    }

    /// Fills in the defaults of absent properties and checks the input against the schema.
    ///
    /// # Errors
    /// A logic failure that lists everything that is wrong.
    pub fn validate_input(&self, input: &mut Value) -> Result<(), Failure> {
        if let Value::Object(properties) = input {
            for (name, default) in &self.defaults {
                properties.entry(name).or_insert_with(|| default.clone());
            }
        }
        let problems = problems::list(&self.input, &self.spec.input, input);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::logic(format!(
            "`{}` cannot take this input: {}",
            self.name(),
            problems.join("; ")
        )))
    }

    /// Checks an answer against the schema.
    ///
    /// # Errors
    /// An internal failure, because the tool is wrong and not the script. The call itself was made.
    pub fn check_output(&self, output: &Value) -> Result<(), Failure> {
        let problems = problems::list(&self.output, &self.spec.output, output);
        if problems.is_empty() {
            return Ok(());
        }
        Err(Failure::internal(format!(
            "the answer of `{}` is not what the tool promises: {}",
            self.name(),
            problems.join("; ")
        )))
    }

    /// The documentation for the author of a script: what it does, in which phase to call it, and what a producer registers.
    #[must_use]
    pub fn docs(&self) -> String {
        let mut docs = self.spec.docs.clone();
        match self.operation(&Value::Null) {
            Operation::Read => {
                docs.push_str("\n\nIt reads: call it in a producer's handler or in `prepare`.");
            }
            Operation::Mutation => {
                docs.push_str(
                    "\n\nIt changes something: call it in `mutate`, which ends with the call.",
                );
            }
            // Their own documentation says it.
            Operation::TopicPeek | Operation::TopicPublish | Operation::RegisterInput => {}
        }
        for (source, kind) in &self.spec.input_types {
            docs.push_str(&format!(
                " What it finds is an input of source `{source}` and type `{kind}`."
            ));
        }
        docs
    }

    fn function(&self) -> Function {
        Function {
            namespace: self.spec.namespace.clone(),
            method: self.spec.method.clone(),
            input: self.spec.input.clone(),
            operation: self.operation(&Value::Null),
            docs: format!(
                "{}\n\nInput (JSON Schema): {}\nAnswer (JSON Schema): {}",
                self.docs(),
                self.spec.input,
                self.spec.output
            ),
        }
    }
}

/// Refuses names that a script could not write, or that would hide something it needs.
fn check_name(spec: &ToolSpec) -> Result<(), RegistryError> {
    const TAKEN: [&str; 16] = [
        topics::NAMESPACE,
        "Array",
        "TextDecoder",
        "TextEncoder",
        "URL",
        "URLSearchParams",
        "Date",
        "Error",
        "JSON",
        "Map",
        "Math",
        "Number",
        "Object",
        "Promise",
        "Set",
        "String",
    ];
    let is_word = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let reason = if !is_word(&spec.namespace) || !is_word(&spec.method) {
        "namespace and method are made of ASCII letters and digits and begin with a letter"
    } else if !spec.namespace.starts_with(|first: char| first.is_ascii_uppercase()) {
        "a namespace begins with a capital letter"
    } else if TAKEN.contains(&spec.namespace.as_str()) {
        "the namespace is taken"
    } else {
        return Ok(());
    };
    Err(RegistryError::Name { name: spec.name(), reason })
}

fn compile(
    spec: &ToolSpec,
    part: &'static str,
    schema: &Value,
) -> Result<Validator, RegistryError> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        .build(schema)
        .map_err(|source| RegistryError::Schema {
            name: spec.name(),
            part,
            source: Box::new(source),
        })
}

fn defaults(schema: &Value) -> Vec<(String, Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| Some((name.clone(), property.get("default")?.clone())))
        .collect()
}

#[cfg(test)]
mod tests;
