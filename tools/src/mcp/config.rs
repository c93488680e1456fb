//! `[mcp.NAME]`: the servers that are asked for tools, and what is known of those tools beyond what the servers say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use serde_json_path::JsonPath;
use windlass_scheduler::Effect;

use super::names;

/// `[mcp]`: the connectors by name.
pub type McpConfig = BTreeMap<ConnectorName, ServerConfig>;

/// The name of a connector: it stands in commands, in messages and in the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ConnectorName(String);

impl TryFrom<String> for ConnectorName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let is_good = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && name.len() <= 64;
        if is_good {
            Ok(Self(name))
        } else {
            Err(
                "the name of a connector begins with a letter and has up to 64 letters, digits, `-` and `_`",
            )
        }
    }
}

impl fmt::Display for ConnectorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `[mcp.NAME]`: one server.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "RawServer")]
pub struct ServerConfig {
    /// How it is reached.
    pub endpoint: Endpoint,
    /// What scripts call it, where that is not its name.
    pub namespace: Option<String>,
    /// How long a call may take at most.
    pub timeout: Duration,
    /// What is known of single tools, by the names that the server gives them.
    pub tools: BTreeMap<String, ToolConfig>,
}

impl ServerConfig {
    /// The namespace of its tools.
    pub(super) fn namespace(&self, name: &ConnectorName) -> String {
        self.namespace.clone().unwrap_or_else(|| names::pascal_case(&name.0))
    }
}

/// How a server is reached. Values of `env` and `headers` may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A process that is spoken to over its standard input and output.
    Process {
        /// The program: a path, relative to the configuration, or a name that is looked for in `PATH`.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its environment, besides `PATH` and `HOME`.
        env: BTreeMap<String, String>,
        /// Its working folder, relative to the configuration.
        dir: PathBuf,
    },
    /// A URL that speaks streamable HTTP.
    Http {
        /// Where.
        url: String,
        /// What is sent with every request.
        headers: BTreeMap<String, String>,
    },
}

/// `[mcp.NAME.tools.TOOL]`: what is known of one tool.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolConfig {
    /// What a call does, whatever the server says.
    #[serde(deserialize_with = "effect")]
    pub effect: Option<Effect>,
    /// What an answer that reports an error says of a change.
    pub errors: Errors,
    /// The argument in which the idempotency key travels. Scripts do not see it.
    pub key_argument: Option<String>,
    /// How the effect of a call is looked up.
    pub reconcile: Option<ReconcileConfig>,
}

/// What an answer that reports an error says of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// The tool refuses before it acts.
    Refused,
    /// The tool may have acted before it failed.
    #[default]
    Unknown,
}

/// `reconcile`: how the effect of a call is looked up.
///
/// A text among `arguments` and in the condition that is a reference is replaced by what it refers to: `$input` by the input
/// of the call, `$input/entities/0/name` by a part of it (a JSON pointer), and `$key` by the idempotency key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileConfig {
    /// A tool of the same server that reads.
    pub tool: String,
    /// What it is asked.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// When its answer shows the effect.
    pub found: Found,
    /// How long after the request a missing effect proves that it did not happen; without it never.
    pub absence_after_s: Option<u64>,
    /// What an error of that tool says where there is nothing, for example `ENOENT`. Every other error tells nothing.
    pub absent_error: Option<String>,
}

/// `found`: a condition on an answer. It holds where one of the values that the path selects fits; without `equals` and
/// `contains`, where it selects any.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// A `JSONPath`, for example `$.entities[*].name`.
    #[serde(deserialize_with = "json_path")]
    pub path: JsonPath,
    /// What the value is.
    pub equals: Option<Value>,
    /// A text that the value, a text, has in it, or a value that the value, a list, has among its own.
    pub contains: Option<Value>,
}

fn json_path<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<JsonPath, D::Error> {
    let text = String::deserialize(deserializer)?;
    JsonPath::parse(&text).map_err(|_position| {
        serde::de::Error::custom(format!(
            "`{text}` is no JSONPath: write one such as `$.entities[*].name`"
        ))
    })
}

fn effect<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Effect>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Name {
        Read,
        Mutation,
    }
    Ok(Some(match Name::deserialize(deserializer)? {
        Name::Read => Effect::Read,
        Name::Mutation => Effect::Mutation,
    }))
}

/// `[mcp.NAME]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    command: Option<String>,
    args: Option<Vec<String>>,
    env: Option<BTreeMap<String, String>>,
    dir: Option<PathBuf>,
    url: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    namespace: Option<String>,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u64,
    #[serde(default)]
    tools: BTreeMap<String, ToolConfig>,
}

const fn default_timeout_ms() -> u64 {
    30_000
}

impl TryFrom<RawServer> for ServerConfig {
    type Error = String;

    fn try_from(raw: RawServer) -> Result<Self, Self::Error> {
        let endpoint = match (raw.command, raw.url) {
            (Some(command), None) if raw.headers.is_none() => Endpoint::Process {
                command,
                args: raw.args.unwrap_or_default(),
                env: raw.env.unwrap_or_default(),
                dir: raw.dir.unwrap_or_else(|| ".".into()),
            },
            (None, Some(url)) if raw.args.is_none() && raw.env.is_none() && raw.dir.is_none() => {
                let headers = raw.headers.unwrap_or_default();
                check_http(&url, &headers)?;
                Endpoint::Http { url, headers }
            }
            (Some(_), None) => return Err("`headers` goes with `url`, not with `command`".into()),
            (None, Some(_)) => {
                return Err("`args`, `env` and `dir` go with `command`, not with `url`".into());
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err("a connector has either a `command` or a `url`".into());
            }
        };
        check_namespace(raw.namespace.as_deref())?;
        if raw.timeout_ms == 0 {
            return Err("`timeout_ms` is 0: it has to be 1 or more".into());
        }
        let timeout = Duration::from_millis(raw.timeout_ms);
        Ok(Self { endpoint, namespace: raw.namespace, timeout, tools: raw.tools })
    }
}

fn check_namespace(namespace: Option<&str>) -> Result<(), String> {
    let is_good = |it: &str| {
        it.starts_with(|first: char| first.is_ascii_uppercase())
            && it.chars().all(|c| c.is_ascii_alphanumeric())
    };
    match namespace {
        Some(namespace) if !is_good(namespace) => Err(format!(
            "`{namespace}` cannot be a namespace: begin with a capital letter, then letters and digits"
        )),
        _ => Ok(()),
    }
}

fn check_http(url: &str, headers: &BTreeMap<String, String>) -> Result<(), String> {
    let is_http = Url::parse(url)
        .is_ok_and(|it| matches!(it.scheme(), "http" | "https") && it.host_str().is_some());
    if !is_http {
        return Err("`url` is none of `http:` or `https:`".into());
    }
    for (name, value) in headers {
        let is_good =
            HeaderName::try_from(name.as_str()).is_ok() && HeaderValue::from_str(value).is_ok();
        if !is_good {
            return Err(format!("`{name}` cannot be sent as a header"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<McpConfig, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_connector_in_full() {
        let config = parse(
            r#"
            [memory]
            command = "npx"
            args = ["-y", "server-memory"]
            env = { MEMORY_FILE_PATH = "memory.json" }
            [memory.tools.create_entities]
            effect = "mutation"
            errors = "refused"
            key_argument = "requestId"
            reconcile = { tool = "search_nodes", arguments = { query = "$input/entities/0/name" }, found = { path = "$.entities[*].name", equals = "$input/entities/0/name" }, absence_after_s = 2 }
            "#,
        )
        .unwrap();

        let (name, server) = config.first_key_value().unwrap();
        assert_eq!(server.namespace(name), "Memory");
        assert_eq!(server.timeout, Duration::from_secs(30));
        let tool = &server.tools["create_entities"];
        assert_eq!((tool.effect, tool.errors), (Some(Effect::Mutation), Errors::Refused));
        assert_eq!(tool.reconcile.as_ref().unwrap().absence_after_s, Some(2));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let errors = [
            "[a]\nargs = []",
            "[a]\ncommand = \"x\"\nurl = \"http://localhost\"",
            "[a]\ncommand = \"x\"\nheaders = {}",
            "[a]\nurl = \"http://localhost\"\nenv = {}",
            "[a]\nurl = \"file:///etc/passwd\"",
            "[a]\nurl = \"http://localhost\"\nheaders = { \"a b\" = \"\" }",
            "[a]\ncommand = \"x\"\nnamespace = \"files\"",
            "[a]\ncommand = \"x\"\ntimeout_ms = 0",
            "[a]\ncommand = \"x\"\nenvironment = {}",
            "[\"a/b\"]\ncommand = \"x\"",
            "[a]\ncommand = \"x\"\n[a.tools.t]\nerrors = \"none\"",
            "[a]\ncommand = \"x\"\n[a.tools.t]\nreconcile = { tool = \"r\", found = { path = \"entities[\" } }",
        ]
        .map(|text| parse(text).unwrap_err());

        expect_test::expect![[r#"
            a connector has either a `command` or a `url`
            a connector has either a `command` or a `url`
            `headers` goes with `url`, not with `command`
            `args`, `env` and `dir` go with `command`, not with `url`
            `url` is none of `http:` or `https:`
            `a b` cannot be sent as a header
            `files` cannot be a namespace: begin with a capital letter, then letters and digits
            `timeout_ms` is 0: it has to be 1 or more
            unknown field `environment`, expected one of `command`, `args`, `env`, `dir`, `url`, `headers`, `namespace`, `timeout_ms`, `tools`
            the name of a connector begins with a letter and has up to 64 letters, digits, `-` and `_`
            unknown variant `none`, expected `refused` or `unknown`
            `entities[` is no JSONPath: write one such as `$.entities[*].name`"#]].assert_eq(&errors.join("\n"));
    }
}
