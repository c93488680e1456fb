//! `Files.append`: adds one line to the end of a file, whole or not at all.
//!
//! # How the line is looked up
//! After a crash, the look-up searches the file for a line that is exactly equal. That proves the effect only if no other
//! mutation writes an equal line. The tool cannot know that: two payments of the same amount on one day have equal lines.
//! So the script passes `key`, a text that belongs to this one effect and is a part of the line. Different keys make
//! different lines. Without a key, or with a key that the line does not contain, two mutations could have written equal
//! lines. Then the file proves nothing, and a person is asked.
//!
//! # How an incomplete line is completed
//! The line is written with one write, and a failed write is undone. After a power cut, the file can still end with the
//! first part of a line. If our line begins with that part, the rest is added. Otherwise the part is somebody's data: it
//! stays, and our line starts after it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use windlass_core::Failure;
use windlass_scheduler::{CommitPoint, Effect, MutationCall, Place, Refused, Subject, ToolError};

use super::common::{NAMESPACE, run_mutation, subject};
use super::disk::{Audience, open_exclusively, open_existing, require_one_name, sync_folder};
use super::lines::Lines;
use super::roots::{FileLocation, Roots};
use crate::method::{Method, MethodDescription, off_thread};

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

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: NAMESPACE,
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

    async fn mutate(
        &self,
        input: AppendInput,
        call: MutationCall,
    ) -> Result<AppendOutput, ToolError> {
        let place = call.place.as_deref();
        let location = self.roots.locate_in(place, &input.path).await;
        let location = location.map_err(ToolError::not_sent)?;
        let line = single_line(&input.line).map_err(ToolError::not_sent)?.to_owned();
        let file = open_exclusively("append to", &location, Audience::Usual, call.call.time_limit)
            .await
            .map_err(ToolError::not_sent)?;
        require_one_name(&file, &location).map_err(ToolError::not_sent)?;
        run_mutation(move || {
            let size = append_line(&file, &line, &call.point)
                .map_err(|err| err.into_tool_error(&location))?;
            Ok(AppendOutput { path: location.path, bytes: line.len() as u64 + 1, size })
        })
        .await
    }

    fn subject(&self, input: &AppendInput) -> Subject {
        subject(&input.path)
    }

    async fn place(&self, input: &AppendInput) -> Result<Option<Place>, Failure> {
        Ok(Some(self.roots.locate(&input.path).await?.place().await?))
    }

    fn absence_counts_after(&self, input: &AppendInput) -> Option<Duration> {
        let is_found_by_key =
            input.key.as_deref().is_some_and(|key| !key.is_empty() && input.line.contains(key));
        is_found_by_key.then_some(Duration::ZERO)
    }

    async fn reconcile(
        &self,
        input: AppendInput,
        call: MutationCall,
    ) -> Result<Option<AppendOutput>, Failure> {
        let location = self.roots.locate(&input.path).await?;
        let line = single_line(&input.line)?.to_owned();
        let until = Instant::now() + call.call.time_limit;
        let Some(file) = open_existing("search", &location).await? else { return Ok(None) };
        off_thread(move || {
            let size = find_line(&file, &location, &line, until)
                .map_err(|err| location.failure("search", &err))?;
            Ok(size.map(|size| AppendOutput {
                path: location.path,
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

/// Why a line was not written, and whether the file is unchanged.
#[derive(Debug)]
enum AppendError {
    /// The worker may not write any more. The file is unchanged.
    Refused(Refused),
    /// The file is unchanged.
    Unchanged(io::Error),
    /// The file may have changed.
    MaybeChanged(io::Error),
}

impl AppendError {
    fn into_tool_error(self, location: &FileLocation) -> ToolError {
        match self {
            Self::Refused(refused) => refused.into(),
            Self::Unchanged(err) => ToolError::not_sent(location.failure("append to", &err)),
            Self::MaybeChanged(err) => ToolError::maybe_sent(location.failure("append to", &err)),
        }
    }
}

/// What appending needs from a file. Tests implement it with a full disk.
trait AppendTarget: Read + Write + Seek {
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

impl AppendTarget for &File {
    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Adds the line and returns the new size of the file. A failed write is undone if nothing but its part of the line was added.
fn append_line(
    mut file: impl AppendTarget,
    line: &str,
    point: &CommitPoint,
) -> Result<u64, AppendError> {
    let old_size = file.seek(SeekFrom::End(0)).map_err(AppendError::Unchanged)?;
    let bytes = bytes_to_append(&mut file, old_size, line).map_err(AppendError::Unchanged)?;
    file.seek(SeekFrom::End(0)).map_err(AppendError::Unchanged)?;

    point.pass().map_err(AppendError::Refused)?;
    match file.write_all(&bytes).and_then(|()| file.sync()) {
        Ok(()) => Ok(old_size + bytes.len() as u64),
        Err(err) => match undo(&mut file, old_size, &bytes) {
            Ok(()) => Err(AppendError::Unchanged(err)),
            Err(_undo_failed) => Err(AppendError::MaybeChanged(err)),
        },
    }
}

/// Takes back what was written of `bytes`. What a program without the lock has added meanwhile is not taken back with it.
fn undo(file: &mut impl AppendTarget, old_size: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(old_size))?;
    let mut added = Vec::new();
    file.take(bytes.len() as u64 + 1).read_to_end(&mut added)?;
    if !bytes.starts_with(&added) {
        return Err(io::Error::other("another program has added something"));
    }
    file.truncate(old_size)?;
    file.sync()
}

/// The bytes to write at the end of the file so that `line` becomes its last line.
fn bytes_to_append(file: &mut impl AppendTarget, size: u64, line: &str) -> io::Result<Vec<u8>> {
    let whole = [line.as_bytes(), b"\n"].concat();
    // An incomplete line that is longer than ours is not its beginning, so reading as many bytes as ours has is enough.
    let n_bytes = size.min(whole.len() as u64);
    file.seek(SeekFrom::Start(size - n_bytes))?;
    let mut end = Vec::new();
    file.take(n_bytes).read_to_end(&mut end)?;

    let incomplete = end.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    if incomplete.is_empty() {
        return Ok(whole);
    }
    match whole.strip_prefix(incomplete) {
        // If only the line break is missing, it is a line of its own. Taking it for ours would lose one of the two.
        Some(missing) if missing != b"\n" => Ok(missing.to_vec()),
        _ => Ok([b"\n".as_slice(), &whole].concat()),
    }
}

/// The size of `file` up to the end of the line, if it contains the line. A line that is found is made durable first: it
/// may be in the system's cache only, and could still be lost.
fn find_line(
    file: &File,
    location: &FileLocation,
    line: &str,
    until: Instant,
) -> io::Result<Option<u64>> {
    let mut size = 0;
    let mut lines = Lines::new(BufReader::new(file), line.len(), until);
    while let Some(found) = lines.next()? {
        size += found.size;
        // The last line may have no line break. It counts all the same, and the next append adds the line break.
        if found.is_whole && found.text == line.as_bytes() {
            file.sync_all()?;
            sync_folder(location)?;
            return Ok(Some(size));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
