//! Clients that are not ours: the SDKs of the protocol for Python and TypeScript.
//!
//! They are installed once, beneath the folder of cargo's target. Where that is impossible because no registry is reached, a test says
//! that it is left out.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::client::{each, trip};
use crate::cli::folder::TestFolder;

const PYTHON_SDK: &str = "mcp==2.3.0";
const TYPESCRIPT_SDK: &str = "@modelcontextprotocol/sdk@1.32.2";

#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn say_left_out(name: &str) {
    eprintln!("left out: {name} cannot be installed, because its registry is not reached");
}

/// The folder of a package, after it was installed there. None where its registry is not reached.
fn installed(
    name: &str,
    install: impl Fn(&Path) -> bool,
    is_reached: impl Fn() -> bool,
) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mark = folder.join("installed");
    if mark.exists() {
        return Some(folder);
    }
    let _nothing_there = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    if install(&folder) {
        std::fs::write(&mark, "").unwrap();
        return Some(folder);
    }
    assert!(!is_reached(), "{name} is not installed, although its registry is reached");
    say_left_out(name);
    None
}

/// Whether a program ends well. One that is missing does not.
fn runs(program: impl AsRef<Path>, arguments: &[&str], folder: &Path) -> bool {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(folder);
    command.output().is_ok_and(|output| output.status.success())
}

fn anywhere() -> &'static Path {
    Path::new("/")
}

/// Lets a foreign client talk to the program, and checks what it saw.
fn converse(mut client: Command) {
    let folder = TestFolder::new();
    let database = format!("sqlite:{}", folder.path("journal.db").display());
    client
        .arg(env!("CARGO_BIN_EXE_windlass"))
        .arg(database)
        .arg(trip().to_string())
        .current_dir(folder.path(""))
        .env("USER", "tester");
    let output = client.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();

    let has = |list: &str, name: &str| {
        seen[list].as_array().unwrap().iter().any(|it| it.as_str() == Some(name))
    };
    for tool in [
        "record_plan",
        "record_execution_start",
        "query_ledger",
        "record_decision",
        "record_action",
    ] {
        assert!(has("tools", tool), "{tool}: {seen}");
    }
    assert!(has("prompts", "execution_planning_prompt"), "{seen}");
    assert!(has("resources", "resource://execution-journal/examples"), "{seen}");
    assert_eq!(seen["roles"], json!(["user", "assistant", "user"]));
    assert_eq!(seen["page"], "text/markdown");
    assert_eq!(seen["step"]["structuredContent"]["progress"], "1/3 steps", "{seen}");
    assert_eq!(seen["wrong"]["isError"], true, "{seen}");
    let ledger = &seen["ledger"]["structuredContent"];
    assert_eq!(each(&ledger["steps"], "status"), ["completed", "pending", "pending"]);
    assert_eq!(each(&ledger["events"], "event_type").first(), Some(&"execution_started"));
}

#[test]
fn foreign_client_in_python_records_an_execution() {
    let install = |folder: &Path| {
        runs("python3", &["-m", "venv", "."], folder)
            && runs(
                folder.join("bin/python"),
                &["-m", "pip", "install", "--quiet", PYTHON_SDK],
                folder,
            )
    };
    let is_reached = || runs("python3", &["-m", "pip", "index", "versions", "mcp"], anywhere());
    let Some(folder) = installed("mcp-python", install, is_reached) else { return };

    let script = folder.join("client.py");
    std::fs::write(&script, include_str!("foreign/client.py")).unwrap();
    let mut client = Command::new(folder.join("bin/python"));
    client.arg(script);

    converse(client);
}

#[test]
fn foreign_client_in_typescript_records_an_execution() {
    let install = |folder: &Path| {
        let options = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"];
        std::fs::write(folder.join("package.json"), "{}").unwrap();
        runs("npm", &[&options[..], &[TYPESCRIPT_SDK]].concat(), folder)
    };
    let is_reached = || runs("npm", &["view", TYPESCRIPT_SDK, "version"], anywhere());
    let Some(folder) = installed("mcp-typescript", install, is_reached) else { return };

    let script = folder.join("client.mjs");
    std::fs::write(&script, include_str!("foreign/client.mjs")).unwrap();
    let mut client = Command::new("node");
    client.arg(script);

    converse(client);
}
