//! The program among other processes: signals and pipes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::cli::folder::TestFolder;

#[test]
fn up_works_until_it_is_told_to_stop() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    let mut up = folder.command("up").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines().map(Result::unwrap);

    let seen: Vec<_> = lines.by_ref().take_while(|line| !line.contains("Files.append")).collect();
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();

    assert!(seen.iter().any(|line| line == "Watching notes."), "{seen:?}");
    assert_eq!(lines.last().as_deref(), Some("Stopped."));
    assert_eq!(up.wait().unwrap().code(), Some(0));
}

#[test]
fn up_stops_and_says_so_when_its_database_is_deleted() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    let mut up =
        folder.command("up").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Files.append")), "it has worked");

    std::fs::remove_dir_all(folder.path(".windlass")).unwrap();
    folder.write("inbox/second.txt", "two");

    let output = up.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is no longer the database that this process has open"), "{said}");
    assert!(said.contains("hint: put the file back"), "{said}");
}

#[test]
fn up_waits_for_a_database_that_does_not_answer_yet() {
    let folder = TestFolder::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://nobody@{}/windlass", server.local_addr().unwrap());
    let mut command = folder.command("up --database");
    let mut up = command.arg(url).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    for _attempt in 0..3 {
        let (connection, _) = server.accept().unwrap();
        drop(connection);
    }
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();

    assert_eq!(up.wait().unwrap().code(), Some(0));
    let output = up.wait_with_output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().ends_with("Stopped.\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot begin yet, trying again"), "{said}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = TestFolder::new();
    let mut types =
        folder.command("types").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    drop(types.stdout.take());

    let output = types.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_watched_state_is_shown_again_when_it_has_changed() {
    let folder = TestFolder::with_starter();
    folder.call("deploy workflow.js --name notes --activate --yes");
    let watching = folder.command("status notes --watch").stdout(Stdio::piped()).spawn();
    let mut watching = watching.unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert_eq!(folder.call("pause notes").code, 0);
    let paused = lines.find(|line| line == "notes: Stopped");
    drop(lines);
    assert_eq!(folder.call("resume notes").code, 0);

    assert!(first.starts_with("notes: ") && first != "notes: Stopped", "{first}");
    assert!(paused.is_some(), "it ended before");
    assert_eq!(watching.wait().unwrap().code(), Some(0), "it ends when nobody reads any more");
    assert_eq!(folder.call("status --watch --check").code, 2);
    assert_eq!(folder.call("status --watch --json").code, 2);
}

/// Asks a server that takes the request and never answers.
const WAITER: &str = r#"const workflow = {
  topics: { found: {} },
  producers: {
    ask: {
      publishes: ["found"],
      schedule: { interval: "1h" },
      handler: async () => { await Http.get({ url: "http://$ADDRESS/" }); },
    },
  },
  consumers: { hear: { subscribe: ["found"], prepare: async () => ({ reservations: [] }) } },
};
"#;

#[test]
fn a_log_line_names_the_workflow_and_the_handler_of_its_run() {
    let folder = TestFolder::with_starter();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    folder.write("windlass.toml", format!("[tools.http]\nallow = [\"{address}\"]\n"));
    folder.write("waiter.js", WAITER.replace("$ADDRESS", &address));
    assert_eq!(folder.call("deploy waiter.js --name waiter --activate --yes").code, 0);
    let mut killed = folder.command("run waiter").spawn().unwrap();
    let (_asked, _) = server.accept().unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    std::thread::spawn(move || {
        for stream in server.incoming().map(Result::unwrap) {
            BufReader::new(&stream).lines().map_while(Result::ok).find(String::is_empty);
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            (&stream).write_all(answer).unwrap();
        }
    });

    let after = folder.call("run waiter");

    let line = after.stderr.lines().find(|line| line.contains("recovered a run")).unwrap();
    assert!(line.contains("workflow=waiter handler=ask"), "{line}");
    assert!(line.contains("WARN") && !line.contains("windlass_scheduler"), "{line}");
}
