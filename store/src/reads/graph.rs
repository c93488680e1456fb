//! A run of a graph with its nodes, attempts, artifacts, approvals and journal.

use std::sync::Arc;

use diesel::prelude::*;
use windlass_core::graph::Graph;
use windlass_core::{
    ArtifactId, ScriptId, SessionId, Timestamp, WorkflowId, WorkflowKind, WorkspaceId,
};

use super::super::ops::{Tx, graph::load};
use super::approvals;
use super::dialect::RunQueryDsl;
use super::graphs::{HeadRow, heads, into_run};
use crate::error::{Result, StoreError};
use crate::literals::IsOpenSession;
use crate::model::{Artifact, Attempt, GraphVersion, GraphView, JournalEntry, NodeRun};
use crate::params::{EventsAfter, GraphIncludes, GraphSelector};
use crate::rows::{
    ArtifactRow, At, AttemptRow, Db, GraphRunRow, JournalRow, NodeRunRow, SessionRow,
};
use crate::schema::{
    artifacts, attempts, graph_runs, journal, node_runs, scripts, sessions, workflows,
};

/// The action of the entries that are checkpoints.
const CHECKPOINT: &str = "checkpoint.saved";

/// A run with its nodes, and what was asked for besides.
pub(in super::super) async fn view(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    which: GraphSelector,
    includes: GraphIncludes,
) -> Result<Option<GraphView>> {
    let Some(head) = head(tx, workspace, which).await? else { return Ok(None) };
    let (session, script) = (head.0.session_id.0, head.0.script_id.0);
    let graph = load::graph(tx, script).await?;
    let nodes = NodeRunRow::query()
        .filter(node_runs::session_id.eq(Db(session)))
        .order(node_runs::position);
    let nodes: Vec<NodeRunRow> = nodes.load(tx.conn).await?;
    let mut view = GraphView {
        run: into_run(head),
        graph,
        nodes: nodes.into_iter().map(NodeRun::from).collect(),
        attempts: Vec::new(),
        artifacts: Vec::new(),
        approvals: Vec::new(),
        checkpoints: Vec::new(),
        events: Vec::new(),
    };
    if includes.attempts {
        view.attempts = attempts_of(tx, session).await?;
    }
    if includes.artifacts {
        view.artifacts = artifacts_of(tx, session).await?;
    }
    if includes.approvals {
        view.approvals = approvals::of_session(tx.conn, workspace, session).await?;
    }
    if includes.checkpoints {
        view.checkpoints = checkpoints(tx, session).await?;
    }
    if let Some(after) = includes.events {
        view.events = events(tx, session, after).await?;
    }
    Ok(Some(view))
}

async fn head(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    which: GraphSelector,
) -> Result<Option<HeadRow>> {
    let runs = heads!(workspace);
    match which {
        GraphSelector::Session(session) => {
            runs.filter(graph_runs::session_id.eq(Db(session))).optional(tx.conn).await
        }
        GraphSelector::Active(workflow) => {
            let open = runs.filter(sessions::workflow_id.eq(Db(workflow))).filter(IsOpenSession);
            open.optional(tx.conn).await
        }
        GraphSelector::Newest(workflow) => {
            let newest = runs
                .filter(graph_runs::workflow_id.eq(Db(workflow)))
                .order(graph_runs::session_id.desc());
            newest.optional(tx.conn).await
        }
    }
}

async fn attempts_of(tx: &Tx<'_>, session: SessionId) -> Result<Vec<Attempt>> {
    let rows = attempts::table
        .inner_join(node_runs::table)
        .filter(node_runs::session_id.eq(Db(session)))
        .order((node_runs::position, attempts::number))
        .select((AttemptRow::as_select(), node_runs::node_id));
    let rows: Vec<(AttemptRow, String)> = rows.load(tx.conn).await?;
    Ok(rows.into_iter().map(|(row, node)| row.into_attempt(node)).collect())
}

async fn artifacts_of(tx: &Tx<'_>, session: SessionId) -> Result<Vec<Artifact>> {
    let rows = ArtifactRow::query()
        .filter(artifacts::session_id.eq(Db(session)))
        .order((artifacts::created_at, artifacts::id));
    let rows: Vec<ArtifactRow> = rows.load(tx.conn).await?;
    Ok(rows.into_iter().map(Artifact::from).collect())
}

/// A version of something that a node made.
pub(in super::super) async fn artifact(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    artifact: ArtifactId,
) -> Result<Artifact> {
    let row = ArtifactRow::query()
        .filter(artifacts::id.eq(Db(artifact)))
        .filter(artifacts::workspace_id.eq(Db(workspace)));
    let row: Option<ArtifactRow> = row.optional(tx.conn).await?;
    row.map(Artifact::from).ok_or_else(|| StoreError::not_found("artifact", &artifact))
}

async fn checkpoints(tx: &Tx<'_>, session: SessionId) -> Result<Vec<JournalEntry>> {
    let rows = JournalRow::query()
        .filter(journal::session_id.eq(Db(session)))
        .filter(journal::action.eq(CHECKPOINT))
        .order(journal::seq);
    let rows: Vec<JournalRow> = rows.load(tx.conn).await?;
    Ok(rows.into_iter().map(JournalEntry::from).collect())
}

async fn events(
    tx: &Tx<'_>,
    session: SessionId,
    EventsAfter { seq, limit }: EventsAfter,
) -> Result<Vec<JournalEntry>> {
    let rows = JournalRow::query()
        .filter(journal::session_id.eq(Db(session)))
        .filter(journal::seq.gt(i32::try_from(seq).unwrap_or(i32::MAX)))
        .filter(journal::action.ne(CHECKPOINT))
        .order(journal::seq)
        .limit(i64::from(limit));
    let rows: Vec<JournalRow> = rows.load(tx.conn).await?;
    Ok(rows.into_iter().map(JournalEntry::from).collect())
}

/// A version of a graph.
pub(in super::super) async fn version(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    script: ScriptId,
) -> Result<GraphVersion> {
    let row = scripts::table
        .inner_join(workflows::table)
        .filter(scripts::id.eq(Db(script)))
        .filter(workflows::workspace_id.eq(Db(workspace)))
        .filter(workflows::kind.ne(Db(WorkflowKind::Script)))
        .select((
            workflows::id,
            workflows::kind,
            workflows::title,
            scripts::source,
            scripts::created_at,
        ));
    type Row = (Db<WorkflowId>, Db<WorkflowKind>, String, String, At);
    let row: Option<Row> = row.optional(tx.conn).await?;
    let missing = || StoreError::not_found("plan", &script);
    let (Db(workflow_id), Db(kind), title, source, At(created_at)) = row.ok_or_else(missing)?;
    let graph: Arc<Graph> = load::graph(tx, script).await?;
    let created_at: Timestamp = created_at;
    Ok(GraphVersion { id: script, workflow_id, kind, title, source, graph, created_at })
}
