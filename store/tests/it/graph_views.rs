//! The views of plans and recorded plans, read with plain SQL as readers of other systems do: one text for both databases.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot have its database or its draft has failed"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use expect_test::{ExpectFile, expect_file};
use serde_json::{Value, json};
use windlass_core::graph::NodeResult;
use windlass_core::{ApprovalAnswer, Clock, ManualClock};
use windlass_store::{AddNote, NoteKind, Options, open};
use windlass_store_conformance::world::World;
use windlass_store_conformance::world::graphs::{
    agent, agent_node, failed, human_node, success, yes,
};
use windlass_store_conformance::{PostgresSchema, TestStore, connect_sqlite, policy, start};

/// Each view, its columns, and the order in which its rows are read.
const VIEWS: &[(&str, &str, &str)] = &[
    (
        "plan_specs",
        "id organization_id workstream title objective version status lead_agent_id schema_registry edges entry_node_ids replaced_spec_id compiled_at",
        "id",
    ),
    (
        "plan_node_specs",
        "plan_spec_id node_id position type label owner objective instructions input_schema_ref output_schema_ref deliverables success_criteria completion_checks retry_policy failure_policy timeout_ms tool_policy context_policy upstream_node_ids downstream_node_ids",
        "plan_spec_id, position",
    ),
    (
        "plan_runs",
        "id plan_spec_id organization_id workstream lead_agent_id status current_node_id waiting_node_id ready_node_ids failure_count replaced_run_id last_checkpoint_id started_at completed_at",
        "id",
    ),
    (
        "plan_node_runs",
        "id run_id plan_spec_id node_id status attempt_count retry_count current_attempt_id ready_at started_at completed_at blocked_reason failure_class resolved_input last_output updated_at",
        "id",
    ),
    (
        "plan_node_attempts",
        "id run_id node_run_id node_id attempt_number status submitted_by input structured_output notes failure_class failure_message handler_run_id started_at submitted_at",
        "id",
    ),
    (
        "plan_artifacts",
        "id run_id node_id attempt_id name kind content pointer meta schema_ref status created_at",
        "id",
    ),
    (
        "plan_approvals",
        "id run_id node_id node_run_id status kind prompt presented response required_edits comments requested_by responded_by approval_message_id requested_at responded_at",
        "id",
    ),
    (
        "plan_checkpoints",
        "id run_id sequence run_status ready_node_ids active_node_ids artifact_ids last_completed_node_ids snapshot created_at",
        "run_id, sequence",
    ),
    (
        "plan_validation_issues",
        "plan_spec_id run_id node_id attempt_id code severity message path created_at",
        "plan_spec_id, code",
    ),
    (
        "plan_events",
        "id plan_spec_id run_id seq event_type message emitted_by detail node_id from_status to_status created_at",
        "run_id, seq",
    ),
    ("plans", "plan_id name description steps_json created_at", "plan_id"),
    (
        "execution_instances",
        "id plan_id status current_step notes created_at updated_at started_at completed_at error",
        "id",
    ),
    (
        "execution_steps",
        "execution_id step_id position name tool_name parameters_json status started_at completed_at result_json error cancellable failure_policy_json",
        "execution_id, position",
    ),
    (
        "execution_events",
        "event_id execution_id seq event_type timestamp data_json",
        "execution_id, seq",
    ),
];

const SEPARATOR: &str = " ¦ ";

/// One row of a view.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    cells: String,
}

/// A statement that reads the view as one text for each row.
fn statement((view, columns, order): (&str, &str, &str)) -> String {
    let cells = columns.split(' ').map(|it| format!("COALESCE(CAST({it} AS TEXT), '')"));
    let cells = cells.collect::<Vec<_>>().join(&format!(" || '{SEPARATOR}' || "));
    format!("SELECT {cells} AS cells FROM {view} ORDER BY {order}")
}

/// The rows under the names of their columns. What is empty is left out, and ids are numbered in the order of their appearance.
fn page(view: &str, columns: &str, rows: Vec<Row>, names: &mut HashMap<String, String>) -> String {
    let mut page = format!("{view}\n");
    for row in rows {
        let cells = columns.split(' ').zip(row.cells.split(SEPARATOR));
        let shown = cells.filter(|(_, cell)| !cell.is_empty()).map(|(column, cell)| {
            let json = serde_json::from_str::<Value>(cell);
            format!(
                "{column}={}",
                json.map_or_else(|_| cell.to_owned(), |it| sorted(it).to_string())
            )
        });
        let line = shown.collect::<Vec<_>>().join(", ");
        page += &format!("  {}\n", numbered(&line, names));
    }
    page
}

/// The databases write the same JSON in two ways: here the fields come by their names.
fn sorted(json: Value) -> Value {
    match json {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> = fields.into_iter().collect();
            fields.into_iter().map(|(name, field)| (name, sorted(field))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json,
    }
}

fn numbered(line: &str, names: &mut HashMap<String, String>) -> String {
    let mut rest = line;
    let mut clean = String::new();
    while let Some(at) = rest.find('_') {
        let (before, after) = rest.split_at(at + 1);
        let digits = after.bytes().take_while(u8::is_ascii_hexdigit).count();
        clean += before;
        if digits == 32 {
            // `plan_…` and `exec_…` are the same ids under other names.
            let number = names.len() + 1;
            clean += names.entry(after[..32].to_owned()).or_insert_with(|| number.to_string());
        } else {
            clean += &after[..digits];
        }
        rest = &after[digits..];
    }
    clean + rest
}

async fn world(url: &str) -> World {
    let clock = Arc::new(ManualClock::new(start()));
    let for_store: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let options = Options { policy: policy(), clock: Some(for_store), ..Options::default() };
    World::empty(TestStore { store: open(url, options).await.unwrap(), clock }).await
}

/// A plan that is replaced, with a question, an artifact and a result that is refused; and an execution that fails, with a note.
async fn fill(world: &World) {
    let mut draft = json!({
        "title": "Release", "objective": "Bring it out", "maxParallel": 2, "lead": "agent:planner",
        "schemas": { "count": { "type": "object", "properties": { "n": { "type": "integer", "required": true } } } },
        "nodes": [agent_node("write", "planner"), human_node("ask", "human-approval")],
        "edges": [{ "from": "write", "to": "ask" }],
    });
    draft["nodes"][0]["outputSchemaRef"] = json!("count");
    draft["nodes"][0]["timeoutMs"] = json!(60_000);
    draft["nodes"][0]["retryPolicy"] =
        json!({ "maxAttempts": 2, "retryOn": ["validation-failed"] });
    let first = world.start_plan("site", &draft).await;
    world.submit(first, "write", success(&json!({ "n": "many" }))).await.unwrap();
    let mut result = serde_json::to_value(success(&json!({ "n": 7 }))).unwrap();
    result["notes"] = json!("in a hurry");
    result["artifacts"] = json!([{ "name": "notes", "kind": "markdown", "content": "# Seven" }]);
    let result: NodeResult = serde_json::from_value(result).unwrap();
    world.submit(first, "write", result).await.unwrap();
    let asked = world.asked().await.remove(0);
    let answer = ApprovalAnswer { message_id: Some("msg-1".to_owned()), ..yes() };
    world
        .answer(asked.id, ApprovalAnswer { comments: Some("well done".to_owned()), ..answer })
        .await
        .unwrap();
    world.start_plan("site", &draft).await;
    let mut other = draft.clone();
    other["nodes"][1] = human_node("ask", "human-input");
    world.store.start_plan(world.replacement("site", &other)).await.unwrap();

    let execution = world.execute(world.record(&["hotel", "flight"]).await).await;
    world.begin_node(execution, "hotel").await.unwrap();
    world.submit(execution, "hotel", failed("no bed")).await.unwrap();
    let note = AddNote {
        workspace: world.workspace,
        session: execution,
        node: Some("hotel".to_owned()),
        kind: NoteKind::Action,
        reason: "called them".to_owned(),
        details: json!({ "action_type": "notified" }),
        actor: agent("planner"),
    };
    world.store.add_note(note).await.unwrap();
}

fn expected() -> ExpectFile {
    expect_file!["graph_views.txt"]
}

#[tokio::test]
async fn views_show_plans_and_executions_on_sqlite() {
    use diesel::RunQueryDsl as _;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("windlass.db");
    let url = format!("sqlite:{}", file.display());
    windlass_store::migrate(&url).await.unwrap();
    fill(&world(&url).await).await;

    let mut conn = connect_sqlite(&file).unwrap();
    let (mut names, mut pages) = (HashMap::new(), String::new());
    for view in VIEWS {
        let rows = diesel::sql_query(statement(*view)).load(&mut conn).unwrap();
        pages += &page(view.0, view.1, rows, &mut names);
    }
    expected().assert_eq(&pages);
}

#[tokio::test]
async fn views_show_plans_and_executions_on_postgres() {
    use diesel_async::RunQueryDsl as _;

    let Some(schema) = PostgresSchema::migrated().await.unwrap() else { return };
    fill(&world(&schema.url()).await).await;

    let mut conn = AsyncPgConnection::establish(&schema.url()).await.unwrap();
    let (mut names, mut pages) = (HashMap::new(), String::new());
    for view in VIEWS {
        let rows = diesel::sql_query(statement(*view)).load(&mut conn).await.unwrap();
        pages += &page(view.0, view.1, rows, &mut names);
    }
    expected().assert_eq(&pages);
}
