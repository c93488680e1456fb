//! `versions`: the versions of a workflow's script, and how two of them differ.

use serde::Serialize;
use windlass_api::service::{VersionChange, VersionDifference, VersionRow};
use windlass_core::Grant;

use super::check::write_grant;
use crate::cli::VersionsArgs;
use crate::context::Context;
use crate::exit::{ExitStatus, Result};
use crate::output::{Printable, TextPage};

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Versions(Vec<VersionRow>);

pub(crate) async fn run(context: &Context, args: &VersionsArgs) -> Result<ExitStatus> {
    let service = context.open_existing().await?;
    let Some(named) = &args.diff else {
        context.output.print(&Versions(service.versions(&args.workflow).await?))?;
        return Ok(ExitStatus::Done);
    };
    let (from, to) = match named.as_slice() {
        [] => (None, None),
        [to] => (None, Some(to)),
        [from, to, ..] => (Some(from), Some(to)),
    };
    let (from, to) = (from.map(String::as_str), to.map(String::as_str));
    context.output.print(&service.version_difference(&args.workflow, from, to).await?)?;
    Ok(ExitStatus::Done)
}

impl Printable for Versions {
    fn write(&self, page: &mut TextPage) {
        if self.0.is_empty() {
            return page.line("There is no script yet.");
        }
        let rows = self.0.iter().map(|row| {
            [
                row.version.clone(),
                if row.is_active { "yes".to_owned() } else { "-".to_owned() },
                page.time(row.created_at),
                row.change.as_ref().map_or_else(|| "-".to_owned(), lines),
                row.change.as_ref().map_or_else(|| "-".to_owned(), rights),
                row.comment.clone(),
                row.id.to_string(),
            ]
        });
        let header = ["VERSION", "ACTIVE", "SAVED", "LINES", "RIGHTS", "COMMENT", "ID"];
        let rows = rows.collect();
        page.table(header, rows);
    }
}

fn lines(change: &VersionChange) -> String {
    format!("+{} -{}", change.lines_added, change.lines_removed)
}

/// What became allowed, and what is no longer allowed.
fn rights(change: &VersionChange) -> String {
    let each = |sign: char, grant: &Grant| {
        grant.iter().map(|tool| format!("{sign}{tool}")).collect::<Vec<_>>()
    };
    let (more, fewer) = (each('+', &change.newly_allowed), each('-', &change.no_longer_allowed));
    let all = [more, fewer].concat();
    if all.is_empty() { "the same".to_owned() } else { all.join(" ") }
}

impl Printable for VersionDifference {
    fn write(&self, page: &mut TextPage) {
        page.line(format_args!(
            "{}: from version {} to {} ({})",
            self.workflow,
            self.from,
            self.to,
            lines(&self.change)
        ));
        let VersionChange { newly_allowed, no_longer_allowed, .. } = &self.change;
        if !newly_allowed.is_empty() {
            write_grant(page, "may now call", newly_allowed);
        }
        if !no_longer_allowed.is_empty() {
            write_grant(page, "no longer", no_longer_allowed);
        }
        if self.diff.is_empty() {
            page.heading("The text is the same.");
        } else {
            page.line("");
            page.document(&self.diff);
        }
    }
}
