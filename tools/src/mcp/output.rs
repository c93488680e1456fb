//! What a server that runs as a process writes: its lines, read as JavaScript would read them.
//!
//! A line that cannot be read and carries the id of a request is an answer all the same: the server has done what it was asked.

use std::fmt::Display;

use rmcp::ServiceError;
use rmcp::model::{ErrorCode, ErrorData};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::io::{self, AsyncBufRead, AsyncBufReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;

use super::result::MAX_RESULT_BYTES;
use crate::json;

/// The code of the error in place of an answer that cannot be read. A server cannot send it.
pub(super) const UNREADABLE: i32 = -32_097;

/// The error in place of an answer that cannot be read.
pub(super) fn unreadable(problem: impl Display) -> ServiceError {
    ServiceError::McpError(ErrorData::new(ErrorCode(UNREADABLE), unreadable_message(problem), None))
}

fn unreadable_message(problem: impl Display) -> String {
    format!("it answered, and the answer cannot be read: {problem}")
}

/// How many messages may wait for a server that does not read them before it is no longer listened to.
const MAX_UNWRITTEN: usize = 64;

/// Passes on the lines of a server until it ends. It waits as long as the server does not read what is written to it.
pub(super) async fn pass_on(
    mut stdout: impl AsyncBufRead + Unpin,
    mut into: DuplexStream,
    mut unwritten: watch::Receiver<usize>,
) {
    let mut line = Line::default();
    loop {
        let is_read = unwritten.wait_for(|n| *n < MAX_UNWRITTEN).await.is_ok();
        if !is_read || !matches!(line.read(&mut stdout).await, Ok(true)) {
            return;
        }
        let Some(message) = line.message() else { continue };
        if into.write_all(message.as_bytes()).await.is_err() || into.write_all(b"\n").await.is_err()
        {
            return;
        }
    }
}

/// A line, up to [`MAX_RESULT_BYTES`] of it.
#[derive(Debug, Default)]
struct Line {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Line {
    /// Reads the next line; returns false at the end.
    async fn read(&mut self, reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<bool> {
        *self = Self::default();
        loop {
            let available = reader.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            let room = MAX_RESULT_BYTES.saturating_sub(self.bytes.len());
            self.is_cut |= part.len() > room;
            self.bytes.extend(part.iter().take(room));
            let n_read = part.len() + usize::from(end.is_some());
            reader.consume(n_read);
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// The message of the line, in a form that can be read; none if it has none.
    fn message(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes);
        let problem = if self.is_cut {
            "it is larger than 10 MiB".to_owned()
        } else {
            let repaired = json::repaired(&text).text;
            match serde_json::from_str::<IgnoredAny>(&repaired) {
                Ok(_) if repaired.contains(&UNREADABLE.to_string()) => {
                    return Some(without_own_code(&repaired));
                }
                Ok(_) => return Some(repaired.into_owned()),
                Err(problem) => problem.to_string(),
            }
        };
        let id = json::answered_id(&text)?;
        let error = json!({ "code": UNREADABLE, "message": unreadable_message(problem) });
        Some(json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string())
    }
}

/// A message whose error, if it has one, does not have our code.
fn without_own_code(text: &str) -> String {
    let mut message: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(code) = message.pointer_mut("/error/code").filter(|it| **it == json!(UNREADABLE)) {
        *code = json!(-32_603);
    }
    message.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed on of these lines.
    async fn passed_on(lines: Vec<u8>) -> Vec<Value> {
        let (into, mut from) = io::duplex(64);
        let (_sender, unwritten) = watch::channel(0);
        let passing = tokio::spawn(async move { pass_on(lines.as_slice(), into, unwritten).await });
        let mut text = String::new();
        io::AsyncReadExt::read_to_string(&mut from, &mut text).await.unwrap();
        passing.await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn lines_are_read_as_javascript_reads_them() {
        let lines = b"{\"id\":1,\"result\":{\"text\":\"cut \\ud83d\"}}\n{\"id\":2,\"result\":\"caf\xe9\"}\n";

        let told = passed_on(lines.to_vec()).await;

        assert_eq!(told[0], json!({"id": 1, "result": {"text": "cut \u{fffd}"}}));
        assert_eq!(told[1], json!({"id": 2, "result": "caf\u{fffd}"}));
    }

    #[tokio::test]
    async fn what_cannot_be_read_and_carries_an_id_is_an_answer() {
        let large = format!("{{\"id\":3,\"result\":\"{}\"}}\n", "x".repeat(MAX_RESULT_BYTES));
        let lines =
            format!("starting\n{{\"id\":1,\"result\":NaN}}\n{large}{{\"id\":4,\"error\":NaN}}\n");

        let told = passed_on(lines.into_bytes()).await;

        let told: Vec<_> = told.iter().map(|it| (&it["id"], &it["error"]["code"])).collect();
        assert_eq!(told, [(&json!(1), &json!(UNREADABLE)), (&json!(3), &json!(UNREADABLE))]);
    }

    #[tokio::test]
    async fn a_server_cannot_say_that_its_answer_is_unreadable() {
        let line = json!({"id": 1, "error": {"code": UNREADABLE, "message": "no"}}).to_string();

        let told = passed_on((line + "\n").into_bytes()).await;

        assert_eq!(told[0]["error"]["code"], -32_603);
    }

    #[tokio::test]
    async fn a_server_that_does_not_read_is_not_listened_to() {
        let (mut server, stdout) = io::duplex(64);
        let (into, from) = io::duplex(1024 * 1024);
        let (sender, unwritten) = watch::channel(MAX_UNWRITTEN);
        let passing = tokio::spawn(pass_on(io::BufReader::new(stdout), into, unwritten));

        let flood = async {
            for _request in 0..1_000 {
                server.write_all(b"{\"id\":1,\"method\":\"ping\"}\n").await.unwrap();
            }
        };
        tokio::pin!(flood);
        tokio::select! {
            biased;
            () = &mut flood => panic!("somebody reads it"),
            () = tokio::task::yield_now() => {}
        }
        sender.send_replace(0);
        flood.await;

        drop((server, from));
        passing.await.unwrap();
    }
}
