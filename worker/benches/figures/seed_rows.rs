//! Fills a database with rows by SQL: a million runs in seconds.

use std::ops::Range;

use crate::database::Database;

/// How many rows of each table one transaction inserts.
const BATCH: u32 = 100_000;

/// Inserts finished runs of the deployed workflows: each with its event and its effect, and a session for every hundred.
pub(crate) async fn finished_runs(
    database: &Database,
    numbers: Range<u32>,
    n_workflows: usize,
) -> anyhow::Result<()> {
    let statements = finished_runs_sql(database, n_workflows);
    let mut from = numbers.start;
    while from < numbers.end {
        let to = numbers.end.min(from + BATCH);
        let range = format!("SELECT {from} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {to}");
        database.fill(&statements.replace("$RANGE", &range)).await?;
        from = to;
    }
    database.analyze().await
}

/// Added to each number: no id of another row begins like these.
const ID_OFFSET: &str = "100000000000";

fn finished_runs_sql(database: &Database, n_workflows: usize) -> String {
    let id = |prefix: &str, number: &str| {
        format!("'{prefix}_' || {}", database.hex(&format!("{ID_OFFSET} + {number}")))
    };
    // They ended within the last hour, one after the other.
    let now = "(SELECT max(created_at) FROM workflows)";
    let moment = format!("{now} - 3600000000 + n");
    let numbered = format!(
        "WITH RECURSIVE numbers (n) AS ($RANGE), owners AS (\
           SELECT w.id AS workflow, w.workspace_id AS workspace, w.active_script_id AS script, t.id AS topic, \
             row_number() OVER (ORDER BY w.id) - 1 AS number \
           FROM workflows w JOIN topics t ON t.workflow_id = w.id AND t.name = 'work'), \
         each AS (SELECT n, {moment} AS moment, owners.* FROM numbers JOIN owners ON owners.number = (n / 100) % {n_workflows})"
    );
    // One session for every hundred runs, named after the first.
    let session = id("ses", "(n - n % 100)");
    let sessions = format!(
        "INSERT INTO sessions (id, workflow_id, kind, trigger, result, begun_run_count, handler_run_count, created_at, ended_at) \
         {numbered} SELECT {session}, workflow, 'workflow', 'event', 'completed', 100, 100, moment, moment FROM each WHERE n % 100 = 0"
    );
    let runs = format!(
        "INSERT INTO handler_runs (id, workspace_id, workflow_id, session_id, script_id, kind, handler_name, phase, status, \
           mutation_id, mutation_outcome, claimed_by, fence, rank, created_at, started_at, ended_at) \
         {numbered} SELECT {}, workspace, workflow, {session}, script, 'consumer', 'act', 'committed', 'committed', {}, 'success', \
           NULL, 1, moment, moment, moment, moment FROM each",
        id("run", "n"),
        id("mut", "n"),
    );
    let values = format!(
        "INSERT INTO run_values (run_id, prepare_result, output_state) \
         {numbered} SELECT {}, '{{\"reservations\":[],\"data\":{{\"n\":1}}}}', '{{\"last\":1}}' FROM each",
        id("run", "n"),
    );
    let events = format!(
        "INSERT INTO events (id, workflow_id, topic_id, message_id, payload, status, reserved_by_run_id, created_by_run_id, \
           created_at, updated_at) \
         {numbered} SELECT {}, workflow, topic, 'past-' || n, '{{\"n\":1}}', 'consumed', {run}, {run}, moment, moment FROM each",
        id("evt", "n"),
        run = id("run", "n"),
    );
    let mutations = format!(
        "INSERT INTO mutations (id, workflow_id, handler_run_id, operation_id, event_ids, tool_namespace, tool_method, params, \
           params_digest, target, idempotency_key, status, result, reconcilable, ui_title, created_at, updated_at) \
         {numbered} SELECT {}, workflow, {}, {hex}, '[]', 'Bench', 'apply', '{{\"n\":1}}', {hex}, 'Bench', {hex}, 'applied', \
           '{{}}', FALSE, '', moment, moment FROM each",
        id("mut", "n"),
        id("run", "n"),
        hex = database.hex(&format!("{ID_OFFSET} + n")),
    );
    [sessions, runs, values, mutations, events].join(";\n")
}

/// How many copies of a plan one transaction inserts.
const PLAN_BATCH: u32 = 1_000;

/// Copies the only plan, which is over, this many times, with everything that belongs to it.
pub(crate) async fn finished_plans(database: &Database, n_copies: u32) -> anyhow::Result<()> {
    let statements: Vec<String> = PLAN.iter().map(|table| plan_sql(database, table)).collect();
    let statements = statements.join(";\n");
    let mut from = 1;
    while from <= n_copies {
        let to = (n_copies + 1).min(from + PLAN_BATCH);
        let range = format!("SELECT {from} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {to}");
        database.fill(&statements.replace("$RANGE", &range)).await?;
        from = to;
    }
    database.analyze().await
}

/// The tables of a plan that is over, in order, with their columns: `*` marks an id, of this row or of another copied row, and `+` what
/// has to be unlike the others.
const PLAN: &[(&str, &str)] = &[
    (
        "workflows",
        "id* workspace_id name+ title status active_script_id* created_at updated_at kind",
    ),
    (
        "scripts",
        "id* workflow_id* major minor file_name source digest manifest granted comment created_at",
    ),
    (
        "sessions",
        "id* workflow_id* kind trigger result begun_run_count handler_run_count created_at ended_at",
    ),
    (
        "graph_runs",
        "session_id* workspace_id workflow_id* kind script_id* status lead journal_seq checkpoint_count updated_at",
    ),
    (
        "handler_runs",
        "id* workspace_id workflow_id* session_id* script_id* kind handler_name phase status mutation_id* mutation_outcome \
         claimed_by lease_expires_at fence rank created_at started_at ended_at",
    ),
    ("run_values", "run_id* prepare_result input_state output_state"),
    (
        "mutations",
        "id* workflow_id* handler_run_id* operation_id+ event_ids tool_namespace tool_method params params_digest target \
         idempotency_key+ status result reconcilable ui_title created_at updated_at",
    ),
    (
        "node_runs",
        "id* session_id* workspace_id workflow_id* node_id position type owner_type owner_ref status attempt_count effect input \
         output run_id* ready_at started_at completed_at updated_at",
    ),
    (
        "attempts",
        "id* node_run_id* number status submitted_by handler_run_id* input output started_at ended_at",
    ),
    (
        "journal",
        "id* workspace_id workflow_id* actor action subject details created_at session_id* seq",
    ),
];

/// The id of a copy has the copy's number in place of its first eight digits: copies seem to be made in 1970.
fn plan_sql(database: &Database, (table, columns): &(&str, &str)) -> String {
    let number = format!("substr({}, 25)", database.hex("n"));
    let value = |column: &str| match (column.strip_suffix('*'), column.strip_suffix('+')) {
        (Some(id), _) => format!(
            "substr({id}, 1, length({id}) - 32) || {number} || substr({id}, length({id}) - 23)"
        ),
        (None, Some(key)) => format!("{key} || '-' || n"),
        (None, None) => column.to_owned(),
    };
    let values: Vec<String> = columns.split_whitespace().map(value).collect();
    let key = columns.split('*').next().unwrap_or_default();
    format!(
        "INSERT INTO {table} ({}) WITH RECURSIVE numbers (n) AS ($RANGE) SELECT {} FROM {table} CROSS JOIN numbers \
         WHERE substr({key}, length({key}) - 31, 2) <> '00'",
        columns.replace(['*', '+'], "").split_whitespace().collect::<Vec<_>>().join(", "),
        values.join(", "),
    )
}

/// Copies the only deployed workflow, with its queued run, this many times.
pub(crate) async fn copies(database: &Database, n_copies: u32) -> anyhow::Result<()> {
    let range = format!("SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {n_copies}");
    let copied: Vec<String> = COPIED
        .iter()
        .map(|(table, columns)| copied_sql(database, table, columns).replace("$RANGE", &range))
        .collect();
    database.fill(&copied.join(";\n")).await?;
    database.analyze().await
}

/// The tables to copy, in order, with their columns. A column with a prefix is an id, of this row or of another copied row.
const COPIED: &[(&str, &str)] = &[
    (
        "workflows",
        "id=wf workspace_id name=w title status active_script_id=scr due_at created_at updated_at",
    ),
    (
        "scripts",
        "id=scr workflow_id=wf major minor file_name source digest manifest granted comment created_at",
    ),
    ("topics", "id=top workflow_id=wf name created_at"),
    ("subscriptions", "workflow_id=wf consumer topic"),
    (
        "handler_state",
        "workflow_id=wf kind name declared state has_work wake_at schedule next_run_at updated_at",
    ),
    ("sessions", "id=ses workflow_id=wf kind trigger begun_run_count handler_run_count created_at"),
    (
        "handler_runs",
        "id=run workspace_id workflow_id=wf session_id=ses script_id=scr kind handler_name phase status rank created_at",
    ),
];

fn copied_sql(database: &Database, table: &str, columns: &str) -> String {
    let columns: Vec<(&str, Option<&str>)> = columns
        .split(' ')
        .map(|column| column.split_once('=').map_or((column, None), |(name, id)| (name, Some(id))))
        .collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = columns
        .iter()
        .map(|(name, prefix)| {
            prefix.map_or_else(
                || (*name).to_owned(),
                |prefix| format!("'{prefix}_' || {}", database.hex(&format!("{ID_OFFSET} + n"))),
            )
        })
        .collect();
    let of_first = if table == "workflows" { "id" } else { "workflow_id" };
    format!(
        "INSERT INTO {table} ({}) WITH RECURSIVE numbers (n) AS ($RANGE) SELECT {} FROM {table} CROSS JOIN numbers \
         WHERE {of_first} NOT LIKE 'wf_0000%'",
        names.join(", "),
        values.join(", "),
    )
}
