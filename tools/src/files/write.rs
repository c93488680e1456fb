//! `Files.write`: replaces a file by another text in one step.
//!
//! The text goes into a file beside the target, which then takes the target's name: whoever looks sees the old text or
//! the new one, also after a power cut. The file beside has a fixed name and is locked, so that two calls take turns and
//! what a killed process leaves is used again.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::Failure;
use windlass_scheduler::{Effect, Subject, ToolCall, ToolError};

use super::disk::{open_exclusively, open_to_read, open_when_free, sync_folder};
use super::read::read_at_most;
use super::roots::{Place, Roots};
use crate::method::{Description, Method, off_thread};

/// Replaces a file.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) roots: Arc<Roots>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WriteInput {
    /// The file, for example `out/report.md`. It is created where it does not exist.
    path: String,
    /// All of its new text.
    text: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct WriteOutput {
    /// The file.
    path: String,
    /// Its new size in bytes.
    size: u64,
}

#[async_trait]
impl Method for Write {
    type Input = WriteInput;
    type Output = WriteOutput;

    fn description(&self) -> Description {
        Description {
            namespace: super::NAMESPACE,
            method: "write",
            docs: "\
Replaces the text of a file: `Files.write({path, text})` → `{path, size}`.

The file and its folder are created where they are missing. Others see the old text or the new one, never a part.",
            effect: Effect::Mutation,
            input_types: &[],
        }
    }

    async fn call(&self, input: WriteInput, call: ToolCall) -> Result<WriteOutput, ToolError> {
        let place = self.roots.place(&input.path).await.map_err(ToolError::not_sent)?;
        let beside = unfinished(&place);
        let file = open_exclusively("write", &beside, call.time_limit)
            .await
            .map_err(ToolError::not_sent)?;
        super::change(move || {
            let failure = |err: &io::Error| place.failure("write", err);
            if let Err(err) = replace(&file, &input.text, &beside, &place) {
                // Left where it is, it does no harm: it is hidden from scripts and used again.
                let _ = place.dir.remove_file(&beside.within);
                return Err(ToolError::not_sent(failure(&err)));
            }
            sync_folder(&place).map_err(|err| ToolError::maybe_sent(failure(&err)))?;
            Ok(WriteOutput { path: place.path, size: input.text.len() as u64 })
        })
        .await
    }

    fn subject(&self, input: &WriteInput) -> Subject {
        super::subject(&input.path)
    }

    fn absence_counts_after(&self, _input: &WriteInput) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    /// The effect is there if the file has the text. If someone replaced it since, writing it again is what was asked for.
    async fn reconcile(
        &self,
        input: WriteInput,
        _call: ToolCall,
    ) -> Result<Option<WriteOutput>, Failure> {
        let place = self.roots.place(&input.path).await?;
        let at_work = open_when_free("write", &unfinished(&place)).await?;
        off_thread(move || {
            let has_text =
                has_text(&place, &input.text).map_err(|err| place.failure("read", &err))?;
            drop(at_work);
            Ok(has_text.then_some(WriteOutput { path: place.path, size: input.text.len() as u64 }))
        })
        .await?
    }
}

/// Where the new text is until it is complete.
fn unfinished(place: &Place) -> Place {
    place.beside(&format!(".{}{UNFINISHED}", place.name()))
}

const UNFINISHED: &str = ".windlass-tmp";

/// Whether a file of this name is a text that is not complete.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(UNFINISHED)
}

/// Nothing has happened where this fails.
fn replace(mut file: &File, text: &str, beside: &Place, place: &Place) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    match place.dir.metadata(&place.within) {
        Ok(old) => place.dir.set_permissions(&beside.within, old.permissions())?,
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => return Err(err),
    }
    file.sync_all()?;
    place.dir.rename(&beside.within, &place.dir, &place.within)
}

fn has_text(place: &Place, text: &str) -> io::Result<bool> {
    let file = match open_to_read(place) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(err) => return Err(err),
    };
    let is_equal =
        read_at_most(&file, text.len() as u64)?.is_some_and(|bytes| bytes == text.as_bytes());
    if is_equal {
        file.sync_all()?;
        sync_folder(place)?;
    }
    Ok(is_equal)
}
