//! Something that a person is asked.

use windlass_store::Approval;

use crate::output::TextPage;

/// Writes what is asked, exactly what was shown, and the answer.
pub(super) fn write_approval(page: &mut TextPage, approval: &Approval) {
    page.line(format_args!("{}: {}, {}", approval.id, approval.kind, approval.status));
    page.field("plan", &approval.workflow);
    page.field_if("node", approval.node_id.as_ref());
    page.field_if("asked of", approval.owner.as_ref());
    page.moment("asked", Some(approval.requested_at));
    page.field("question", &approval.prompt);
    page.json("shown", &approval.presented);
    page.field_if("answered by", approval.responded_by.as_ref());
    page.moment("settled", approval.settled_at);
    page.field_if("comments", approval.comments.as_ref());
    for edit in &approval.required_edits {
        page.field("edit", edit);
    }
    if let Some(response) = &approval.response {
        page.json("answer", response);
    }
}
