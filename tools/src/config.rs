//! `[tools]`: the configuration of the built-in tools.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use windlass_core::Age;

/// `[tools]`: what the built-in tools may use.
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
    /// Files and folders that no script may use, absolute: the configuration, the state and the secrets. The program names them, never
    /// the configuration.
    #[serde(skip)]
    pub protected: Vec<PathBuf>,
    /// The largest file that is read whole, and the largest result of a search, in MiB.
    pub max_read_mib: u32,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self { roots: Vec::new(), protected: Vec::new(), max_read_mib: 10 }
    }
}

/// `[tools.http]`: `Http`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// The servers that scripts may send requests to: `api.example.com`, `api.example.com:8443`, `*.example.com`,
    /// `127.0.0.1:8799`. Without a port, every port.
    pub allow: Vec<String>,
    /// The largest response body, in MiB.
    pub max_response_mib: u32,
    /// How long a call may take, redirects and body included, in milliseconds.
    pub timeout_ms: u64,
    /// `[tools.http.headers."api.example.com"]`: the header lines that Windlass adds to requests for a server, over https or to
    /// this machine. The server is written as in `allow`; a value may hold `${secret:NAME}`.
    pub headers: BTreeMap<String, BTreeMap<String, String>>,
    /// `[[tools.http.endpoints]]`: how to look up the effects of requests whose responses were lost.
    pub endpoints: Vec<EndpointConfig>,
}

/// One of `[[tools.http.endpoints]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointConfig {
    /// The beginning of the URLs of the endpoint, in whole segments.
    pub url: String,
    /// Whether the server recognises a repeated request by its `Idempotency-Key`, does not repeat the effect, and sends the
    /// first response again.
    #[serde(default)]
    pub idempotent: bool,
    /// For how long the server recognises a key: `23h` (the default), `7d`, `forever`. Afterwards a repeated request counts as a new
    /// one, so a person is asked instead.
    #[serde(default)]
    pub keys_kept: Option<Age>,
    /// How long after a request a missing effect proves that it did not happen, in seconds.
    #[serde(default)]
    pub absence_after_s: Option<u32>,
    /// How to query whether the effect is there. For servers that would repeat the effect if the request were sent again.
    #[serde(default)]
    pub look_up: Option<LookUpConfig>,
}

/// How to query whether an effect is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUpConfig {
    /// The URL of the query, a `GET`. `{key}` stands for the request's `Idempotency-Key`.
    pub url: String,
    /// The condition under which the response shows the effect. Without it, a status of 200 to 299 shows the effect. 404 and
    /// 410 always show that there is none.
    #[serde(default)]
    pub found: Option<FoundConfig>,
}

/// A condition on the JSON of a response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundConfig {
    /// The JSON pointer of a value, for example `/orders/0/key`.
    pub pointer: String,
    /// The value that must be there; `{key}` stands for the `Idempotency-Key`.
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

/// Why a `[tools]` configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolsConfigError {
    /// A folder does not exist or cannot be opened.
    #[error(
        "could not open `{path}`, which `[tools.files] roots` names as `{root}`: mount its disk, create the folder, or correct the setting"
    )]
    Root {
        /// As it is configured.
        root: String,
        /// Where that is.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A folder contains what no script may use.
    #[error(
        "the root `{root}` of `[tools.files] roots` would let scripts use `{path}`: name the folders that they work with, for example `roots = [\"inbox\", \"out\"]`"
    )]
    RootUnsafe {
        /// As it is configured.
        root: String,
        /// The configuration, state or secret that meets it.
        path: PathBuf,
    },
    /// A folder has no name that a script's path could begin with.
    #[error(
        "`{root}` in `[tools.files] roots` has no name that a script's path could begin with: name a folder"
    )]
    RootName {
        /// As it is configured.
        root: String,
    },
    /// Two folders have the same name in scripts.
    #[error(
        "`{root}` in `[tools.files] roots` has the same name as another root: rename one of the folders"
    )]
    RootTwice {
        /// As it is configured.
        root: String,
    },
    /// An entry of the allow list names no server.
    #[error("`{entry}` in `[tools.http] allow` names no server: {reason}")]
    Allow {
        /// As it is configured.
        entry: String,
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// An endpoint cannot be used.
    #[error("cannot use `{url}` of `[[tools.http.endpoints]]`: {reason}")]
    Endpoint {
        /// As it is configured.
        url: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// An entry of the headers names no server.
    #[error("`[tools.http.headers.\"{entry}\"]` names no server: {reason}")]
    HeadersServer {
        /// As it is configured.
        entry: String,
        /// What is wrong with it, and what would be right.
        reason: &'static str,
    },
    /// A header cannot be sent.
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
