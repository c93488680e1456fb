//! Executions are listed, and old ones are removed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use windlass_api::service::Service;
use windlass_api::service::journal::{PlanInput, ReportedStatus, StartInput, StepReport};
use windlass_core::{Actor, Clock as _, ManualClock, SystemClock};
use windlass_store::Options;

use super::client::{Agent, each, trip};
use crate::cli::folder::TestFolder;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Records an execution of the trip `age` ago, in which these steps were completed.
async fn recorded_before(folder: &TestFolder, age: Duration, done: &[&str]) -> String {
    let database = folder.path(".windlass/windlass.db");
    let url = format!("sqlite:{}", database.display());
    windlass_store::migrate(&url).await.unwrap();
    let clock = ManualClock::new(SystemClock.now().before(age));
    let options = Options { clock: Some(Arc::new(clock)), ..Options::default() };
    let store = windlass_store::open(&url, options).await.unwrap();
    let workspace = store.ensure_workspace("default").await.unwrap();
    let service = Service { store, workspace, actor: "ada".to_owned() };
    let journal = service.journal(Actor::Agent("ada".to_owned()));
    let plan: PlanInput = serde_json::from_value(trip()).unwrap();
    let plan_id = journal.record_plan(plan).await.unwrap().plan_id;
    let started = journal.start(StartInput { plan_id, notes: None }).await.unwrap();
    for step in done {
        let report = StepReport {
            execution_id: started.execution_id.clone(),
            step_id: (*step).to_owned(),
            status: ReportedStatus::Completed,
            result: None,
            error: None,
        };
        journal.record_step(report).await.unwrap();
    }
    started.execution_id
}

#[tokio::test]
async fn only_what_is_over_and_old_is_removed_and_only_when_that_is_said() {
    let folder = TestFolder::new();
    std::fs::create_dir_all(folder.path(".windlass")).unwrap();
    let all = ["flight", "hotel", "mail"];
    let old = recorded_before(&folder, DAY * 40, &all).await;
    let running = recorded_before(&folder, DAY * 40, &all[..1]).await;
    let young = recorded_before(&folder, DAY * 20, &all).await;
    let agent = Agent::connect(&folder, "").await;
    let clean = |more: Value| {
        let mut input = json!({ "cleanup_type": "completed_old" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };

    let told = agent.call("cleanup_history", clean(json!({}))).await;
    let still_there = agent.ledger(&old).await;
    let removed = agent.call("cleanup_history", clean(json!({ "dry_run": false }))).await;
    let again = agent.call("cleanup_history", clean(json!({ "dry_run": false }))).await;

    assert_eq!((&told["dry_run"], &told["executions"]), (&json!(true), &json!([old])));
    assert_eq!(still_there["status"], "completed");
    assert_eq!((&removed["dry_run"], &removed["executions"]), (&json!(false), &json!([old])));
    assert_eq!(again["executions_count"], 0);
    let gone = agent.refused("query_ledger", json!({ "execution_id": old })).await;
    assert!(gone.contains("not found"), "{gone}");
    assert_eq!(agent.ledger(&running).await["progress"], "1/3 steps");
    assert_eq!(agent.ledger(&young).await["status"], "completed");

    let everything = json!({ "cleanup_type": "all_old", "dry_run": false, "older_than_days": 10 });
    let everything = agent.call("cleanup_history", everything).await;
    assert_eq!(everything["executions"], json!([young]), "what is under way stays");
    let plans = json!({ "cleanup_type": "orphaned_plans", "dry_run": false });
    let plans = agent.call("cleanup_history", plans).await;
    assert_eq!(plans["plans_count"], 2);
    assert_eq!(agent.ledger(&running).await["status"], "running");
    let wrong = agent.refused("cleanup_history", clean(json!({ "older_than_days": 0 }))).await;
    assert!(wrong.contains("older_than_days"), "{wrong}");
}

#[tokio::test]
async fn failed_and_cancelled_executions_are_old_too() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (_, failed) = agent.begin(trip()).await;
    agent.step(&failed, "flight", "failed").await;

    let told = agent.call("cleanup_history", json!({ "cleanup_type": "failed_old" })).await;

    assert_eq!(told["executions_count"], 0, "it is not old: {told}");
}

#[tokio::test]
async fn executions_are_listed_newest_first_a_page_at_a_time() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (_, first) = agent.begin(trip()).await;
    let (plan, second) = agent.begin(trip()).await;
    let (_, third) = agent.begin(trip()).await;
    agent.step(&second, "flight", "failed").await;
    let stop = json!({ "execution_id": third, "action": "stop", "reason": "enough" });
    agent.call("record_decision", stop).await;
    let query = |query_type: &str, more: Value| {
        let mut input = json!({ "query_type": query_type });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };

    let recent = agent.call("query_history", query("recent", json!({}))).await;
    let page = agent.call("query_history", query("all", json!({ "limit": 1, "offset": 1 }))).await;
    let open = agent.call("query_history", query("incomplete", json!({}))).await;
    let failed = agent.call("query_history", query("failed", json!({}))).await;
    let filter = json!({ "status_filter": ["cancelled"], "limit": 1 });
    let cancelled = agent.call("query_history", query("failed", filter)).await;
    let neither = json!({ "status_filter": ["running"] });
    let neither = agent.call("query_history", query("completed", neither)).await;
    let whole =
        json!({ "include_plans": true, "include_step_details": true, "offset": 1, "limit": 1 });
    let whole = agent.call("query_history", query("recent", whole)).await;

    // What changed last comes first. What is completed comes by its end, whatever is noted of it later.
    for step in ["flight", "hotel", "mail"] {
        agent.step(&first, step, "completed").await;
    }
    let (_, fourth) = agent.begin(trip()).await;
    for step in ["flight", "hotel", "mail"] {
        agent.step(&fourth, step, "completed").await;
    }
    let note = json!({ "execution_id": first, "action_type": "notified", "description": "told" });
    agent.call("record_action", note).await;
    let completed = agent.call("query_history", query("completed", json!({}))).await;
    let changed = agent.call("query_history", query("recent", json!({ "limit": 2 }))).await;

    let ids = |history: &Value| -> Vec<String> {
        each(&history["executions"], "execution_id").into_iter().map(str::to_owned).collect()
    };
    assert_eq!(ids(&recent), [&*third, &*second, &*first]);
    assert_eq!(recent["total_results"], 3);
    assert_eq!((ids(&page), &page["total_results"]), (vec![second.clone()], &json!(3)));
    assert_eq!(ids(&open), [&*first]);
    assert_eq!(ids(&failed), [&*third, &*second]);
    assert_eq!((ids(&cancelled), &cancelled["total_results"]), (vec![third], &json!(1)));
    assert_eq!((ids(&neither).len(), &neither["total_results"]), (0, &json!(0)));
    assert_eq!(whole["executions"][0]["plan"]["plan_id"], plan);
    assert_eq!(each(&whole["executions"][0]["steps"], "status"), ["failed", "pending", "pending"]);
    assert_eq!(ids(&completed), [&*fourth, &*first]);
    assert_eq!((ids(&changed), &changed["total_results"]), (vec![first, fourth], &json!(4)));
    let wrong = agent.refused("query_history", query("recent", json!({ "limit": 101 }))).await;
    assert!(wrong.contains("limit"), "{wrong}");
}
