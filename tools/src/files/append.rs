//! `Files.append`: adds one line to the end of a file, whole or not at all.
//!
//! # How the line is found again
//! After a crash someone must be able to tell whether the line was written. The line itself is the record: it is looked
//! for, letter for letter, as a whole line of the file. That is proof only if no other mutation writes the same line,
//! which the tool cannot know of lines in general: two payments of the same amount on one day look alike. So the script
//! vouches for it with `key`, a text that belongs to this one effect and is a part of the line: different keys make
//! different lines. Without a key, or with a key that the line does not contain, two mutations could have left equal
//! lines; the file then proves nothing, and a person is asked.
//!
//! # How a torn line is mended
//! The line goes out in one write, and a write that fails is taken back. A power cut can still leave the first part of a
//! line, without an end. Such a rest at the end of the file is completed if our line begins with it; anything else is
//! somebody's data, so it keeps its place and our line starts a new one.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::Failure;
use windlass_scheduler::{Effect, Subject, ToolCall, ToolError};

use super::disk::{open_exclusively, open_when_free, sync_folder};
use super::roots::{Place, Roots};
use crate::method::{Description, Method, off_thread};

/// Adds a line to a file.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) roots: Arc<Roots>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AppendInput {
    /// The file, for example `out/ledger.csv`. It is created where it does not exist.
    path: String,
    /// One line. Its end is added.
    line: String,
    /// A part of the line that no other line has, for example a message id: with it the line can be found again.
    key: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct AppendOutput {
    /// The file.
    path: String,
    /// The length of the line with its end, in bytes.
    bytes: u64,
    /// The size of the file up to the end of the line, in bytes.
    size: u64,
}

#[async_trait]
impl Method for Append {
    type Input = AppendInput;
    type Output = AppendOutput;

    fn description(&self) -> Description {
        Description {
            namespace: super::NAMESPACE,
            method: "append",
            docs: "\
Adds one line to the end of a file: `Files.append({path, line, key?})` → `{path, bytes, size}`.

The file and its folder are created where they are missing. Give a `key` wherever the line has one: a part of the line \
that belongs to this one effect, such as a message id or an invoice number. After a crash the line is then looked up; \
without a key, or with one that the line does not contain, a person is asked whether it was written.",
            effect: Effect::Mutation,
            input_types: &[],
        }
    }

    async fn call(&self, input: AppendInput, call: ToolCall) -> Result<AppendOutput, ToolError> {
        let place = self.roots.place(&input.path).await.map_err(ToolError::not_sent)?;
        let line = single_line(&input.line).map_err(ToolError::not_sent)?.to_owned();
        let file = open_exclusively("append to", &place, call.time_limit)
            .await
            .map_err(ToolError::not_sent)?;
        super::change(move || {
            let size = append_line(&file, &line).map_err(|err| err.into_tool_error(&place))?;
            Ok(AppendOutput { path: place.path, bytes: line.len() as u64 + 1, size })
        })
        .await
    }

    fn subject(&self, input: &AppendInput) -> Subject {
        super::subject(&input.path)
    }

    fn absence_counts_after(&self, input: &AppendInput) -> Option<Duration> {
        let is_found_by_key =
            input.key.as_deref().is_some_and(|key| !key.is_empty() && input.line.contains(key));
        is_found_by_key.then_some(Duration::ZERO)
    }

    async fn reconcile(
        &self,
        input: AppendInput,
        _call: ToolCall,
    ) -> Result<Option<AppendOutput>, Failure> {
        let place = self.roots.place(&input.path).await?;
        let line = single_line(&input.line)?.to_owned();
        let Some(file) = open_when_free("search", &place).await? else { return Ok(None) };
        off_thread(move || {
            let size =
                find_line(&file, &place, &line).map_err(|err| place.failure("search", &err))?;
            Ok(size.map(|size| AppendOutput {
                path: place.path,
                bytes: line.len() as u64 + 1,
                size,
            }))
        })
        .await?
    }
}

/// The line without the end that scripts sometimes give it.
fn single_line(line: &str) -> Result<&str, Failure> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\r']) {
        return Err(Failure::logic(
            "`Files.append` writes one line, and this text has several: append them one by one, or use `Files.write`",
        ));
    }
    Ok(line)
}

/// A line that was not written, and whether the file is as it was before.
#[derive(Debug)]
enum AppendError {
    /// It is.
    Untouched(io::Error),
    /// Nobody knows.
    Unclear(io::Error),
}

impl AppendError {
    fn into_tool_error(self, place: &Place) -> ToolError {
        match self {
            Self::Untouched(err) => ToolError::not_sent(place.failure("append to", &err)),
            Self::Unclear(err) => ToolError::maybe_sent(place.failure("append to", &err)),
        }
    }
}

/// What appending needs of a file.
trait Tail: Read + Write + Seek {
    fn cut(&mut self, len: u64) -> io::Result<()>;
    fn make_durable(&mut self) -> io::Result<()>;
}

impl Tail for &File {
    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn make_durable(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Adds the line; the new size of the file. A write that fails is taken back.
fn append_line(mut file: impl Tail, line: &str) -> Result<u64, AppendError> {
    let old_size = file.seek(SeekFrom::End(0)).map_err(AppendError::Untouched)?;
    let bytes = completion(&mut file, old_size, line).map_err(AppendError::Untouched)?;

    let written = file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(&bytes));
    match written.and_then(|()| file.make_durable()) {
        Ok(()) => Ok(old_size + bytes.len() as u64),
        Err(err) => match file.cut(old_size).and_then(|()| file.make_durable()) {
            Ok(()) => Err(AppendError::Untouched(err)),
            Err(_still_there) => Err(AppendError::Unclear(err)),
        },
    }
}

/// What has to be written after the last byte so that `line` becomes the last line.
fn completion(file: &mut impl Tail, size: u64, line: &str) -> io::Result<Vec<u8>> {
    let whole = [line.as_bytes(), b"\n"].concat();
    // A rest longer than the line is not its beginning, so no more than that has to be looked at.
    let n_bytes = size.min(whole.len() as u64);
    file.seek(SeekFrom::Start(size - n_bytes))?;
    let mut end = Vec::new();
    file.take(n_bytes).read_to_end(&mut end)?;

    let rest = end.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if rest.is_empty() {
        return Ok(whole);
    }
    match whole.strip_prefix(rest) {
        // A rest that lacks only its end is a line of its own: to take it for ours would lose one of the two.
        Some(missing) if missing != b"\n" => Ok(missing.to_vec()),
        _ => Ok([b"\n".as_slice(), &whole].concat()),
    }
}

/// The size of `file` up to the end of the line, where it has that line. What is found is made durable first: a line
/// that only the system's memory holds could still be lost.
fn find_line(file: &File, place: &Place, line: &str) -> io::Result<Option<u64>> {
    let mut size = 0;
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        size += reader.read_until(b'\n', &mut bytes)? as u64;
        if bytes.is_empty() {
            return Ok(None);
        }
        // The last line may lack its end: the line is there all the same, and the next append adds the end.
        if bytes.strip_suffix(b"\n").unwrap_or(&bytes) == line.as_bytes() {
            file.sync_all()?;
            sync_folder(place)?;
            return Ok(Some(size));
        }
    }
}

#[cfg(test)]
mod tests;
