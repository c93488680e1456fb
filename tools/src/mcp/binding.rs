//! Turns the tools of a server into tools that scripts can call.

use std::sync::Arc;

use windlass_core::error_chain;
use windlass_scheduler::{Effect, Registry, Tool};

use super::config::{ReconcileConfig, ToolConfig};
use super::definition::Definition;
use super::error::ConnectorError;
use super::lookup::EffectLookup;
use super::names::camel_case;
use super::server::Server;
use super::tool::{self, ConnectorTool};

/// A tool of a server and its counterpart in scripts.
#[derive(Debug)]
pub(super) struct ToolBinding {
    pub(super) definition: Definition,
    pub(super) method: String,
    pub(super) effect: Effect,
    pub(super) effect_source: EffectSource,
    /// The tool that looks its effects up.
    pub(super) reader: Option<String>,
    /// The tool, or why scripts cannot call it.
    tool: Result<Arc<dyn Tool>, String>,
}

/// Who says whether a tool reads or mutates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectSource {
    /// The server.
    Annotation,
    /// The configuration.
    Config,
    /// Nobody. Then it counts as a mutation.
    Unknown,
}

impl ToolBinding {
    pub(super) fn into_tool(self) -> Option<Arc<dyn Tool>> {
        self.tool.ok()
    }

    /// Why scripts cannot call it.
    pub(super) fn problem(&self) -> Option<&str> {
        self.tool.as_ref().err().map(String::as_str)
    }
}

/// Binds all tools of a server, those too that scripts cannot call.
pub(super) fn bind_all(
    server: &Arc<Server>,
    definitions: &[Definition],
) -> Result<Vec<ToolBinding>, ConnectorError> {
    check_config(server, definitions)?;
    definitions.iter().map(|definition| bind(server, definition, definitions)).collect()
}

fn bind(
    server: &Arc<Server>,
    definition: &Definition,
    all: &[Definition],
) -> Result<ToolBinding, ConnectorError> {
    let config = server.config.tools.get(&definition.name).cloned().unwrap_or_default();
    let (effect, effect_source) = effect(server, definition);
    let lookup = lookup(server, definition, config.reconcile, all)?;
    let (method, namespace) = (camel_case(&definition.name), server.config.namespace(&server.name));
    let hidden = config.key_argument.as_deref();
    let spec = tool::spec(server, &namespace, method.clone(), definition, hidden);
    let reader = lookup.as_ref().map(|(_, reader)| reader.name.clone());
    let tool: Arc<dyn Tool> = Arc::new(ConnectorTool {
        server: Arc::clone(server),
        definition: definition.clone(),
        spec,
        effect,
        errors: config.errors,
        key_argument: config.key_argument,
        lookup,
    });
    // A registry with this tool alone shows whether it is usable. One unusable tool must not make the others unusable.
    let tool = match (twin(definition, all), Registry::new(vec![Arc::clone(&tool)])) {
        (Some(twin), _) => Err(format!(
            "scripts could not tell it from `{}`: both are `{method}` to them",
            twin.name
        )),
        (None, _) if !definition.input.is_object() => {
            Err("the server gives no schema of its input".to_owned())
        }
        (None, Ok(_)) => Ok(tool),
        (None, Err(error)) => Err(error_chain(&error)),
    };
    Ok(ToolBinding { definition: definition.clone(), method, effect, effect_source, reader, tool })
}

/// What a call does: as the configuration says, else as the server says, else a mutation.
fn effect(server: &Server, definition: &Definition) -> (Effect, EffectSource) {
    let configured = server.config.tools.get(&definition.name).and_then(|it| it.effect);
    match (configured, definition.hints.read_only) {
        (Some(effect), _) => (effect, EffectSource::Config),
        (None, Some(true)) => (Effect::Read, EffectSource::Annotation),
        (None, Some(false)) => (Effect::Mutation, EffectSource::Annotation),
        (None, None) => (Effect::Mutation, EffectSource::Unknown),
    }
}

fn lookup(
    server: &Server,
    definition: &Definition,
    config: Option<ReconcileConfig>,
    all: &[Definition],
) -> Result<Option<(EffectLookup, Definition)>, ConnectorError> {
    let Some(config) = config else { return Ok(None) };
    let reader = all.iter().find(|it| it.name == config.tool);
    let wrong = |message| ConnectorError::Config {
        name: server.name.clone(),
        tool: definition.name.clone(),
        message,
    };
    match reader {
        Some(reader) if effect(server, reader).0 == Effect::Read => {
            Ok(Some((EffectLookup::new(config), reader.clone())))
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

/// Refuses configuration of tools and arguments that the server does not have. It would have no effect.
fn check_config(server: &Server, definitions: &[Definition]) -> Result<(), ConnectorError> {
    for (tool, ToolConfig { key_argument, .. }) in &server.config.tools {
        let wrong = |message| {
            let (name, tool) = (server.name.clone(), tool.clone());
            Err(ConnectorError::Config { name, tool, message })
        };
        let Some(definition) = definitions.iter().find(|it| it.name == *tool) else {
            let names: Vec<_> = definitions.iter().map(|it| it.name.as_str()).collect();
            return wrong(format!(
                "is about a tool that is not there: it has {}",
                names.join(", ")
            ));
        };
        let takes = |argument: &String| {
            definition.input.get("properties").is_some_and(|it| it.get(argument).is_some())
        };
        if let Some(argument) = key_argument.as_ref().filter(|it| !takes(it)) {
            return wrong(format!("names the argument `{argument}`, which the tool does not take"));
        }
    }
    Ok(())
}

/// The other tool that has the same name to scripts.
fn twin<'a>(definition: &Definition, all: &'a [Definition]) -> Option<&'a Definition> {
    let method = camel_case(&definition.name);
    all.iter().find(|it| it.name != definition.name && camel_case(&it.name) == method)
}
