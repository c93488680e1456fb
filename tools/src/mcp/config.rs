//! `[mcp.NAME]`: the servers, and what the configuration adds to their own descriptions of their tools.

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
use crate::http::is_confidential;

/// `[mcp]`: the connectors by name.
pub type McpConfig = BTreeMap<ConnectorName, ServerConfig>;

/// The name of a connector. It appears in commands, in messages and in the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ConnectorName(String);

impl TryFrom<String> for ConnectorName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let is_valid = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            && name.len() <= 64;
        if is_valid {
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
    /// How to reach it.
    pub endpoint: Endpoint,
    /// Its namespace in scripts, if that is not its name.
    pub namespace: Option<String>,
    /// The longest time that a call may take.
    pub timeout: Duration,
    /// Settings of single tools, by the server's names for them.
    pub tools: BTreeMap<String, ToolConfig>,
}

impl ServerConfig {
    /// The namespace of its tools.
    pub(super) fn namespace(&self, name: &ConnectorName) -> String {
        self.namespace.clone().unwrap_or_else(|| names::pascal_case(&name.0))
    }
}

/// How to reach a server. Values of `env` and `headers` may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A process. Requests go to its standard input, responses come from its standard output.
    Process {
        /// The program: a path, relative to the configuration, or a name that is searched in `PATH`.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// Its environment, besides `PATH` and `HOME`.
        env: BTreeMap<String, String>,
        /// Its working folder, relative to the configuration.
        dir: PathBuf,
    },
    /// A URL with the transport "streamable HTTP".
    Http {
        /// The URL.
        url: String,
        /// The headers of every request.
        headers: BTreeMap<String, String>,
    },
}

/// `[mcp.NAME.tools.TOOL]`: settings of one tool.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolConfig {
    /// What a call does. It overrides what the server says.
    #[serde(deserialize_with = "effect")]
    pub effect: Option<Effect>,
    /// What an error result says about the effect.
    pub errors: ErrorMeaning,
    /// The argument that carries the idempotency key. Scripts do not see it.
    pub key_argument: Option<String>,
    /// How to look up the effect of a call.
    pub reconcile: Option<ReconcileConfig>,
}

/// What an error result says about the effect of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorMeaning {
    /// The tool had no effect.
    Refused,
    /// The tool may have had an effect before it failed.
    #[default]
    Unknown,
}

/// `reconcile`: how to look up the effect of a call.
///
/// `arguments` and the condition may contain references: `$input` is the input of the call, `$input/entities/0/name` a part of
/// it (a JSON pointer), and `$key` the idempotency key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileConfig {
    /// The reading tool of the same server that is called.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// The condition under which its result shows the effect.
    pub found: FoundCondition,
    /// How long after the request a missing effect proves that it did not happen. Without this it never proves that.
    pub absence_after_s: Option<u64>,
    /// A part of the error message by which that tool says that there is no effect, for example `ENOENT`. Other errors show
    /// nothing.
    pub absent_error: Option<String>,
}

/// `found`: a condition on a result. It holds if one of the values that the path selects matches. Without `equals` and
/// `contains`, it holds if the path selects any value.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundCondition {
    /// A `JSONPath`, for example `$.entities[*].name`.
    #[serde(deserialize_with = "json_path")]
    pub path: JsonPath,
    /// The value must equal this.
    pub equals: Option<Value>,
    /// The value must be a text with this part, or a list with this item.
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

/// `[mcp.NAME]` before validation.
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
    let is_valid = |it: &str| {
        it.starts_with(|first: char| first.is_ascii_uppercase())
            && it.chars().all(|c| c.is_ascii_alphanumeric())
    };
    match namespace {
        Some(namespace) if !is_valid(namespace) => Err(format!(
            "`{namespace}` cannot be a namespace: begin with a capital letter, then letters and digits"
        )),
        _ => Ok(()),
    }
}

fn check_http(url: &str, headers: &BTreeMap<String, String>) -> Result<(), String> {
    let parsed = Url::parse(url)
        .ok()
        .filter(|it| matches!(it.scheme(), "http" | "https") && it.host_str().is_some());
    let Some(parsed) = parsed else {
        return Err("`url` is none of `http:` or `https:`".into());
    };
    if !headers.is_empty() && !is_confidential(&parsed) {
        return Err("`headers` would cross the network unencrypted: write `https:` in `url`, or name this machine".into());
    }
    for (name, value) in headers {
        let is_valid =
            HeaderName::try_from(name.as_str()).is_ok() && HeaderValue::from_str(value).is_ok();
        if !is_valid {
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
        assert_eq!((tool.effect, tool.errors), (Some(Effect::Mutation), ErrorMeaning::Refused));
        assert_eq!(tool.reconcile.as_ref().unwrap().absence_after_s, Some(2));
    }

    #[test]
    fn headers_go_to_another_machine_encrypted_only() {
        for url in
            ["https://tools.example", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]"]
        {
            parse(&format!("[a]\nurl = \"{url}\"\nheaders = {{ Authorization = \"x\" }}")).unwrap();
        }
        parse("[a]\nurl = \"http://tools.example\"").unwrap();
        for url in ["http://tools.example", "http://10.0.0.1", "http://localhost.example"] {
            let text = format!("[a]\nurl = \"{url}\"\nheaders = {{ Authorization = \"x\" }}");
            assert!(parse(&text).unwrap_err().contains("unencrypted"), "{url}");
        }
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
            "[a]\nurl = \"http://tools.example\"\nheaders = { Authorization = \"${secret:KEY}\" }",
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
            `headers` would cross the network unencrypted: write `https:` in `url`, or name this machine
            `files` cannot be a namespace: begin with a capital letter, then letters and digits
            `timeout_ms` is 0: it has to be 1 or more
            unknown field `environment`, expected one of `command`, `args`, `env`, `dir`, `url`, `headers`, `namespace`, `timeout_ms`, `tools`
            the name of a connector begins with a letter and has up to 64 letters, digits, `-` and `_`
            unknown variant `none`, expected `refused` or `unknown`
            `entities[` is no JSONPath: write one such as `$.entities[*].name`"#]].assert_eq(&errors.join("\n"));
    }
}
