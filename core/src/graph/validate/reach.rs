//! The checks of the graph as a whole: where it begins, circles, and what cannot be reached. Without recursion: a draft may be a chain of
//! hundreds of nodes.

use std::collections::BTreeSet;

use super::{Findings, View};
use crate::graph::finding::FindingCode;

pub(super) fn check(view: &View<'_>, found: &mut Findings) {
    let entries = entries(view, found);
    let cycle = cycle(view);
    if let Some(first) = cycle.first() {
        let ids: Vec<&str> = cycle
            .iter()
            .chain([first])
            .filter_map(|position| Some(view.draft.nodes.get(*position)?.id.as_str()))
            .collect();
        let message = format!("nodes wait for each other: {}", ids.join(" -> "));
        found.add(None, FindingCode::GraphCycle, "edges", message);
    }
    if entries.is_empty() && !view.draft.nodes.is_empty() {
        let message = "no node can be begun with: every node waits for another one";
        found.add(None, FindingCode::EntryNone, "entryNodeIds", message);
        return;
    }
    let reached = reached(view, &entries);
    for (position, node) in view.draft.nodes.iter().enumerate() {
        let is_first = view.positions.get(node.id.as_str()) == Some(&position);
        if is_first && !reached.contains(&position) && !cycle.contains(&position) {
            let message = format!("node `{}` cannot be reached from any entry", node.id);
            found.add(
                Some(position),
                FindingCode::NodeUnreachable,
                format!("nodes.{position}"),
                message,
            );
        }
    }
}

/// The positions that a run begins with.
fn entries(view: &View<'_>, found: &mut Findings) -> Vec<usize> {
    let has_incoming = |position: usize| view.incoming(position).next().is_some();
    if view.draft.entry_node_ids.is_empty() {
        return (0..view.draft.nodes.len()).filter(|position| !has_incoming(*position)).collect();
    }
    let mut entries = Vec::new();
    for (number, id) in view.draft.entry_node_ids.iter().enumerate() {
        let path = format!("entryNodeIds.{number}");
        match view.positions.get(id.as_str()).copied() {
            None => {
                found.add(
                    None,
                    FindingCode::EntryUnknown,
                    path,
                    format!("entry `{id}` is no node"),
                );
            }
            Some(position) if has_incoming(position) => {
                let message = format!("an edge leads to entry `{id}`");
                found.add(Some(position), FindingCode::EntryHasIncoming, path, message);
            }
            Some(position) => entries.push(position),
        }
    }
    entries
}

fn reached(view: &View<'_>, entries: &[usize]) -> BTreeSet<usize> {
    let mut reached: BTreeSet<usize> = entries.iter().copied().collect();
    let mut open: Vec<usize> = entries.to_vec();
    while let Some(position) = open.pop() {
        open.extend(targets(view, position).filter(|target| reached.insert(*target)));
    }
    reached
}

fn targets(view: &View<'_>, position: usize) -> impl Iterator<Item = usize> {
    view.outgoing(position).filter_map(|(_, edge)| view.positions.get(edge.to.as_str()).copied())
}

/// The nodes of one circle in the order of its edges; empty where there is none. An edge from a node to itself has its own finding.
fn cycle(view: &View<'_>) -> Vec<usize> {
    let count = view.draft.nodes.len();
    let is_edge =
        |from: usize, to: usize| from != to && targets(view, from).any(|target| target == to);
    let mut waits: Vec<usize> = (0..count)
        .map(|to| view.incoming(to).filter(|(_, edge)| edge.from != edge.to).count())
        .collect();
    let mut open: Vec<usize> =
        waits.iter().enumerate().filter(|(_, waits)| **waits == 0).map(|(at, _)| at).collect();
    let mut left: BTreeSet<usize> = (0..count).collect();
    while let Some(position) = open.pop() {
        left.remove(&position);
        for target in targets(view, position).filter(|target| *target != position) {
            if let Some(waits) = waits.get_mut(target) {
                *waits = waits.saturating_sub(1);
                if *waits == 0 {
                    open.push(target);
                }
            }
        }
    }
    // Every node that is left has a node before it that is left too. Going back from any of them ends in a circle.
    let Some(mut at) = left.first().copied() else { return Vec::new() };
    let mut trail: Vec<usize> = Vec::new();
    while !trail.contains(&at) {
        trail.push(at);
        let Some(before) = left.iter().copied().find(|from| is_edge(*from, at)) else {
            return Vec::new();
        };
        at = before;
    }
    let mut circle: Vec<usize> = trail.into_iter().skip_while(|position| *position != at).collect();
    circle.reverse();
    circle
}
