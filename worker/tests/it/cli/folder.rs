//! A folder in which the program is called, and what was said there.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use expect_test::Expect;
use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own.
pub(crate) struct TestFolder {
    folder: TempDir,
}

/// What a call came to.
pub(crate) struct CommandOutput {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl TestFolder {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with the starter of `init` in it.
    pub(crate) fn with_starter() -> Self {
        let folder = Self::new();
        assert_eq!(folder.call("init").code, 0);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, contents).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// A call of the program, with nothing of the surroundings but this folder.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command
            .arg0("windlass")
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env_remove("WINDLASS_DATABASE")
            .env_remove("WINDLASS_LOG")
            .env_remove("WINDLASS_LOG_FORMAT")
            .env("USER", "tester")
            .env("XDG_STATE_HOME", self.folder.path().join("user-state"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn call(&self, line: &str) -> CommandOutput {
        let output = self.command(line).output().unwrap();
        CommandOutput {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A call whose answer is one JSON document.
    pub(crate) fn json(&self, line: &str) -> Value {
        let called = self.call(&format!("{line} --json"));
        serde_json::from_str(&called.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", called.stdout, called.stderr))
    }

    /// Calls the program line by line, and compares everything that it says.
    pub(crate) fn expect(&self, lines: &[&str], expected: &Expect) {
        let mut transcript = String::new();
        for line in lines {
            let called = self.call(line);
            transcript.push_str(&format!("$ windlass {line}\n{}", called.stdout));
            if !called.stderr.is_empty() {
                transcript.push_str(&format!("stderr:\n{}", called.stderr));
            }
            transcript.push_str(&format!("exit code {}\n\n", called.code));
        }
        expected.assert_eq(&self.steady(&transcript));
    }

    /// The same text in every run: no paths of this machine, no ids, no times.
    fn steady(&self, text: &str) -> String {
        let text = text.replace(&self.folder.path().display().to_string(), "[DIR]");
        let text = text.lines().map(|line| line.trim_end().to_owned() + "\n").collect::<String>();
        without_distances(&without_times(&without_ids(&text)))
    }
}

/// Takes out what follows the underscore of an id.
fn without_ids(text: &str) -> String {
    let mut parts = text.split('_');
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let n_hex = part.chars().take_while(char::is_ascii_hexdigit).count();
        clean.push('_');
        clean.push_str(if n_hex == 32 { "[ID]" } else { "" });
        clean.push_str(if n_hex == 32 { &part[32..] } else { part });
    }
    clean
}

/// Takes out instants to the second, with what follows of the second.
fn without_times(text: &str) -> String {
    const SHAPE: &str = "dddd-dd-dd dd:dd:dd";
    let is_time = |text: &str| {
        text.len() >= SHAPE.len()
            && text.bytes().zip(SHAPE.bytes()).all(|(found, wanted)| match wanted {
                b'd' => found.is_ascii_digit(),
                b' ' => found == b' ' || found == b'T',
                exact => found == exact,
            })
    };
    let mut clean = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if is_time(rest) {
            clean.push_str("[TIME]");
            rest = rest[SHAPE.len()..].trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
            rest = rest.strip_prefix('Z').unwrap_or(rest);
        } else {
            clean.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    clean
}

/// Takes out how far away an instant is.
fn without_distances(text: &str) -> String {
    let mut parts = text.split("[TIME] (");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.split_once(')').map_or(part, |(_, rest)| rest);
        clean.push_str("[TIME]");
        clean.push_str(rest);
    }
    clean
}
