//! What earlier runs of a plan did outside. A replacement that has the same node again does not repeat it.

use std::collections::BTreeMap;

use diesel::prelude::*;
use windlass_core::graph::{Graph, NodeEffect, effect_of_earlier_run};
use windlass_core::{ScriptId, SessionId};

use super::super::Tx;
use super::super::dialect::RunQueryDsl;
use super::load::{self, LockedGraph};
use super::start::CarriedNode;
use crate::error::Result;
use crate::literals::IsUnsettled;
use crate::rows::Db;
use crate::schema::{graph_runs, handler_runs, mutations, node_runs};

/// The nodes of a graph whose effect an earlier run of the same plan made, or may have made. They begin blocked.
pub(super) async fn of_earlier_runs(
    tx: &Tx<'_>,
    replaced: &LockedGraph,
    graph: &Graph,
) -> Result<Vec<CarriedNode>> {
    let mut found: BTreeMap<usize, CarriedNode> = BTreeMap::new();
    for (script, node) in done_nodes(tx, replaced).await? {
        let earlier = load::graph(tx, script).await?;
        let contract = earlier.nodes.iter().find(|it| it.id == node).map(|it| &it.contract);
        let same =
            graph.nodes.iter().position(|it| it.id == node && Some(&it.contract) == contract);
        if let Some((to, node)) = same.and_then(|to| Some((to, graph.nodes.get(to)?))) {
            let state = effect_of_earlier_run(node);
            found.insert(to, CarriedNode { to, state, from: None, input: None, output: None });
        }
    }
    Ok(found.into_values().collect())
}

/// The nodes of the replaced run, and of those that it replaced in turn, that have had an effect, or of which nobody knows whether they
/// have, with their versions.
async fn done_nodes(tx: &Tx<'_>, replaced: &LockedGraph) -> Result<Vec<(ScriptId, String)>> {
    let mut done: Vec<(Db<ScriptId>, String)> = Vec::new();
    let mut next = Some(replaced.run.session_id);
    while let Some(session) = next {
        let run =
            graph_runs::table.find(session).select((graph_runs::script_id, graph_runs::follows_id));
        let (script, follows): (Db<ScriptId>, Option<Db<SessionId>>) = run.first(tx.conn).await?;
        let nodes = node_runs::table
            .filter(node_runs::session_id.eq(session))
            .filter(node_runs::effect.ne(Db(NodeEffect::None)))
            .select(node_runs::node_id);
        let nodes: Vec<String> = nodes.load(tx.conn).await?;
        done.extend(nodes.into_iter().map(|node| (script, node)));
        next = follows;
    }
    let open = mutations::table
        .inner_join(handler_runs::table.on(handler_runs::id.eq(mutations::handler_run_id)))
        .filter(mutations::workflow_id.eq(replaced.run.workflow_id))
        .filter(IsUnsettled)
        .select((handler_runs::script_id, handler_runs::handler_name));
    done.extend(open.load::<(Db<ScriptId>, String)>(tx.conn).await?);
    Ok(done.into_iter().map(|(Db(script), node)| (script, node)).collect())
}
