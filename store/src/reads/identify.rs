//! Which record an id, or the beginning or the end of one, belongs to.

use diesel::prelude::*;
use windlass_core::{
    ApprovalId, ArtifactId, EventId, Id, InputId, MutationId, NotificationId, RunId, ScriptId,
    SessionId, WorkflowId, WorkspaceId,
};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::model::Workflow;
use crate::rows::{Db, WorkflowRow};
use crate::schema::{
    approvals, artifacts, events, handler_runs, inputs, mutations, notifications, scripts,
    sessions, workflows,
};
use crate::store::AnyId;

/// How many of the ids that fit are named.
const MAX_CANDIDATES: i64 = 5;

/// How many digits the end of an id needs.
const LEAST_END: usize = 4;

/// The workflow of that name, or whose id begins or ends so.
pub(in super::super) async fn find_workflow(
    conn: &Conn,
    workspace: WorkspaceId,
    name_or_id: &str,
) -> Result<Workflow> {
    let of_workspace = || WorkflowRow::query().filter(workflows::workspace_id.eq(Db(workspace)));
    let named = of_workspace().filter(workflows::name.eq(name_or_id));
    let named: Option<WorkflowRow> = named.optional(conn).await?;
    if let Some(row) = named {
        return Ok(row.into());
    }
    let Some((first, last)) = bounds::<WorkflowId>(name_or_id) else {
        return Err(StoreError::not_found("workflow", name_or_id));
    };
    let beginning = of_workspace().filter(workflows::id.between(first, last)).limit(MAX_CANDIDATES);
    let mut found: Vec<WorkflowRow> = beginning.load(conn).await?;
    if let (true, Some(pattern)) = (found.is_empty(), end_pattern::<WorkflowId>(name_or_id)) {
        let end = of_workspace().filter(workflows::id.like(pattern)).limit(MAX_CANDIDATES);
        found = end.load(conn).await?;
    }
    let id = |row: &WorkflowRow| format!("{} ({})", row.id.0, row.name);
    only(found, id, "workflow", name_or_id).map(Workflow::from)
}

/// Which part of an id was written.
#[derive(Clone, Copy)]
enum Part {
    Beginning,
    /// Ids that are made about the same time differ only there.
    End,
}

/// Which record of a workspace an id, or the beginning or the end of one, belongs to. A beginning goes first: it is found through an
/// index, while looking for an end reads all ids.
pub(in super::super) async fn resolve_id(
    conn: &Conn,
    workspace: WorkspaceId,
    written: &str,
) -> Result<AnyId> {
    let mut found = records(conn, workspace, written, Part::Beginning).await?;
    if found.is_empty() {
        found = records(conn, workspace, written, Part::End).await?;
    }
    only(found, AnyId::to_string, kind_of(written), written)
}

async fn records(
    conn: &Conn,
    workspace: WorkspaceId,
    written: &str,
    part: Part,
) -> Result<Vec<AnyId>> {
    let mut found = Vec::new();
    macro_rules! look_in {
        ($table:ident, $id:ty, $kind:path) => {
            let of_workspace = || {
                $table::table
                    .inner_join(workflows::table.on(workflows::id.eq($table::workflow_id)))
                    .filter(workflows::workspace_id.eq(Db(workspace)))
                    .select($table::id)
                    .limit(MAX_CANDIDATES)
            };
            look_through!(of_workspace, $table, $id, $kind);
        };
    }
    macro_rules! look_through {
        ($of_workspace:expr, $table:ident, $id:ty, $kind:path) => {
            let ids: Vec<Db<$id>> = match part {
                Part::Beginning => match bounds::<$id>(written) {
                    Some((first, last)) => {
                        $of_workspace().filter($table::id.between(first, last)).load(conn).await?
                    }
                    None => Vec::new(),
                },
                Part::End => match end_pattern::<$id>(written) {
                    Some(pattern) => {
                        $of_workspace().filter($table::id.like(pattern)).load(conn).await?
                    }
                    None => Vec::new(),
                },
            };
            found.extend(ids.into_iter().map(|Db(id)| $kind(id)));
        };
    }
    let of_workspace = || {
        workflows::table
            .filter(workflows::workspace_id.eq(Db(workspace)))
            .select(workflows::id)
            .limit(MAX_CANDIDATES)
    };
    look_through!(of_workspace, workflows, WorkflowId, AnyId::Workflow);
    look_in!(scripts, ScriptId, AnyId::Script);
    look_in!(events, EventId, AnyId::Event);
    look_in!(inputs, InputId, AnyId::Input);
    look_in!(handler_runs, RunId, AnyId::Run);
    look_in!(mutations, MutationId, AnyId::Mutation);
    look_in!(sessions, SessionId, AnyId::Session);
    look_in!(notifications, NotificationId, AnyId::Notification);
    look_in!(approvals, ApprovalId, AnyId::Approval);
    look_in!(artifacts, ArtifactId, AnyId::Artifact);
    Ok(found)
}

/// The first and the last id that begin as `written`, with or without the kind; `None` where no id of this kind does.
///
/// Both are whole ids, so they compare with stored ones in the same way under every collation, and the primary key is used.
fn bounds<I: Id>(written: &str) -> Option<(Db<I>, Db<I>)> {
    const DIGITS: usize = 32;

    let digits = digits::<I>(written)?;
    let rest = DIGITS.checked_sub(digits.len())?;
    let filled = |digit: &str| {
        I::parse_text(&format!("{}_{digits}{}", I::PREFIX, digit.repeat(rest))).ok().map(Db)
    };
    filled("0").zip(filled("f"))
}

/// What matches the ids that end as `written`, with or without the kind; `None` where no id of this kind does, or too many do.
fn end_pattern<I: Id>(written: &str) -> Option<String> {
    let digits = digits::<I>(written).filter(|digits| digits.len() >= LEAST_END)?;
    Some(format!("{}%{digits}", I::PREFIX))
}

/// The digits of a part of an id, written with or without the kind.
fn digits<I: Id>(written: &str) -> Option<String> {
    let kind = |text: &'_ str| text.strip_prefix(I::PREFIX)?.strip_prefix('_').map(str::to_owned);
    let digits = kind(written).unwrap_or_else(|| written.to_owned()).to_ascii_lowercase();
    let are_digits = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    are_digits.then_some(digits)
}

/// The kind of record of an id, for a person.
fn kind_of(written: &str) -> &'static str {
    match written.split_once('_').map(|(kind, _)| kind) {
        Some(WorkflowId::PREFIX) => "workflow",
        Some(ScriptId::PREFIX) => "script version",
        Some(EventId::PREFIX) => "event",
        Some(InputId::PREFIX) => "input",
        Some(RunId::PREFIX) => "run",
        Some(MutationId::PREFIX) => "mutation",
        Some(SessionId::PREFIX) => "session",
        Some(NotificationId::PREFIX) => "notification",
        Some(ApprovalId::PREFIX) => "approval",
        Some(ArtifactId::PREFIX) => "artifact",
        _ => "id that begins or ends with",
    }
}

fn only<T>(
    mut found: Vec<T>,
    id: impl Fn(&T) -> String,
    what: &'static str,
    written: &str,
) -> Result<T> {
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(last), false) => Err(StoreError::Ambiguous {
            written: written.to_owned(),
            candidates: found.iter().chain([&last]).map(id).collect(),
        }),
        (None, _) => Err(StoreError::not_found(what, written)),
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::Timestamp;

    use super::*;

    #[test]
    fn every_beginning_of_an_id_encloses_the_id() {
        let id = RunId::mint(Timestamp::from_micros(1_700_000_000_000_000));
        let written = id.to_string();

        for length in "run_0".len()..=written.len() {
            let (Db(first), Db(last)) = bounds::<RunId>(&written[..length]).unwrap();

            assert!(first <= id && id <= last, "{first} {id} {last}");
        }
        assert_eq!(bounds::<RunId>(&written), Some((Db(id), Db(id))));
        assert_eq!(bounds::<RunId>(&written[4..].to_uppercase()), Some((Db(id), Db(id))));
    }

    #[test]
    fn what_is_no_beginning_of_an_id_has_no_bounds() {
        for written in
            ["", "run_", "evt_01", "run_0g", "nightly", "run_%", "01_02", &"0".repeat(33)]
        {
            assert_eq!(bounds::<RunId>(written), None, "{written}");
        }
    }
}
