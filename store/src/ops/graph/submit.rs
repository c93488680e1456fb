//! Agents take up nodes and submit their results.

use diesel::prelude::*;
use windlass_core::graph::{
    AttemptStatus, Finding, Judged, Node, NodeAt, NodeChange, NodeResult, NodeStatus, Verdict,
    after_result, judge, take_up,
};
use windlass_core::{Actor, Text as _, digest};

use super::super::dialect::RunQueryDsl;
use super::super::{Operation, Tx};
use super::artifacts::Maker;
use super::load::{self, LockedGraph};
use super::{advance, artifacts, journal, write};
use crate::convert::to_u32;
use crate::error::Result;
use crate::model::SubmittedNode;
use crate::params::{Submission, SubmitNode};
use crate::rows::{AttemptRow, Json, storable};
use crate::schema::attempts;

impl Operation for SubmitNode {
    type Output = SubmittedNode;

    async fn run(self, tx: &Tx<'_>) -> Result<SubmittedNode> {
        let mut locked = load::lock(tx, self.workspace, self.session).await?;
        let position = locked.position(&self.node)?;
        let digest = match &self.submission {
            Submission::Begin => None,
            Submission::Result(result) => Some(digest_of(result)),
        };
        if let Some(digest) = &digest
            && let Some(first) = submitted_before(tx, &locked, position, digest).await?
        {
            return Ok(first);
        }
        let lead = locked.run.lead.clone();
        let by = (&self.actor, Some(lead.as_str()));
        let begun = take_up(&locked.graph, &locked.state, &self.node, by, tx.now)?;
        let is_new = begun.is_some();
        write::apply(tx, &mut locked, begun.into_iter().collect(), &self.actor).await?;
        match self.submission {
            Submission::Begin => {
                let attempt = AttemptStatus::Running;
                finish(tx, &mut locked, "node-started").await?;
                let answer = answer(&locked, position, attempt, Vec::new());
                Ok(SubmittedNode { is_repeated: !is_new, ..answer })
            }
            Submission::Result(result) => {
                let digest = digest.unwrap_or_default();
                submit(tx, &mut locked, position, (&result, digest), &self.actor).await
            }
        }
    }
}

/// The same result for the same node has the same digest.
pub(super) fn digest_of(result: &NodeResult) -> String {
    // A result has no key but texts, so it is always a JSON value.
    digest(&serde_json::to_value(result).unwrap_or_default())
}

/// The answer that the same submission got, unless the node was opened since.
async fn submitted_before(
    tx: &Tx<'_>,
    locked: &LockedGraph,
    position: usize,
    digest: &str,
) -> Result<Option<SubmittedNode>> {
    let state = locked.state.node(position);
    let is_open =
        matches!(state.status, NodeStatus::Pending | NodeStatus::Ready | NodeStatus::Running);
    let Some(head) = locked.nodes.get(position).filter(|_| !is_open) else { return Ok(None) };
    let newest = AttemptRow::query()
        .filter(attempts::node_run_id.eq(head.id))
        .order(attempts::number.desc());
    let newest: Option<AttemptRow> = newest.optional(tx.conn).await?;
    Ok(newest.filter(|it| it.digest.as_deref() == Some(digest)).map(|first| SubmittedNode {
        number: to_u32(first.number),
        is_repeated: true,
        ..answer(locked, position, first.status.0, first.findings.0)
    }))
}

async fn submit(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    position: usize,
    (result, digest): (&NodeResult, String),
    actor: &Actor,
) -> Result<SubmittedNode> {
    let graph = std::sync::Arc::clone(&locked.graph);
    let Some(node) = graph.nodes.get(position) else {
        return Ok(answer(locked, position, AttemptStatus::Rejected, Vec::new()));
    };
    let number = locked.state.node(position).attempt_count;
    let judged = judge(node, &graph.schemas, result);
    let status =
        settle_result(tx, locked, (position, node), (result, &judged), (digest, actor)).await?;
    finish(tx, locked, "node-result").await?;
    // A node that is tried again may have begun its next attempt.
    Ok(SubmittedNode { number, ..answer(locked, position, status, judged.findings) })
}

/// Writes what was submitted and what the checks found into the attempt, keeps the artifacts, and changes the node.
pub(super) async fn settle_result(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    (position, node): (usize, &Node),
    (result, judged): (&NodeResult, &Judged),
    (digest, actor): (String, &Actor),
) -> Result<AttemptStatus> {
    let state = locked.state.node(position);
    let change = after_result(NodeAt { position, node, state: &state, now: tx.now }, judged);
    let status = change.attempt.as_ref().map_or(AttemptStatus::Failed, |end| end.status);
    let attempt = locked.nodes.get(position).and_then(|head| head.attempt);
    if let Some(attempt) = attempt {
        diesel::update(attempts::table.find(attempt))
            .set((
                attempts::submitted_by.eq(actor.to_text()),
                attempts::output.eq(result.output.clone().map(Json)),
                attempts::notes.eq(result.notes.clone().map(storable)),
                attempts::findings.eq(Json(storable_findings(&judged.findings))),
                attempts::digest.eq(Some(digest)),
            ))
            .execute(tx.conn)
            .await?;
    }
    let is_accepted = matches!(judged.verdict, Verdict::Accepted | Verdict::Partial);
    let maker = Maker { node, attempt, by: actor };
    artifacts::keep(tx, locked, &maker, &result.artifacts, is_accepted).await?;
    if !is_accepted {
        note_rejection(tx, locked, (node, &change), judged, actor);
    }
    write::apply(tx, locked, vec![change], actor).await?;
    Ok(status)
}

/// Findings name what was submitted.
fn storable_findings(findings: &[Finding]) -> Vec<Finding> {
    let storable = |finding: &Finding| Finding {
        path: storable(finding.path.clone()),
        message: storable(finding.message.clone()),
        ..finding.clone()
    };
    findings.iter().map(storable).collect()
}

fn note_rejection(
    tx: &Tx<'_>,
    locked: &mut LockedGraph,
    (node, change): (&Node, &NodeChange),
    judged: &Judged,
    actor: &Actor,
) {
    if locked.workflow.kind.0 == windlass_core::WorkflowKind::Journal {
        return;
    }
    let details = serde_json::json!({
        "nodeId": node.id,
        "attempt": change.state.attempt_count,
        "findings": judged.findings,
        "message": format!("the result of node `{}` was not accepted", node.id),
    });
    journal::add(tx, locked, ("attempt.rejected", actor), None, details);
}

async fn finish(tx: &Tx<'_>, locked: &mut LockedGraph, reason: &str) -> Result<()> {
    advance::advance(tx, locked).await?;
    advance::save(tx, locked, reason).await
}

fn answer(
    locked: &LockedGraph,
    position: usize,
    attempt: AttemptStatus,
    findings: Vec<Finding>,
) -> SubmittedNode {
    let state = locked.state.node(position);
    SubmittedNode {
        node: state.status,
        attempt,
        number: state.attempt_count,
        findings,
        run: locked.run.status.0,
        is_repeated: false,
    }
}
