//! `Files.read`.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::{DataFault, Failure};
use windlass_scheduler::{Effect, Subject, ToolCall};

use super::common::{INPUT_TYPES, NAMESPACE, subject};
use super::disk::open_to_read;
use super::roots::{FileLocation, Roots};
use crate::method::{Method, MethodDescription, off_thread};

/// Reads a text file.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) roots: Arc<Roots>,
    pub(super) max_read_bytes: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadInput {
    /// The file, for example `inbox/a.txt`.
    path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ReadOutput {
    /// All of the file.
    text: String,
}

#[async_trait]
impl Method for Read {
    type Input = ReadInput;
    type Output = ReadOutput;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: NAMESPACE,
            method: "read",
            docs: "\
Reads a text file whole: `Files.read({path})` → `{text}`.

The file must be UTF-8 and no larger than the setting `[tools.files] max_read_mib`. For mail use `Mail.parse`.",
            effect: Effect::Read,
            input_types: INPUT_TYPES,
        }
    }

    fn subject(&self, input: &ReadInput) -> Subject {
        subject(&input.path)
    }

    async fn read(&self, input: ReadInput, _call: ToolCall) -> Result<ReadOutput, Failure> {
        let location = self.roots.locate(&input.path).await?;
        let max_bytes = self.max_read_bytes;
        off_thread(move || {
            let bytes = read_limited(&location, max_bytes)?;
            let text = String::from_utf8(bytes).map_err(|err| not_utf8(&location, &err))?;
            Ok(ReadOutput { text })
        })
        .await?
    }
}

fn not_utf8(location: &FileLocation, err: &std::string::FromUtf8Error) -> Failure {
    Failure::about_data(
        DataFault::Unreadable,
        format!(
            "`{}` is not a UTF-8 text: the byte at offset {} begins no character (an image, an archive, or a text in \
         another encoding)",
            location.path,
            err.utf8_error().valid_up_to()
        ),
    )
}

/// Reads a whole file, unless it is larger than the configuration allows.
pub(crate) fn read_limited(location: &FileLocation, max_bytes: u64) -> Result<Vec<u8>, Failure> {
    let file = open_to_read(location).map_err(|err| location.failure("read", &err))?;
    let bytes = read_at_most(&file, max_bytes).map_err(|err| location.failure("read", &err))?;
    bytes.ok_or_else(|| {
        Failure::about_data(
            DataFault::TooBig,
            format!(
                "`{}` is larger than the {} MiB that `[tools.files] max_read_mib` allows",
                location.path,
                max_bytes / (1024 * 1024)
            ),
        )
    })
}

/// `None` means that the file is larger. Its metadata is not used, because the file may grow while it is read.
pub(super) fn read_at_most(file: &File, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let n_bytes = file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok((n_bytes as u64 <= max_bytes).then_some(bytes))
}
