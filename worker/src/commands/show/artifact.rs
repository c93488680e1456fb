//! A version of something that a node made.

use windlass_api::service::PlanArtifact;

use crate::output::TextPage;

/// Writes what it is, which version, and its content.
pub(super) fn write_artifact(page: &mut TextPage, artifact: &PlanArtifact) {
    let PlanArtifact { id, name, version, status, .. } = artifact;
    page.line(format_args!("{id}: {name}, version {version}, {status}"));
    page.field("kind", artifact.kind);
    page.field_if("node", artifact.node_id.as_ref());
    page.field("made by", &artifact.created_by);
    page.moment("made", Some(artifact.created_at));
    page.field_if("description", artifact.description.as_ref());
    page.field_if("pointer", artifact.pointer.as_ref());
    if let Some(content) = &artifact.content {
        page.json("content", content);
    }
}
