//! A script version: where it came from, what it declares, and its text.

use serde::Serialize;
use windlass_core::ScriptId;
use windlass_store::{Result, ScriptVersion};

use crate::commands::check::write_manifest;
use crate::output::Page;
use windlass_api::service::Service;

#[derive(Debug, Serialize)]
pub(crate) struct ScriptPage {
    script: ScriptVersion,
    workflow_name: String,
    is_active: bool,
}

pub(crate) async fn load(
    Service { store, workspace, .. }: &Service,
    id: ScriptId,
) -> Result<ScriptPage> {
    let script = store.script(*workspace, id).await?;
    let workflow = store.overview(*workspace, script.workflow_id).await?.workflow;
    let is_active = workflow.active_script_id == Some(id);
    Ok(ScriptPage { script, workflow_name: workflow.name, is_active })
}

impl ScriptPage {
    pub(crate) fn write(&self, page: &mut Page) {
        let script = &self.script;
        let active = if self.is_active { ", which runs" } else { "" };
        let version = script.version();
        page.line(format_args!(
            "{}: version {version} of {}{active}",
            script.id, self.workflow_name
        ));
        page.field("file", &script.file_name);
        page.field("digest", &script.digest);
        if !script.comment.is_empty() {
            page.field("comment", &script.comment);
        }
        page.moment("saved", Some(script.created_at));
        write_manifest(page, &script.manifest);
        page.heading(&script.source);
    }
}
