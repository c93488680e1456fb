//! `Files.list`.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use cap_std::fs::{DirEntry, Metadata};
use globset::{GlobBuilder, GlobMatcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::{Failure, Timestamp};
use windlass_scheduler::{Effect, Subject, ToolCall};

use super::common::{INPUT_TYPES, NAMESPACE, subject};
use super::roots::{FileLocation, Roots};
use super::write::is_temporary;
use crate::method::{Method, MethodDescription, off_thread};

/// Lists the files of a folder.
#[derive(Debug)]
pub(super) struct List {
    pub(super) roots: Arc<Roots>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListInput {
    /// The folder, for example `inbox` or `inbox/2026`.
    dir: String,
    /// A glob that the file's name must match, for example `*.eml` or `{a,b}-*.csv`.
    pattern: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct ListedFile {
    /// What `Files.read` and the others take.
    path: String,
    /// The last part of the path.
    name: String,
    /// In bytes.
    size: u64,
    /// When it was last changed: an ISO 8601 instant in UTC.
    modified: String,
    /// Why no tool can open it: its name is not UTF-8, and `path` only resembles it. Leave it out, or tell a person to rename it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[async_trait]
impl Method for List {
    type Input = ListInput;
    type Output = Vec<ListedFile>;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: NAMESPACE,
            method: "list",
            docs: "\
Lists the files of a folder: `Files.list({dir, pattern?})` → `[{path, name, size, modified}]`, sorted by path.

Folders in it are not listed and not entered; call it again with their path. A file that no tool can open has a `problem`.",
            effect: Effect::Read,
            input_types: INPUT_TYPES,
        }
    }

    fn subject(&self, input: &ListInput) -> Subject {
        subject(&input.dir)
    }

    async fn read(&self, input: ListInput, _call: ToolCall) -> Result<Vec<ListedFile>, Failure> {
        let location = self.roots.locate(&input.dir).await?;
        off_thread(move || {
            let mut files = Vec::new();
            each_file(&location, input.pattern.as_deref(), |file, metadata| {
                files.push(listed(&file, metadata));
                Ok(())
            })?;
            Ok(files)
        })
        .await?
    }
}

fn listed(file: &FileLocation, metadata: &Metadata) -> ListedFile {
    let modified = metadata
        .modified()
        .map(|it| Timestamp::from(chrono::DateTime::<chrono::Utc>::from(it.into_std())));
    ListedFile {
        path: file.path.clone(),
        name: file.name().to_owned(),
        size: metadata.len(),
        modified: modified.unwrap_or(Timestamp::from_micros(0)).to_string(),
        problem: (!file.has_path()).then(|| "its name is not UTF-8: rename it".to_owned()),
    }
}

/// Compiles a pattern for names of files.
fn glob(pattern: &str) -> Result<GlobMatcher, Failure> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|err| {
            Failure::logic(format!("`{pattern}` is no pattern for names of files: {}", err.kind()))
        })
}

/// Visits the files of a folder whose names match the glob `pattern`, in the order of their names.
pub(super) fn each_file(
    folder: &FileLocation,
    pattern: Option<&str>,
    mut visit: impl FnMut(FileLocation, &Metadata) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let pattern = pattern.map(glob).transpose()?;
    let failure = |err: &io::Error| folder.failure("list", err);
    let entries = folder.dir.read_dir(&folder.relative).map_err(|err| failure(&err))?;
    let entries: Vec<DirEntry> = entries.collect::<Result<_, _>>().map_err(|err| failure(&err))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.file_name();
        if pattern.as_ref().is_none_or(|it| it.is_match(&name)) {
            names.push(name);
        }
    }
    names.sort();
    for name in names.iter().filter(|name| !name.to_str().is_some_and(is_temporary)) {
        let file = folder.child(name);
        // Links that lead out of the folder or to what no script may use, and files deleted in the meantime, are not listed.
        match folder.dir.metadata(&file.relative) {
            Ok(metadata) if metadata.is_file() && !file.is_protected(&metadata) => {
                visit(file, &metadata)?;
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}
