//! A script version: where it came from, what it declares, and its text.

use windlass_api::service::ScriptDetails;

use crate::commands::check::write_manifest;
use crate::output::TextPage;

/// Writes a script version.
pub(super) fn write_script(page: &mut TextPage, details: &ScriptDetails) {
    let script = &details.script;
    let active = if details.is_active { ", which runs" } else { "" };
    let version = script.version();
    page.line(format_args!(
        "{}: version {version} of {}{active}",
        script.id, details.workflow_name
    ));
    page.field("file", &script.file_name);
    page.field("digest", &script.digest);
    if !script.comment.is_empty() {
        page.field("comment", &script.comment);
    }
    page.moment("saved", Some(script.created_at));
    write_manifest(page, &script.manifest);
    page.heading("Text");
    page.document(&script.source);
}
