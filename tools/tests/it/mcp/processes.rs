//! The processes of servers.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use super::{FIND, Fixture, THINGS, eventually, is_alive};
use crate::world::World;

#[tokio::test]
async fn a_server_that_died_is_started_again_at_the_next_call() {
    let fixture = Fixture::things().await;

    fixture.add("lamp", "die").await.unwrap_err();
    let added = fixture.add("chair", "").await;

    assert!(added.is_ok(), "{added:?}");
    assert_eq!(Fixture::pids(&fixture.stop().await).len(), 2);
}

#[tokio::test]
async fn a_server_that_was_killed_while_nobody_called_is_started_again() {
    let fixture = Fixture::things().await;
    let pid = Fixture::pids(&fixture.world)[0];

    let process = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    eventually(|| !is_alive(pid)).await;

    fixture.world.ok("Things.findThings", json!({"name": "lamp"})).await;
    fixture.stop().await;
}

#[tokio::test]
async fn no_server_outlives_a_stop() {
    let fixture = Fixture::things().await;
    let pids = Fixture::pids(&fixture.world);
    assert!(is_alive(pids[0]));

    fixture.stop().await;

    assert!(!is_alive(pids[0]));
}

#[tokio::test]
async fn a_server_that_does_not_listen_is_killed_with_what_it_started() {
    let world = World::new();
    world.put("server.js", include_str!("server.js"));
    world.put("tools.json", include_str!("tools.json"));
    world.put(
        "deaf.js",
        r#"
        process.on("SIGTERM", () => {});
        process.exit = () => {};
        setInterval(() => {}, 1000);
        const { pid } = require("node:child_process").spawn("sleep", ["600"]);
        require("node:fs").appendFileSync("pids", pid + "\n");
        require("./server.js");
        "#,
    );
    let fixture = Fixture::again(world, &THINGS.replace("server.js", "deaf.js")).await.unwrap();
    let pids = Fixture::pids(&fixture.world);
    assert_eq!(pids.len(), 2);

    fixture.stop().await;

    // The child of a process that was killed is not there for us to wait for.
    eventually(|| !pids.iter().any(|pid| is_alive(*pid))).await;
}

/// A server that starts a process of its own, and ends as soon as its input ends.
async fn with_child(
    child: &str,
    config: &str,
) -> Result<Fixture, windlass_tools::mcp::ConnectorError> {
    let world = World::new();
    world.put("server.js", include_str!("server.js"));
    world.put("tools.json", include_str!("tools.json"));
    let start = format!(
        r#"
        const {{ pid }} = require("node:child_process").spawn("sh", ["-c", {child:?}], {{ stdio: "ignore" }});
        require("node:fs").appendFileSync("pids", pid + "\n");
        require("./server.js");
        "#
    );
    world.put("parent.js", start);
    Fixture::again(world, &format!("{}{config}", THINGS.replace("server.js", "parent.js"))).await
}

#[tokio::test]
async fn nothing_that_a_server_started_outlives_it_if_it_ends_politely() {
    for child in ["sleep 600", "trap '' TERM; sleep 600 & wait; sleep 600"] {
        let fixture = with_child(child, "").await.unwrap();
        let pids = Fixture::pids(&fixture.world);
        assert_eq!(pids.len(), 2);

        fixture.stop().await;

        eventually(|| !pids.iter().any(|pid| is_alive(*pid))).await;
    }
}

#[tokio::test]
async fn nothing_that_a_server_started_outlives_it_if_it_dies() {
    let fixture = with_child("sleep 600", FIND).await.unwrap();
    let pids = Fixture::pids(&fixture.world);

    fixture.add("lamp", "die").await.unwrap_err();

    eventually(|| !pids.iter().any(|pid| is_alive(*pid))).await;
    fixture.stop().await;
}

#[tokio::test]
async fn a_server_is_given_nothing_of_the_surroundings_but_the_way() {
    let surroundings = "dir = \"inbox\"\nenv = { TOKEN = \"Bearer ${secret:TOKEN}\" }\n";
    let config = THINGS.replace("server.js", "../server.js") + surroundings + FIND;
    let world = World::new();
    world.put("server.js", include_str!("server.js"));
    world.put("inbox/tools.json", include_str!("tools.json"));
    let token = world.put("token", "a-long-secret");
    std::fs::set_permissions(token, std::fs::Permissions::from_mode(0o600)).unwrap();
    let fixture = Fixture::again(world, &config).await.unwrap();

    let answer = fixture.world.ok("Things.lookAround", json!({})).await;

    let seen: Value = serde_json::from_str(answer["text"].as_str().unwrap()).unwrap();
    let mut names: Vec<_> = seen["env"].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "PATH", "TOKEN"]);
    assert_eq!(seen["env"]["TOKEN"], "Bearer a-long-secret");
    assert!(seen["cwd"].as_str().unwrap().ends_with("/inbox"), "{seen}");
    fixture.stop().await;
}
