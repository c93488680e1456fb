//! From what a server has to what scripts are offered.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_scheduler::{Effect, Registry, Tool};

use super::ConnectorError;
use super::config::{ReconcileConfig, ToolConfig};
use super::definition::Definition;
use super::look_up::LookUp;
use super::names::camel_case;
use super::server::Server;
use super::tool::{self, ConnectorTool};

/// A tool of a server, and what became of it.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) definition: Definition,
    pub(super) method: String,
    pub(super) effect: Effect,
    pub(super) why: Why,
    /// The tool that reads whether an effect is there.
    pub(super) reader: Option<String>,
    /// The tool, or why scripts cannot be offered it.
    tool: Result<Arc<dyn Tool>, String>,
}

/// Why a tool is taken to read or to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The server says so.
    Annotation,
    /// The configuration says so.
    Config,
    /// Nobody says, and then it is taken to change something.
    Unknown,
}

impl Offer {
    pub(super) fn into_tool(self) -> Option<Arc<dyn Tool>> {
        self.tool.ok()
    }

    /// Why scripts cannot call it.
    pub(super) fn problem(&self) -> Option<&str> {
        self.tool.as_ref().err().map(String::as_str)
    }
}

/// Everything that a server has. A tool that scripts could not call is passed over.
pub(super) fn all(
    server: &Arc<Server>,
    definitions: &[Definition],
) -> Result<Vec<Offer>, ConnectorError> {
    check_config(server, definitions)?;
    check_methods(server, definitions)?;
    definitions.iter().map(|definition| offer(server, definition, definitions)).collect()
}

fn offer(
    server: &Arc<Server>,
    definition: &Definition,
    all: &[Definition],
) -> Result<Offer, ConnectorError> {
    let config = server.config.tools.get(&definition.name).cloned().unwrap_or_default();
    let (effect, why) = effect(server, definition);
    let look_up = look_up(server, definition, config.reconcile, all)?;
    let (method, namespace) = (camel_case(&definition.name), server.config.namespace(&server.name));
    let hidden = config.key_argument.as_deref();
    let spec = tool::spec(server, &namespace, method.clone(), definition, hidden);
    let reader = look_up.as_ref().map(|(_, reader)| reader.name.clone());
    let tool: Arc<dyn Tool> = Arc::new(ConnectorTool {
        server: Arc::clone(server),
        definition: definition.clone(),
        spec,
        effect,
        errors: config.errors,
        key_argument: config.key_argument,
        look_up,
    });
    // One that the registry refuses must not keep the others from scripts.
    let tool = match Registry::new(vec![Arc::clone(&tool)]) {
        Ok(_) => Ok(tool),
        Err(error) => Err(with_causes(&error)),
    };
    Ok(Offer { definition: definition.clone(), method, effect, why, reader, tool })
}

/// What a call does: what the configuration says, else what the server says, else the worst.
fn effect(server: &Server, definition: &Definition) -> (Effect, Why) {
    let configured = server.config.tools.get(&definition.name).and_then(|it| it.effect);
    match (configured, definition.hints.read_only) {
        (Some(effect), _) => (effect, Why::Config),
        (None, Some(true)) => (Effect::Read, Why::Annotation),
        (None, Some(false)) => (Effect::Mutation, Why::Annotation),
        (None, None) => (Effect::Mutation, Why::Unknown),
    }
}

fn look_up(
    server: &Server,
    definition: &Definition,
    config: Option<ReconcileConfig>,
    all: &[Definition],
) -> Result<Option<(LookUp, Definition)>, ConnectorError> {
    let Some(config) = config else { return Ok(None) };
    let reader = all.iter().find(|it| it.name == config.tool);
    let wrong = |message| ConnectorError::Config {
        name: server.name.clone(),
        tool: definition.name.clone(),
        message,
    };
    match reader {
        Some(reader) if effect(server, reader).0 == Effect::Read => {
            Ok(Some((LookUp::new(config), reader.clone())))
        }
        Some(_) => Err(wrong(format!(
            "looks its effect up with `{}`, which may change something: name a tool that reads, or say `effect = \"read\"` of it",
            config.tool
        ))),
        None => Err(wrong(format!(
            "looks its effect up with `{}`, which the server does not have",
            config.tool
        ))),
    }
}

/// What the configuration says of a tool that is not there would be said of none.
fn check_config(server: &Server, definitions: &[Definition]) -> Result<(), ConnectorError> {
    let is_there = |tool: &String| definitions.iter().any(|it| it.name == *tool);
    for (tool, ToolConfig { key_argument, .. }) in &server.config.tools {
        let wrong = |message| {
            let (name, tool) = (server.name.clone(), tool.clone());
            Err(ConnectorError::Config { name, tool, message })
        };
        if !is_there(tool) {
            let names: Vec<_> = definitions.iter().map(|it| it.name.as_str()).collect();
            return wrong(format!(
                "is about a tool that is not there: it has {}",
                names.join(", ")
            ));
        }
        let definition = definitions.iter().find(|it| it.name == *tool);
        let takes = |argument: &String| {
            definition.is_some_and(|it| {
                it.input.get("properties").is_some_and(|it| it.get(argument).is_some())
            })
        };
        if let Some(argument) = key_argument.as_ref().filter(|it| !takes(it)) {
            return wrong(format!("names the argument `{argument}`, which the tool does not take"));
        }
    }
    Ok(())
}

fn check_methods(server: &Server, definitions: &[Definition]) -> Result<(), ConnectorError> {
    let mut owners = BTreeMap::new();
    for Definition { name, .. } in definitions {
        let method = camel_case(name);
        if let Some(first) = owners.insert(method.clone(), name) {
            return Err(ConnectorError::Clash {
                name: server.name.clone(),
                first: first.clone(),
                second: name.clone(),
                method,
            });
        }
    }
    Ok(())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
