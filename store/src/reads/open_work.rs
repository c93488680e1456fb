//! What is open in all workspaces together. Each statement reads an index that has only what is open, or the workflows.

use std::collections::HashSet;

use diesel::dsl::{count_star, exists, min};
use diesel::prelude::*;
use windlass_core::{HandlerKind, MutationStatus, WorkflowId, WorkflowStatus};

use super::dialect::{Conn, RunQueryDsl};
use crate::error::Result;
use crate::literals::{IsActive, IsAsked, IsParked, IsQueued, IsUnsettled};
use crate::model::{OpenWork, WorkflowMarks};
use crate::pipeline::pipeline;
use crate::rows::{At, Db};
use crate::schema::{approvals, events, handler_runs, mutations, workflows};

/// How many there are, and the instant of the oldest.
type Counted = (i64, Option<At>);

/// A workflow: its id, its status, and whether it is in maintenance, has an error, is contradicted.
type MarkedRow = (Db<WorkflowId>, Db<WorkflowStatus>, bool, bool, bool);

/// What is open in all workspaces together.
pub(in super::super) async fn open_work(conn: &Conn) -> Result<OpenWork> {
    let (queued, active, doubts, asked, parked, workflows) = pipeline!(
        queued(conn),
        active(conn),
        doubts(conn),
        asked(conn),
        parked(conn),
        workflows(conn)
    )?;
    let asked_about: Vec<_> = doubts
        .iter()
        .filter(|(_, Db(status), _)| *status == MutationStatus::Indeterminate)
        .collect();
    let questions = asked_about.iter().map(|(_, _, At(at))| *at);
    let has = |ids: HashSet<WorkflowId>| move |id: WorkflowId| ids.contains(&id);
    let is_asked_about = has(asked_about.iter().map(|(Db(id), ..)| *id).collect());
    let is_in_doubt = has(doubts.iter().map(|(Db(id), ..)| *id).collect());
    let of_scripts = active.iter().filter(|(_, Db(kind))| *kind != HandlerKind::Node);
    let is_running = has(of_scripts.map(|(Db(id), _)| *id).collect());
    let marks = |(Db(id), Db(status), is_in_maintenance, has_error, is_contradicted): MarkedRow| {
        let is_asked_about = is_asked_about(id);
        WorkflowMarks {
            status,
            is_in_maintenance,
            has_error,
            is_contradicted,
            is_asked_about,
            is_looked_up: is_in_doubt(id) && !is_asked_about,
            is_running: is_running(id),
        }
    };
    Ok(OpenWork {
        queued: count(queued.0),
        oldest_queued_at: queued.1.map(|At(at)| at),
        active: u64::try_from(active.len()).unwrap_or(u64::MAX),
        in_doubt: u64::try_from(doubts.len()).unwrap_or(u64::MAX),
        approvals: count(asked.0),
        oldest_question_at: questions.chain(asked.1.map(|At(at)| at)).min(),
        parked: count(parked),
        workflows: workflows.into_iter().map(marks).collect(),
    })
}

/// The queued runs of workflows that may run.
async fn queued(conn: &Conn) -> Result<Counted> {
    let is_runnable = exists(
        workflows::table
            .filter(workflows::id.eq(handler_runs::workflow_id))
            .filter(workflows::status.eq(Db(WorkflowStatus::Active)))
            .filter(workflows::error.is_null().and(workflows::maintenance.eq(false)))
            .filter(workflows::contradicted_mutation_id.is_null()),
    );
    let query = handler_runs::table
        .filter(IsQueued)
        .filter(is_runnable)
        .select((count_star(), min(handler_runs::created_at)));
    query.get_result(conn).await
}

/// The workflows and the kinds of the runs that workers have.
async fn active(conn: &Conn) -> Result<Vec<(Db<WorkflowId>, Db<HandlerKind>)>> {
    let query = handler_runs::table
        .filter(IsActive)
        .select((handler_runs::workflow_id, handler_runs::kind));
    query.load(conn).await
}

/// The effects in doubt: of which workflow, who can tell, and since when that is so.
async fn doubts(conn: &Conn) -> Result<Vec<(Db<WorkflowId>, Db<MutationStatus>, At)>> {
    let query = mutations::table
        .filter(IsUnsettled)
        // A request under way is in no doubt yet.
        .filter(mutations::status.ne(Db(MutationStatus::InFlight)))
        .select((mutations::workflow_id, mutations::status, mutations::updated_at));
    query.load(conn).await
}

/// The approvals that people have not answered.
async fn asked(conn: &Conn) -> Result<Counted> {
    let query =
        approvals::table.filter(IsAsked).select((count_star(), min(approvals::requested_at)));
    query.get_result(conn).await
}

/// The parked events.
async fn parked(conn: &Conn) -> Result<i64> {
    events::table.filter(IsParked).select(count_star()).get_result(conn).await
}

async fn workflows(conn: &Conn) -> Result<Vec<MarkedRow>> {
    let query =
        workflows::table.filter(workflows::status.ne(Db(WorkflowStatus::Archived))).select((
            workflows::id,
            workflows::status,
            workflows::maintenance,
            workflows::error.is_not_null(),
            workflows::contradicted_mutation_id.is_not_null(),
        ));
    query.load(conn).await
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}
