//! Everything that can be looked at, as texts.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Serialize;
use windlass_core::{WorkflowId, WorkspaceId};
use windlass_store::{ClaimFilter, EventFilter, LogFilter, LogSource, Page, RunFilter, Store};

/// The whole content of a store, part by part, in an order that does not depend on ids.
pub(crate) async fn read(store: &dyn Store, workspace: WorkspaceId) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let workflows = store.all_workflows(workspace).await.unwrap();
    for workflow in &workflows {
        if !workflow.kind.is_graph() {
            let scripts = store.all_scripts(workspace, workflow.id).await.unwrap();
            parts.insert(format!("{} 1 scripts", workflow.name), json(&scripts));
        }
        for (part, text) in of_workflow(store, workspace, workflow.id).await {
            parts.insert(format!("{} {part}", workflow.name), text);
        }
    }
    parts.insert("0 workflows".to_owned(), json(&workflows));
    let notifications = store.all_notifications(workspace).await.unwrap();
    parts.insert("9 notifications".to_owned(), json(&notifications));
    parts.insert("9 due".to_owned(), debug(&store.agenda(&ClaimFilter::default()).await.unwrap()));
    parts
}

async fn of_workflow(
    store: &dyn Store,
    workspace: WorkspaceId,
    workflow: WorkflowId,
) -> Vec<(String, String)> {
    let runs = RunFilter { workspace, workflow, session: None, page: Page::first(1_000) };
    let runs = store.all_runs(runs).await.unwrap();
    let events = EventFilter {
        workspace,
        workflow,
        topic: None,
        status: None,
        message_ids: None,
        page: Page::first(1_000),
    };
    let mut parts = vec![
        ("2 runs".to_owned(), json(&runs)),
        ("3 events".to_owned(), json(&store.all_events(events).await.unwrap())),
        ("4 inputs".to_owned(), json(&store.all_inputs(workspace, workflow).await.unwrap())),
        ("5 mutations".to_owned(), json(&store.all_mutations(workspace, workflow).await.unwrap())),
        ("6 handlers".to_owned(), json(&store.handlers(workspace, workflow).await.unwrap())),
        ("7 overview".to_owned(), json(&store.overview(workspace, workflow).await.unwrap())),
        ("8 journal".to_owned(), json(&store.all_journal(workspace, workflow).await.unwrap())),
    ];
    // What ended earlier was compared when it was new.
    for run in runs.iter().take(3) {
        let logs = store
            .all_logs(LogFilter {
                workspace,
                of: LogSource::Run(run.id),
                page: Page::first(u32::MAX),
            })
            .await
            .unwrap();
        parts.push((format!("logs {:?}", run.id), json(&logs)));
        let session = store.session(workspace, run.session_id).await.unwrap();
        parts.push((format!("session {:?}", run.id), json(&session)));
    }
    parts
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn debug(value: &impl Debug) -> String {
    format!("{value:?}")
}
