//! Connectors against servers that misbehave on purpose.

mod bindings;
mod calls;
mod http;
mod lists;
mod processes;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_scheduler::Registry;
use windlass_tools::mcp::{ConnectorError, ConnectorOptions, Connectors, McpConfig};
use windlass_tools::secrets::{Secrets, SecretsConfig};

use crate::world::{World, environment};

/// How a connector of the server of things begins.
pub(super) const THINGS: &str = "[things]\ncommand = \"node\"\nargs = [\"server.js\"]\n";

/// How the effect of `add_thing` is looked up.
pub(super) const FIND: &str = r#"
[things.tools.add_thing]
key_argument = "request_id"
[things.tools.add_thing.reconcile]
tool = "find_things"
arguments = { name = "$input/name" }
found = { path = "$.things[*].name", equals = "$input/name" }
absence_after_s = 1
absent_error = "ENOENT"
"#;

/// A folder with a server, connected, and the tools that it offers.
pub(super) struct Fixture {
    pub(super) world: World,
    connectors: Connectors,
}

impl Fixture {
    /// Connected to the server of things.
    pub(super) async fn things() -> Self {
        Self::with(&format!("{THINGS}{FIND}")).await
    }

    pub(super) async fn with(config: &str) -> Self {
        Self::try_with(config).await.unwrap()
    }

    pub(super) async fn try_with(config: &str) -> Result<Self, ConnectorError> {
        let world = World::new();
        world.put("server.js", include_str!("server.js"));
        world.put("tools.json", include_str!("tools.json"));
        Self::again(world, config).await
    }

    /// As another process would see the same folder.
    pub(super) async fn again(mut world: World, config: &str) -> Result<Self, ConnectorError> {
        let connectors = connectors(&world.path(""), config);
        let offered = connectors.tools(&["Files".to_owned()]).await?;
        assert!(offered.missing.is_empty(), "{offered:?}");
        world.registry = Registry::new(offered.tools).unwrap();
        Ok(Self { world, connectors })
    }

    /// Ends the servers.
    pub(super) async fn stop(self) -> World {
        self.connectors.stop().await;
        self.world
    }

    pub(super) async fn add(
        &self,
        name: &str,
        how: &str,
    ) -> Result<Value, windlass_scheduler::ToolError> {
        self.world.call("Things.addThing", json!({"name": name, "how": how})).await
    }

    /// The names of the tools of the server, changed by `change`.
    pub(super) fn tools(change: impl FnOnce(&mut Vec<Value>)) -> Value {
        let mut tools: Vec<Value> = serde_json::from_str(include_str!("tools.json")).unwrap();
        change(&mut tools);
        tools.into()
    }

    /// The processes of the server that were ever started here.
    pub(super) fn pids(world: &World) -> Vec<i32> {
        world.text("pids").lines().map(|line| line.parse().unwrap()).collect()
    }
}

pub(super) fn connectors(root: &Path, config: &str) -> Connectors {
    let config: McpConfig = toml::from_str(config).unwrap();
    let options = ConnectorOptions {
        root: root.to_owned(),
        snapshots: root.join("connectors"),
        actor: "tester".to_owned(),
        environment,
    };
    let origins: SecretsConfig = toml::from_str("TOKEN = { file = \"token\" }").unwrap();
    Connectors::new(&config, &Arc::new(Secrets::load(&origins, root, environment)), options)
}

/// Whether a process is there.
pub(super) fn is_alive(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::test_kill_process(pid).is_ok()
}

/// Waits until something is so that is about to be.
pub(super) async fn eventually(mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}
