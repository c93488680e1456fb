//! The server from outside: `serve`, `up --listen`, `token` and `login`.

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::folder::TestFolder;

/// A process that serves, until it is stopped.
struct Serving {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Serving {
    fn start(folder: &TestFolder, line: &str) -> Self {
        let mut process = folder.command(line).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let says = |line: String| line.strip_prefix("listening on http://").map(str::to_owned);
        let address = lines.by_ref().map(Result::unwrap).find_map(says).unwrap();
        Self { process, lines, address }
    }

    /// The status line and headers, and the body, of what is answered.
    fn get<'a>(&self, path: &str, token: impl Into<Option<&'a str>>) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let address = &self.address;
        let token = token.into().map(|token| format!("authorization: Bearer {token}\r\n"));
        let token = token.unwrap_or_default();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {address}\r\n{token}connection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// Stops it, and says how it ended and what it said last.
    fn stop(mut self) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        let last = self.lines.map(Result::unwrap).last().unwrap();
        (self.process.wait().unwrap().code(), last)
    }
}

const WORKFLOWS: &str = "/api/v1/workspaces/default/workflows";

#[test]
fn a_token_lets_a_program_in_until_it_is_revoked() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    let made = folder.json("token create --name robot --scope read,run");
    let token = made["token"].as_str().unwrap();
    let serving = Serving::start(&folder, "serve --listen 127.0.0.1:0");

    let (head, body) = serving.get(WORKFLOWS, token);
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}\n{body}");
    let workflows: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(workflows["items"][0]["name"], "notes");
    assert!(serving.get(WORKFLOWS, "wdl_other").0.starts_with("HTTP/1.1 401"));

    let listed = folder.json("token list");
    assert_eq!((&listed[0]["name"], &listed[0]["scopes"]), (&"robot".into(), &"read,run".into()));
    assert!(!listed.to_string().contains(token), "a token is shown once");
    folder.call(&format!("token revoke {}", made["id"].as_str().unwrap()));
    assert!(serving.get(WORKFLOWS, token).0.starts_with("HTTP/1.1 401"));
    assert_eq!(serving.stop(), (Some(0), "Stopped.".to_owned()));
}

#[test]
fn a_worker_serves_beside_its_work() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    let serving = Serving::start(&folder, "up --listen 127.0.0.1:0");

    assert!(serving.get("/readyz", "").0.starts_with("HTTP/1.1 401"), "an empty token is wrong");
    let token = folder.json("token create --name t --scope admin")["token"].clone();
    let (head, body) = serving.get("/readyz", token.as_str().unwrap());
    assert!(head.starts_with("HTTP/1.1 200") && body.contains("\"store\":true"), "{head}\n{body}");
    assert_eq!(serving.stop(), (Some(0), "Stopped.".to_owned()));
}

#[test]
fn a_worker_that_serves_tells_what_it_did_as_numbers() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    let token = folder.json("token create --name prometheus --scope metrics")["token"].clone();
    let token = token.as_str().unwrap();
    let serving = Serving::start(&folder, "up --listen 127.0.0.1:0");
    let committed = "windlass_runs_total{kind=\"producer\",outcome=\"committed\"} ";
    let (head, numbers) = loop {
        let (head, numbers) = serving.get("/metrics", token);
        let line = numbers.lines().find_map(|line| line.strip_prefix(committed));
        if line != Some("0") {
            break (head, numbers);
        }
    };

    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}\n{numbers}");
    for series in [committed, "windlass_worker_slots{state=\"free\"}", "windlass_build_info{"] {
        assert!(numbers.contains(series), "{series}: {numbers}");
    }
    assert!(serving.get(WORKFLOWS, token).0.starts_with("HTTP/1.1 403"), "it reads nothing else");
    assert_eq!(serving.stop(), (Some(0), "Stopped.".to_owned()));
}

#[test]
fn a_demo_leaves_its_pages_open() {
    for example in ["receipts", "plan"] {
        let folder = TestFolder::new();
        let mut serving = Serving::start(&folder, &format!("demo {example} --serve 127.0.0.1:0"));
        let link = |line: String| line.split_once("with http://").map(|(_, url)| url.to_owned());
        let link = serving.lines.by_ref().map(Result::unwrap).find_map(link).unwrap();
        let path = link.strip_prefix(&serving.address).unwrap();

        let (head, body) = serving.get(path, None);

        assert!(head.starts_with("HTTP/1.1 200") && body.contains("signs you in"), "{head}{body}");
        assert_eq!(serving.stop(), (Some(0), "Stopped.".to_owned()));
    }
}

#[test]
fn login_prints_a_link_to_the_pages() {
    let folder = TestFolder::with_starter();
    folder.write("windlass.toml", "[server]\npublic_url = \"https://windlass.example\"\n");

    let called = folder.call("login");

    assert!(
        called.stdout.starts_with("https://windlass.example/sign-in?code=wdl_"),
        "{}",
        called.stdout
    );
    assert!(called.stdout.contains("It signs you in once, until"), "{}", called.stdout);
}

#[test]
fn other_machines_are_not_let_in_without_encryption() {
    let folder = TestFolder::with_starter();

    let refused = folder.call("serve --listen 0.0.0.0:0");

    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("without encryption"), "{}", refused.stderr);
    assert!(refused.stderr.contains("public_url"), "{}", refused.stderr);
}

#[test]
fn a_token_for_an_agent_decides_nothing_for_people() {
    let folder = TestFolder::with_starter();

    let refused = folder.call("token create --name t --agent claude --scope settle");
    let unknown = folder.call("token create --name t --scope write");

    assert_eq!((refused.code, unknown.code), (1, 2), "{}{}", refused.stderr, unknown.stderr);
    assert!(
        refused.stderr.contains("agent `claude` cannot have the scope `settle`"),
        "{}",
        refused.stderr
    );
}
