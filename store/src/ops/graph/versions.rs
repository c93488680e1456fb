//! Keeps versions of graphs.

use std::sync::Arc;

use diesel::prelude::*;
use windlass_core::graph::Graph;
use windlass_core::{Grant, ScriptId};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use crate::error::Result;
use crate::params::GraphText;
use crate::rows::{At, Db, Json, WorkflowRow, storable};
use crate::schema::scripts;

/// Keeps a version of a workflow's graph.
pub(super) async fn keep(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    (major, minor): (i32, i32),
    text: GraphText,
) -> Result<(Db<ScriptId>, Arc<Graph>)> {
    let id: Db<ScriptId> = Db(tx.mint());
    let granted: Grant = text.graph.tools();
    diesel::insert_into(scripts::table)
        .values((
            scripts::id.eq(id),
            scripts::workflow_id.eq(workflow.id),
            scripts::major.eq(major),
            scripts::minor.eq(minor),
            scripts::file_name.eq(storable(text.file_name)),
            scripts::source.eq(storable(text.source)),
            scripts::digest.eq(text.graph.digest()),
            scripts::manifest.eq(Json(&text.graph)),
            scripts::granted.eq(Json(granted)),
            scripts::comment.eq(storable(text.graph.title.clone())),
            scripts::created_at.eq(At(tx.now)),
        ))
        .execute(tx.conn)
        .await?;
    let graph = Arc::new(text.graph);
    tx.graphs.keep(id.0, &graph);
    Ok((id, graph))
}

/// The number of a workflow's newest version, of those with that first number or of all.
pub(super) async fn newest(
    tx: &Tx<'_>,
    workflow: &WorkflowRow,
    major: Option<i32>,
) -> Result<Option<(i32, i32)>> {
    let newest = scripts::table
        .filter(scripts::workflow_id.eq(workflow.id))
        .filter(scripts::major.le(major.unwrap_or(i32::MAX)))
        .order((scripts::major.desc(), scripts::minor.desc()))
        .select((scripts::major, scripts::minor));
    newest.optional(tx.conn).await
}
