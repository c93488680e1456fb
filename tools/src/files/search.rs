//! `Files.search`.

use std::io::BufReader;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use windlass_core::{DataFault, Failure};
use windlass_scheduler::{Effect, Subject, ToolCall};

use super::common::{INPUT_TYPES, NAMESPACE, subject};
use super::disk::open_to_read;
use super::lines::Lines;
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

Looks into the same files as `Files.list`, in the same order. Capitals matter. A line that is longer than \
`[tools.files] max_read_mib` is left out.",
            effect: Effect::Read,
            input_types: INPUT_TYPES,
        }
    }

    fn subject(&self, input: &SearchInput) -> Subject {
        subject(&input.dir)
    }

    async fn read(&self, input: SearchInput, call: ToolCall) -> Result<Vec<FoundLine>, Failure> {
        let location = self.roots.locate(&input.dir).await?;
        let mut search = Searching {
            text: input.text,
            max_line_bytes: usize::try_from(self.max_result_bytes).unwrap_or(usize::MAX),
            remaining_bytes: self.max_result_bytes,
            until: Instant::now() + call.time_limit,
            found: Vec::new(),
        };
        off_thread(move || {
            each_file(&location, input.pattern.as_deref(), |file, _| search.file(&file))?;
            Ok(search.found)
        })
        .await?
    }
}

/// A search, and what it has found.
#[derive(Debug)]
struct Searching {
    text: String,
    max_line_bytes: usize,
    remaining_bytes: u64,
    /// Afterwards nobody waits for it any more.
    until: Instant,
    found: Vec<FoundLine>,
}

impl Searching {
    /// Adds the lines of `file` that contain the text. Fails if all lines found are too long together.
    fn file(&mut self, file: &FileLocation) -> Result<(), Failure> {
        let failure = |err| file.failure("search", &err);
        let reader = BufReader::new(open_to_read(file).map_err(failure)?);
        let mut lines = Lines::new(reader, self.max_line_bytes, self.until);
        let mut number = 0;
        while let Some(line) = lines.next().map_err(failure)? {
            number += 1;
            let text = line.text.strip_suffix(b"\r").unwrap_or(&line.text);
            let text = String::from_utf8_lossy(text);
            if !line.is_whole || !text.contains(&self.text) {
                continue;
            }
            self.remaining_bytes =
                self.remaining_bytes.checked_sub(text.len() as u64).ok_or_else(|| {
                    let message = format!(
                        "too many lines contain `{}`: search for something rarer, or give a `pattern`",
                        self.text
                    );
                    Failure::about_data(DataFault::TooBig, message)
                })?;
            let (path, text) = (file.path.clone(), text.into_owned());
            self.found.push(FoundLine { path, line: number, text });
        }
        Ok(())
    }
}
