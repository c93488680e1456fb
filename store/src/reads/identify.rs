//! Which record an id, or the beginning of one, belongs to.

use diesel::prelude::*;
use windlass_core::{
    EventId, Id, InputId, MutationId, NotificationId, RunId, ScriptId, SessionId, WorkflowId,
    WorkspaceId,
};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::{Result, StoreError};
use crate::model::Workflow;
use crate::rows::{Db, WorkflowRow};
use crate::schema::{
    events, handler_runs, inputs, mutations, notifications, scripts, sessions, workflows,
};
use crate::store::AnyId;

/// The workflow of that name, or whose id begins so.
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
    let beginning = of_workspace().filter(workflows::id.between(first, last)).limit(2);
    let found: Vec<WorkflowRow> = beginning.load(conn).await?;
    only(found, "workflow", name_or_id).map(Workflow::from)
}

/// Which record of a workspace an id, or the beginning of one, belongs to.
pub(in super::super) async fn resolve_id(
    conn: &Conn,
    workspace: WorkspaceId,
    prefix: &str,
) -> Result<AnyId> {
    let mut found = Vec::new();
    macro_rules! look_in {
        ($table:ident, $id:ty, $kind:path) => {
            if let Some((first, last)) = bounds::<$id>(prefix) {
                let query = $table::table
                    .inner_join(workflows::table.on(workflows::id.eq($table::workflow_id)))
                    .filter(workflows::workspace_id.eq(Db(workspace)))
                    .filter($table::id.between(first, last))
                    .select($table::id)
                    .limit(2);
                let ids: Vec<Db<$id>> = query.load(conn).await?;
                found.extend(ids.into_iter().map(|Db(id)| $kind(id)));
            }
        };
    }
    if let Some((first, last)) = bounds::<WorkflowId>(prefix) {
        let query = workflows::table
            .filter(workflows::workspace_id.eq(Db(workspace)))
            .filter(workflows::id.between(first, last))
            .select(workflows::id)
            .limit(2);
        let ids: Vec<Db<WorkflowId>> = query.load(conn).await?;
        found.extend(ids.into_iter().map(|Db(id)| AnyId::Workflow(id)));
    }
    look_in!(scripts, ScriptId, AnyId::Script);
    look_in!(events, EventId, AnyId::Event);
    look_in!(inputs, InputId, AnyId::Input);
    look_in!(handler_runs, RunId, AnyId::Run);
    look_in!(mutations, MutationId, AnyId::Mutation);
    look_in!(sessions, SessionId, AnyId::Session);
    look_in!(notifications, NotificationId, AnyId::Notification);
    only(found, kind_of(prefix), prefix)
}

/// The first and the last id that begin as `written`, with or without the kind; `None` where no id of this kind does.
///
/// Both are whole ids, so they compare with stored ones in the same way under every collation, and the primary key is used.
fn bounds<I: Id>(written: &str) -> Option<(Db<I>, Db<I>)> {
    const DIGITS: usize = 32;

    let kind = |text: &'_ str| text.strip_prefix(I::PREFIX)?.strip_prefix('_').map(str::to_owned);
    let digits = kind(written).unwrap_or_else(|| written.to_owned()).to_ascii_lowercase();
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let rest = DIGITS.checked_sub(digits.len())?;
    let filled = |digit: &str| {
        I::parse_text(&format!("{}_{digits}{}", I::PREFIX, digit.repeat(rest))).ok().map(Db)
    };
    filled("0").zip(filled("f"))
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
        _ => "id that begins with",
    }
}

fn only<T>(mut found: Vec<T>, what: &'static str, written: &str) -> Result<T> {
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (Some(_), false) => Err(StoreError::Ambiguous { prefix: written.to_owned() }),
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
