//! `Files.write`: replaces a file by another text in one step.
//!
//! The text is written to a temporary file in the same folder, which is then renamed to the target. So readers see the old
//! text or the new one, even after a power cut. The temporary file has a fixed name and is locked: two calls take turns, and
//! a file that a killed process left is used again.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cap_std::fs::MetadataExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::Failure;
use windlass_scheduler::{CommitPoint, Effect, MutationCall, Place, Subject, ToolError};

use super::common::{NAMESPACE, run_mutation, subject};
use super::disk::{
    Audience, open_exclusively, open_existing, open_to_read, require_one_name, sync_folder,
};
use super::read::read_at_most;
use super::roots::{FileLocation, Roots};
use crate::method::{Method, MethodDescription, off_thread};

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

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: NAMESPACE,
            method: "write",
            docs: "\
Replaces the text of a file: `Files.write({path, text})` → `{path, size}`.

The file and its folder are created where they are missing. Others see the old text or the new one, never a part.",
            effect: Effect::Mutation,
            input_types: &[],
        }
    }

    async fn mutate(
        &self,
        input: WriteInput,
        call: MutationCall,
    ) -> Result<WriteOutput, ToolError> {
        let place = call.place.as_deref();
        let location = self.roots.locate_in(place, &input.path).await;
        let location = location.map_err(ToolError::not_sent)?;
        let temporary = temporary_file(&location);
        let file = open_temporary(&temporary, &location, call.call.time_limit)
            .await
            .map_err(ToolError::not_sent)?;
        run_mutation(move || {
            let failure = |err: &io::Error| location.failure("write", err);
            if let Err(err) = replace(&file, &input.text, &temporary, &location, &call.point) {
                // If this fails, the file does no harm: it is hidden from scripts and used again.
                let _ = location.dir.remove_file(&temporary.relative);
                return Err(err);
            }
            sync_folder(&location).map_err(|err| ToolError::maybe_sent(failure(&err)))?;
            Ok(WriteOutput { path: location.path, size: input.text.len() as u64 })
        })
        .await
    }

    fn subject(&self, input: &WriteInput) -> Subject {
        subject(&input.path)
    }

    async fn place(&self, input: &WriteInput) -> Result<Option<Place>, Failure> {
        Ok(Some(self.roots.locate(&input.path).await?.place().await?))
    }

    fn absence_counts_after(&self, _input: &WriteInput) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    /// The effect is there if the file has the text. If somebody has replaced the text since, it is written again.
    async fn reconcile(
        &self,
        input: WriteInput,
        _call: MutationCall,
    ) -> Result<Option<WriteOutput>, Failure> {
        let location = self.roots.locate(&input.path).await?;
        let lock = open_existing("write", &temporary_file(&location)).await?;
        off_thread(move || {
            let has_text =
                has_text(&location, &input.text).map_err(|err| location.failure("read", &err))?;
            drop(lock);
            Ok(has_text
                .then_some(WriteOutput { path: location.path, size: input.text.len() as u64 }))
        })
        .await?
    }
}

/// The file that contains the new text until it is complete.
fn temporary_file(location: &FileLocation) -> FileLocation {
    location.sibling(&format!(".{}{TEMPORARY_SUFFIX}", location.name()))
}

/// Opens and locks the temporary file. Beside a file that not everybody may read, nobody else can open it before it has the same
/// permissions.
async fn open_temporary(
    temporary: &FileLocation,
    location: &FileLocation,
    time_limit: Duration,
) -> Result<File, Failure> {
    let target = location.clone();
    let exists = off_thread(move || target.dir.exists(&target.relative)).await?;
    let audience = if exists { Audience::Owner } else { Audience::Usual };
    let file = open_exclusively("write", temporary, audience, time_limit).await?;
    require_one_name(&file, temporary)?;
    Ok(file)
}

const TEMPORARY_SUFFIX: &str = ".windlass-tmp";

/// Whether this is the name of a temporary file.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX)
}

/// Writes the text and makes it the target. If this fails, the target is unchanged.
fn replace(
    file: &File,
    text: &str,
    temporary: &FileLocation,
    location: &FileLocation,
    point: &CommitPoint,
) -> Result<(), ToolError> {
    let failed = |err: io::Error| ToolError::not_sent(location.failure("write", &err));
    write_temporary(file, text, location).map_err(failed)?;
    point.pass()?;
    location.dir.rename(&temporary.relative, &location.dir, &location.relative).map_err(failed)
}

/// Writes the text durably into the temporary file, which has the permissions of the target before the first byte.
fn write_temporary(mut file: &File, text: &str, location: &FileLocation) -> io::Result<()> {
    match location.dir.metadata(&location.relative) {
        Ok(old) => file.set_permissions(Permissions::from_mode(old.mode()))?,
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => return Err(err),
    }
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn has_text(location: &FileLocation, text: &str) -> io::Result<bool> {
    let file = match open_to_read(location) {
        Ok(file) => file,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(err) => return Err(err),
    };
    let is_equal =
        read_at_most(&file, text.len() as u64)?.is_some_and(|bytes| bytes == text.as_bytes());
    if is_equal {
        file.sync_all()?;
        sync_folder(location)?;
    }
    Ok(is_equal)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::config::FilesConfig;

    const TIME_LIMIT: Duration = Duration::from_secs(10);

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    /// Writes `out.txt` anew; returns the permissions of the temporary file before its first byte, and those of the file at the end.
    async fn write_over(dir: &Path) -> (u32, u32) {
        let config = FilesConfig { roots: vec![".".to_owned()], ..FilesConfig::default() };
        let roots = Roots::open(&config, dir).unwrap();
        let location = roots.locate("out.txt").await.unwrap();
        let temporary = temporary_file(&location);
        let file = open_temporary(&temporary, &location, TIME_LIMIT).await.unwrap();
        let before = mode(&dir.join(&temporary.relative));
        let (_watch, point) = CommitPoint::new(|| true);
        replace(&file, "new", &temporary, &location, &point).unwrap();
        (before, mode(&dir.join("out.txt")))
    }

    #[tokio::test]
    async fn the_text_is_never_where_more_people_can_read_it_than_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let (target, usual) = (dir.path().join("out.txt"), dir.path().join("usual.txt"));
        fs::write(&usual, "").unwrap();
        for private in [0o600, 0o640, 0o400] {
            fs::write(&target, "old").unwrap();
            fs::set_permissions(&target, Permissions::from_mode(private)).unwrap();

            assert_eq!(write_over(dir.path()).await, (0o600, private));
            fs::remove_file(&target).unwrap();
        }

        assert_eq!(write_over(dir.path()).await, (mode(&usual), mode(&usual)), "a new file");
    }
}
