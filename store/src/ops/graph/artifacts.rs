//! What nodes make. A version never changes; a newer one takes its place.

use diesel::dsl::max;
use diesel::prelude::*;
use serde_json::{Value, json};
use windlass_core::graph::{ArtifactKind, ArtifactStatus, MadeArtifact, Node};
use windlass_core::{Actor, AttemptId, Text as _};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::journal;
use super::load::LockedGraph;
use crate::error::Result;
use crate::rows::{ArtifactRow, At, Db, Json, storable};
use crate::schema::artifacts;

/// Who made an artifact, and how.
pub(super) struct Maker<'a> {
    pub(super) node: &'a Node,
    pub(super) attempt: Option<Db<AttemptId>>,
    pub(super) by: &'a Actor,
}

/// Keeps what a node made. What came with a result that was rejected is kept too, but does not count.
pub(super) async fn keep(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    maker: &Maker<'_>,
    made: &[MadeArtifact],
    is_accepted: bool,
) -> Result<()> {
    for artifact in made {
        let status = if is_accepted { ArtifactStatus::Current } else { ArtifactStatus::Rejected };
        keep_one(tx, locked, maker, artifact, status).await?;
    }
    Ok(())
}

async fn keep_one(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    maker: &Maker<'_>,
    made: &MadeArtifact,
    status: ArtifactStatus,
) -> Result<()> {
    let node = maker.node;
    let name = storable(made.name.clone());
    let slot = format!("{}/{}/{name}", locked.run.session_id.0, node.id);
    let in_slot =
        || artifacts::workflow_id.eq(locked.run.workflow_id).and(artifacts::slot.eq(slot.clone()));
    let newest = artifacts::table.filter(in_slot()).select(max(artifacts::version));
    let newest: Option<i32> = newest.first(tx.conn).await?;
    if status == ArtifactStatus::Current {
        let current = in_slot().and(artifacts::status.eq(Db(ArtifactStatus::Current)));
        diesel::update(artifacts::table.filter(current))
            .set(artifacts::status.eq(Db(ArtifactStatus::Superseded)))
            .execute(tx.conn)
            .await?;
    }
    let kind = made.kind.known().copied().unwrap_or(ArtifactKind::Json);
    let schema = matches!(kind, ArtifactKind::Json).then(|| node.output_schema_ref.clone());
    let row = ArtifactRow {
        id: Db(tx.mint()),
        workspace_id: locked.run.workspace_id,
        workflow_id: locked.run.workflow_id,
        session_id: Some(locked.run.session_id),
        attempt_id: maker.attempt,
        node_id: Some(node.id.clone()),
        name,
        kind: Db(kind),
        slot,
        version: newest.unwrap_or(0).saturating_add(1),
        status: Db(status),
        content: made.content.clone().filter(|content| !content.is_null()).map(Json),
        uri: made.pointer.clone().map(storable),
        meta: Json(json!({ "description": made.description.clone().map(storable) })),
        schema_ref: schema.flatten(),
        created_by: maker.by.to_text(),
        created_at: At(tx.now),
    };
    diesel::insert_into(artifacts::table).values(&row).execute(tx.conn).await?;
    locked.made.push(row.id.0);
    let message = format!("node `{}` made `{}`", node.id, row.name);
    let details = json!({
        "artifactId": row.id.0,
        "nodeId": node.id,
        "name": row.name,
        "kind": kind,
        "version": row.version,
        "status": status,
        "message": message,
    });
    journal::add(tx, locked, ("artifact.created", maker.by), None, details);
    Ok(())
}

/// A person edited what nodes before a review made: a new version of the first of it.
pub(super) async fn edited(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    review: &Node,
    (content, by): (Value, &Actor),
) -> Result<()> {
    let made = artifacts::table
        .filter(artifacts::session_id.eq(locked.run.session_id))
        .filter(artifacts::node_id.eq_any(&review.upstream_node_ids))
        .filter(artifacts::status.eq(Db(ArtifactStatus::Current)))
        .order((artifacts::created_at, artifacts::id))
        .select((artifacts::node_id, artifacts::name, artifacts::kind));
    let made: Option<(Option<String>, String, Db<ArtifactKind>)> = made.optional(tx.conn).await?;
    let graph = std::sync::Arc::clone(&locked.graph);
    let (node, name, kind) = match made {
        Some((node, name, Db(kind))) => {
            let node = node.and_then(|id| graph.nodes.iter().find(|node| node.id == id));
            (node.unwrap_or(review), name, kind)
        }
        None => (review, "edited".to_owned(), ArtifactKind::Markdown),
    };
    let edited = MadeArtifact {
        name,
        kind: windlass_core::graph::Word::Known(kind),
        content: Some(content),
        pointer: None,
        description: Some(format!("edited at `{}`", review.id)),
    };
    let maker = Maker { node, attempt: None, by };
    keep_one(tx, locked, &maker, &edited, ArtifactStatus::Current).await
}

/// What people edited of what these nodes made.
pub(super) async fn edits_of(
    tx: &Tx<'_>,
    locked: &LockedGraph,
    nodes: &[String],
) -> Result<Vec<String>> {
    let edited = artifacts::table
        .filter(artifacts::session_id.eq(locked.run.session_id))
        .filter(artifacts::node_id.eq_any(nodes))
        .filter(artifacts::status.eq(Db(ArtifactStatus::Current)))
        .filter(artifacts::created_by.like("user:%"))
        .order((artifacts::created_at, artifacts::id))
        .select(artifacts::name);
    edited.load(tx.conn).await
}

/// What these nodes made does not count any more: they are done anew.
pub(super) async fn supersede(tx: &Tx<'_>, locked: &LockedGraph, nodes: &[String]) -> Result<()> {
    let current = artifacts::session_id
        .eq(locked.run.session_id)
        .and(artifacts::node_id.eq_any(nodes))
        .and(artifacts::status.eq(Db(ArtifactStatus::Current)));
    diesel::update(artifacts::table.filter(current))
        .set(artifacts::status.eq(Db(ArtifactStatus::Superseded)))
        .execute(tx.conn)
        .await?;
    Ok(())
}
