//! `Files.search`.

use std::io::{BufRead as _, BufReader};
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::Failure;
use windlass_scheduler::{Effect, Subject, ToolCall};

use super::common::{INPUT_TYPES, NAMESPACE, subject};
use super::disk::open_to_read;
use super::list::each_file;
use super::roots::{FileLocation, Roots};
use crate::method::{Method, MethodDescription, off_thread};

/// Finds lines in the files of a folder.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) roots: Arc<Roots>,
    pub(super) max_result_bytes: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchInput {
    /// The folder, for example `inbox`.
    dir: String,
    /// What a line must contain, letter for letter.
    #[schemars(length(min = 1))]
    text: String,
    /// A glob that the file's name must match, for example `*.csv`.
    pattern: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct FoundLine {
    /// The file.
    path: String,
    /// The line's number, from 1.
    line: u64,
    /// The line, without its end.
    text: String,
}

#[async_trait]
impl Method for Search {
    type Input = SearchInput;
    type Output = Vec<FoundLine>;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: NAMESPACE,
            method: "search",
            docs: "\
Finds the lines that contain a text: `Files.search({dir, text, pattern?})` → `[{path, line, text}]`.

Looks into the same files as `Files.list`, in the same order. Capitals matter.",
            effect: Effect::Read,
            input_types: INPUT_TYPES,
        }
    }

    fn subject(&self, input: &SearchInput) -> Subject {
        subject(&input.dir)
    }

    async fn read(&self, input: SearchInput, _call: ToolCall) -> Result<Vec<FoundLine>, Failure> {
        let location = self.roots.locate(&input.dir).await?;
        let max_bytes = self.max_result_bytes;
        off_thread(move || {
            let mut found = Vec::new();
            let mut remaining_bytes = max_bytes;
            each_file(&location, input.pattern.as_deref(), |file, _| {
                search(&file, &input.text, &mut remaining_bytes, &mut found)
            })?;
            Ok(found)
        })
        .await?
    }
}

/// Adds the lines of `file` that contain `text`. Fails if they are longer than `remaining_bytes`.
fn search(
    file: &FileLocation,
    text: &str,
    remaining_bytes: &mut u64,
    found: &mut Vec<FoundLine>,
) -> Result<(), Failure> {
    let failure = |err| file.failure("search", &err);
    let reader = BufReader::new(open_to_read(file).map_err(failure)?);
    for (line_idx, line) in reader.split(b'\n').enumerate() {
        let line = line.map_err(failure)?;
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line));
        if !line.contains(text) {
            continue;
        }
        *remaining_bytes = remaining_bytes.checked_sub(line.len() as u64).ok_or_else(|| {
            Failure::logic(format!(
                "too many lines contain `{text}`: search for something rarer, or give a `pattern`"
            ))
        })?;
        found.push(FoundLine {
            path: file.path.clone(),
            line: line_idx as u64 + 1,
            text: line.into_owned(),
        });
    }
    Ok(())
}
