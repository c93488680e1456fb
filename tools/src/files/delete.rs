//! `Files.delete`.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use windlass_core::Failure;
use windlass_scheduler::{Effect, MutationCall, Place, Subject, ToolError};

use super::common::{NAMESPACE, run_mutation, subject};
use super::disk::sync_folder;
use super::roots::Roots;
use crate::method::{Method, MethodDescription, off_thread};

/// Deletes a file.
#[derive(Debug)]
pub(super) struct Delete {
    pub(super) roots: Arc<Roots>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteInput {
    /// The file, for example `inbox/a.txt`.
    path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct DeleteOutput {
    /// The file that is no more.
    path: String,
}

#[async_trait]
impl Method for Delete {
    type Input = DeleteInput;
    type Output = DeleteOutput;

    fn description(&self) -> MethodDescription {
        MethodDescription {
            namespace: NAMESPACE,
            method: "delete",
            docs: "\
Deletes a file: `Files.delete({path})` → `{path}`.

A file that does not exist is an error. Folders are not deleted.",
            effect: Effect::Mutation,
            input_types: &[],
        }
    }

    async fn mutate(
        &self,
        input: DeleteInput,
        call: MutationCall,
    ) -> Result<DeleteOutput, ToolError> {
        let place = call.place.as_deref();
        let location = self.roots.locate_in(place, &input.path).await;
        let location = location.map_err(ToolError::not_sent)?;
        run_mutation(move || {
            let failure = |err: &io::Error| location.failure("delete", err);
            call.point.pass()?;
            location
                .dir
                .remove_file(&location.relative)
                .map_err(|err| ToolError::not_sent(failure(&err)))?;
            sync_folder(&location).map_err(|err| ToolError::maybe_sent(failure(&err)))?;
            Ok(DeleteOutput { path: location.path })
        })
        .await
    }

    fn subject(&self, input: &DeleteInput) -> Subject {
        subject(&input.path)
    }

    async fn place(&self, input: &DeleteInput) -> Result<Option<Place>, Failure> {
        Ok(Some(self.roots.locate(&input.path).await?.place().await?))
    }

    fn absence_counts_after(&self, _input: &DeleteInput) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    /// The effect is there if the file does not exist.
    async fn reconcile(
        &self,
        input: DeleteInput,
        _call: MutationCall,
    ) -> Result<Option<DeleteOutput>, Failure> {
        let location = self.roots.locate(&input.path).await?;
        off_thread(move || {
            let failure = |err: &io::Error| location.failure("look for", err);
            match location.dir.symlink_metadata(&location.relative) {
                Ok(_) => Ok(None),
                Err(err) if err.kind() == io::ErrorKind::NotFound => {
                    sync_folder(&location).map_err(|err| failure(&err))?;
                    Ok(Some(DeleteOutput { path: location.path }))
                }
                Err(err) => Err(failure(&err)),
            }
        })
        .await?
    }
}
