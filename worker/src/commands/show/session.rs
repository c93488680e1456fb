//! A session: its runs in the order in which they began.

use windlass_api::service::SessionDetails;
use windlass_store::Run;

use crate::output::TextPage;

/// Writes a session.
pub(super) fn write_session(page: &mut TextPage, details: &SessionDetails) {
    let session = &details.session;
    page.line(format_args!("{}: session, trigger {}", session.id, session.trigger));
    let result = session.result.map_or_else(|| "not ended yet".to_owned(), |it| it.to_string());
    page.field("result", result);
    page.money("cost", session.cost);
    page.field_if("error", session.error.as_ref());
    page.field_if("class", session.error_class);
    page.field("workflow", session.workflow_id);
    page.moment("began", Some(session.created_at));
    page.moment("ended", session.ended_at);
    write_runs(page, &details.handler_runs);
}

/// Writes a table of runs.
fn write_runs(page: &mut TextPage, runs: &[Run]) {
    if runs.is_empty() {
        return;
    }
    let row = |run: &Run| {
        [
            format!("  {}", run.handler),
            run.kind.to_string(),
            run.status.to_string(),
            run.phase.to_string(),
            run.error.clone().unwrap_or_default(),
            run.id.to_string(),
        ]
    };
    page.heading("Runs");
    let rows = runs.iter().map(row).collect();
    page.table(["  HANDLER", "KIND", "STATUS", "PHASE", "ERROR", "ID"], rows);
}
