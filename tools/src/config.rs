//! The `[tools]` part of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[tools]`: what the built-in tools may touch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolsConfig {
    /// `[tools.files]`.
    pub files: FilesConfig,
    /// `[tools.http]`.
    pub http: HttpConfig,
}

/// `[tools.files]`: `Files` and `Mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilesConfig {
    /// The folders that scripts may use, relative to the configuration file. A script's path begins with one of them.
    pub roots: Vec<String>,
    /// The largest file that is read whole, and the most that a search answers, in MiB.
    pub max_read_mib: u32,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self { roots: Vec::new(), max_read_mib: 10 }
    }
}

/// `[tools.http]`: `Http`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// The servers that scripts may talk to: `api.example.com`, `api.example.com:8443`, `*.example.com`,
    /// `127.0.0.1:8799`. Without a port, every port.
    pub allow: Vec<String>,
    /// The largest response body, in MiB.
    pub max_response_mib: u32,
    /// How long a call may take, redirects and body included, in milliseconds.
    pub timeout_ms: u64,
    /// `[tools.http.headers."api.example.com"]`: the header lines that Windlass adds to requests for a server, over https or to
    /// this machine. The server is written as in `allow`; a value may hold `${secret:NAME}`.
    pub headers: BTreeMap<String, BTreeMap<String, String>>,
    /// `[[tools.http.endpoints]]`: where the effect of a request can be found out when its answer is lost.
    pub endpoints: Vec<EndpointConfig>,
}

/// One of `[[tools.http.endpoints]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// The URL that those of the endpoint begin with, segment by segment.
    pub url: String,
    /// Whether the server knows a request that is sent again by its `Idempotency-Key`, and then does nothing but answer it as
    /// it did the first time.
    #[serde(default)]
    pub idempotent: bool,
    /// How long after a request it counts that its effect is not there, in seconds.
    #[serde(default)]
    pub absence_after_s: Option<u32>,
    /// How to ask whether the effect is there, where sending again could double it.
    #[serde(default)]
    pub look_up: Option<LookUpConfig>,
}

/// How to ask whether an effect is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUpConfig {
    /// What is asked with `GET`; `{key}` stands for the request's `Idempotency-Key`.
    pub url: String,
    /// What the answer says where the effect is there. Without it a status of 200 to 299 says so; 404 and 410 always say that it
    /// is not there.
    #[serde(default)]
    pub found: Option<FoundConfig>,
}

/// A condition on the JSON of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundConfig {
    /// The JSON pointer of a value, for example `/orders/0/key`.
    pub pointer: String,
    /// What that value is; `{key}` stands for the `Idempotency-Key`.
    pub equals: serde_json::Value,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            max_response_mib: 10,
            timeout_ms: 30_000,
            headers: BTreeMap::new(),
            endpoints: Vec::new(),
        }
    }
}

pub(super) fn mib_to_bytes(mib: u32) -> u64 {
    u64::from(mib) * 1024 * 1024
}

/// A `[tools]` configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolsConfigError {
    /// A folder that is not there or cannot be opened.
    #[error(
        "could not open `{path}`, which `[tools.files] roots` names as `{root}`: create the folder or correct the setting"
    )]
    Root {
        /// As it is configured.
        root: String,
        /// Where that is.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A folder that scripts would have no name for.
    #[error(
        "`{root}` in `[tools.files] roots` has no name that a script's path could begin with: name a folder"
    )]
    RootName {
        /// As it is configured.
        root: String,
    },
    /// Two folders that scripts could not tell apart.
    #[error(
        "`{root}` in `[tools.files] roots` has the same name as another root: rename one of the folders"
    )]
    RootTwice {
        /// As it is configured.
        root: String,
    },
    /// An entry of the allow list that names no server.
    #[error("`{entry}` in `[tools.http] allow` names no server: {reason}")]
    Allow {
        /// As it is configured.
        entry: String,
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// An endpoint that cannot be used.
    #[error("cannot use `{url}` of `[[tools.http.endpoints]]`: {reason}")]
    Endpoint {
        /// As it is configured.
        url: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// Headers for what is no server.
    #[error("`[tools.http.headers.\"{entry}\"]` names no server: {reason}")]
    HeadersServer {
        /// As it is configured.
        entry: String,
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// A header that cannot be sent.
    #[error("cannot add the header `{name}` of `[tools.http.headers.\"{entry}\"]`: {reason}")]
    Header {
        /// The server, as it is configured.
        entry: String,
        /// The header's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}
