//! What holds for every tool, and what a client finds.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use rmcp::ServiceError;
use rmcp::model::{
    ErrorCode, GetPromptRequestParams, PromptMessage, ReadResourceRequestParams, Role,
};
use serde_json::{Value, json};

use super::client::{Agent, trip};
use crate::cli::folder::TestFolder;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The error of the protocol that a request is answered with.
fn protocol_error(error: ServiceError) -> rmcp::ErrorData {
    let ServiceError::McpError(error) = error else { panic!("{error}") };
    error
}

/// The text of a resource.
async fn read(agent: &Agent, uri: &str) -> (String, String) {
    let result = agent.peer().read_resource(ReadResourceRequestParams::new(uri)).await.unwrap();
    let contents = serde_json::to_value(&result.contents[0]).unwrap();
    let field = |name: &str| contents[name].as_str().unwrap().to_owned();
    (field("mimeType"), field("text"))
}

#[tokio::test]
async fn an_agent_finds_tools_prompt_and_resources() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;

    let server = agent.peer().peer_info().unwrap();
    let tools = agent.peer().list_all_tools().await.unwrap();
    let prompts = agent.peer().list_all_prompts().await.unwrap();
    let resources = agent.peer().list_all_resources().await.unwrap();
    let templates = agent.peer().list_all_resource_templates().await.unwrap();

    assert_eq!(server.server_info.clone().unwrap().name, "windlass");
    assert!(server.instructions.clone().is_some_and(|text| text.contains("Windlass")));
    let names: BTreeSet<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    for name in [
        "record_plan",
        "record_execution_start",
        "record_step",
        "query_ledger",
        "record_decision",
        "record_action",
        "query_history",
        "cleanup_history",
    ] {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    assert!(prompts.iter().any(|prompt| prompt.name == "execution_planning_prompt"));
    let uris: Vec<&str> = resources.iter().map(|resource| resource.uri.as_str()).collect();
    for page in ["documentation", "examples"] {
        let uri = format!("resource://execution-journal/{page}");
        assert!(uris.contains(&uri.as_str()), "{uris:?}");
    }
    let templates: Vec<&str> = templates.iter().map(|it| it.uri_template.as_str()).collect();
    assert!(templates.contains(&"journal://executions/{id}"), "{templates:?}");
    assert!(templates.contains(&"journal://plans/{id}"), "{templates:?}");
    assert_eq!(agent.leave().await, 0);
}

/// What is no JSON Schema that every client understands.
fn schema_problems(path: &str, schema: &Value, problems: &mut Vec<String>) {
    if let Some(fields) = schema.as_object() {
        for key in ["$ref", "$defs"] {
            if fields.contains_key(key) {
                problems.push(format!("{path} has `{key}`"));
            }
        }
        let is_open = fields.get("type") == Some(&json!("object"))
            && !fields.contains_key("properties")
            && fields.get("additionalProperties") != Some(&json!(true));
        if is_open {
            problems.push(format!("{path} is an object of nobody knows what"));
        }
        for (name, inner) in fields {
            schema_problems(&format!("{path}.{name}"), inner, problems);
        }
    } else if let Some(items) = schema.as_array() {
        for (number, inner) in items.iter().enumerate() {
            schema_problems(&format!("{path}.{number}"), inner, problems);
        }
    }
}

#[tokio::test]
async fn every_tool_of_the_journal_has_true_schemas_a_title_and_hints() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let mut problems = Vec::new();

    let tools = agent.peer().list_all_tools().await.unwrap().into_iter();
    // Tools of the journal are named with `_`. The drafts of plans have a schema of their own.
    for tool in tools.filter(|tool| tool.name.contains('_')) {
        let name = tool.name.to_string();
        let input = Value::Object((*tool.input_schema).clone());
        let output = Value::Object((*tool.output_schema.unwrap()).clone());
        for (which, schema) in [("input", &input), ("output", &output)] {
            assert_eq!(schema["type"], "object", "{name} {which}");
            assert_eq!(schema["$schema"], DRAFT, "{name} {which}");
            schema_problems(&format!("{name} {which}"), schema, &mut problems);
        }
        assert_eq!(input["additionalProperties"], false, "{name}");
        for combined in ["anyOf", "oneOf", "allOf"] {
            assert!(input.get(combined).is_none(), "{name}: models are given one object");
        }
        let fields = input["properties"].as_object().unwrap();
        assert!(fields.values().all(|field| field["description"].is_string()), "{name}: {input}");
        assert!(tool.title.is_some() && tool.description.is_some(), "{name}");
        let hints = tool.annotations.unwrap();
        assert_eq!(hints.open_world_hint, Some(false), "{name}");
        assert_eq!(hints.read_only_hint, Some(name.starts_with("query_")), "{name}");
        assert_eq!(hints.destructive_hint, Some(name == "cleanup_history"), "{name}");
        assert!(hints.idempotent_hint.is_some(), "{name}");
    }
    assert_eq!(problems, [""; 0]);
}

#[tokio::test]
async fn the_words_of_an_input_are_in_its_schema() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let tools = agent.peer().list_all_tools().await.unwrap();
    let input = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        Value::Object((*tool.input_schema).clone())["properties"].clone()
    };

    let step = &input("record_plan")["steps"]["items"]["properties"];
    assert_eq!(
        step["cancellable"]["enum"],
        json!(["reversible", "partially-reversible", "irreversible"])
    );
    assert_eq!(step["parameters"]["type"], "object");
    assert_eq!(step["parameters"]["additionalProperties"], true);
    let text = |name: &str| input(name).to_string();
    for (tool, words) in [
        (
            "record_plan",
            &["cancel_all", "cancel_dependent", "continue_others", "manual_decision"][..],
        ),
        ("record_step", &["running", "completed", "failed"]),
        ("record_decision", &["stop", "continue"]),
        ("record_action", &["stopped", "cleaned_up", "notified", "rolled_back", "other"]),
        ("query_history", &["recent", "incomplete", "failed", "completed", "all"]),
        ("cleanup_history", &["completed_old", "failed_old", "orphaned_plans", "all_old"]),
    ] {
        for word in words {
            assert!(text(tool).contains(&format!("\"{word}\"")), "{tool}: {word}");
        }
    }
}

#[tokio::test]
async fn only_what_cannot_be_routed_is_an_error_of_the_protocol() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;

    let unknown = protocol_error(agent.try_call("record_plans", json!({})).await.unwrap_err());
    let empty = agent.refused("record_plan", json!({})).await;
    let typo = json!({ "execution_id": "exec_1", "include_event": true });
    let typo = agent.refused("query_ledger", typo).await;
    let kind = agent.refused("query_ledger", json!({ "execution_id": 7 })).await;

    assert_eq!(unknown.code, ErrorCode::INVALID_PARAMS);
    assert!(unknown.message.contains("did you mean `record_plan`"), "{unknown}");
    assert!(empty.contains("name") && empty.contains("steps"), "{empty}");
    assert!(typo.contains("include_event"), "{typo}");
    assert!(kind.contains("`execution_id`"), "{kind}");
}

#[tokio::test]
async fn the_prompt_asks_for_a_plan() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let prompt = |arguments: Value| {
        let request = GetPromptRequestParams::new("execution_planning_prompt")
            .with_arguments(arguments.as_object().unwrap().clone());
        agent.peer().get_prompt(request)
    };
    let words = |messages: &[PromptMessage]| serde_json::to_string(messages).unwrap();

    let plain = prompt(json!({ "goal": "publish the handbook" })).await.unwrap();
    let large = json!({ "goal": "move house", "complexity": "complex", "domain": "travel" });
    let large = words(&prompt(large).await.unwrap().messages);
    let simple = json!({ "goal": "g", "complexity": "simple" });
    let simple = words(&prompt(simple).await.unwrap().messages);
    let no_goal = protocol_error(prompt(json!({ "goal": " " })).await.unwrap_err());
    let odd = json!({ "goal": "g", "complexity": "huge" });
    let odd = protocol_error(prompt(odd).await.unwrap_err());

    let roles: Vec<_> = plain.messages.iter().map(|message| message.role.clone()).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    let text = words(&plain.messages);
    for part in [
        "publish the handbook",
        "medium",
        "general",
        "stop and look",
        "partially-reversible",
        "manual_decision",
        "it guarantees nothing",
        "record_plan takes",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(large.contains("phases") && large.contains("travel"), "{large}");
    assert!(simple.contains("a few calls"), "{simple}");
    assert!(no_goal.message.contains("`goal`") && odd.message.contains("huge"), "{no_goal} {odd}");
    let listed = &agent.peer().list_all_prompts().await.unwrap()[0];
    let required: Vec<_> =
        listed.arguments.iter().flatten().map(|it| (it.name.as_str(), it.required)).collect();
    assert_eq!(
        required,
        [("goal", Some(true)), ("complexity", Some(false)), ("domain", Some(false))]
    );
}

#[tokio::test]
async fn the_documentation_names_every_tool_and_its_examples_can_be_recorded() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;

    let (kind, documentation) = read(&agent, "resource://execution-journal/documentation").await;
    let (_, examples) = read(&agent, "resource://execution-journal/examples").await;

    assert_eq!(kind, "text/markdown");
    for tool in agent.peer().list_all_tools().await.unwrap() {
        let fields = tool.input_schema["properties"].as_object().unwrap().keys();
        for word in fields.map(String::as_str).chain([tool.name.as_ref()]) {
            let is_journal = tool.name.contains('_');
            assert!(!is_journal || documentation.contains(&format!("`{word}`")), "{word}");
        }
    }
    let plans = examples.split("```json").skip(1).map(|rest| rest.split("```").next().unwrap());
    let plans: Vec<Value> = plans.map(|plan| serde_json::from_str(plan).unwrap()).collect();
    assert_eq!(plans.len(), 3);
    for plan in plans {
        agent.call("record_plan", plan).await;
    }
}

#[tokio::test]
async fn the_rule_that_a_problem_names_can_be_read() {
    let folder = TestFolder::new();
    folder.write("bad.js", "const workflow = { topics: {}, producers: {} };");
    let checked = folder.call("check bad.js --json");
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    let uri = report["errors"][0]["rule"].as_str().unwrap();
    let agent = Agent::connect(&folder, "").await;

    let (kind, text) = read(&agent, uri).await;
    let unknown = ReadResourceRequestParams::new("windlass://rules/nonsense");
    let unknown = protocol_error(agent.peer().read_resource(unknown).await.unwrap_err());

    assert_eq!((uri, &*kind), ("windlass://rules/no_handlers", "text/markdown"));
    assert!(text.contains("under `producers`"), "{text}");
    assert!(unknown.message.contains("windlass://rules/nonsense"), "{unknown}");
}

#[tokio::test]
async fn executions_can_be_read_by_their_ids() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (_, execution) = agent.begin(trip()).await;

    let (kind, text) = read(&agent, &format!("journal://executions/{execution}")).await;
    let missing = ReadResourceRequestParams::new("journal://plans/plan_x");
    let missing = protocol_error(agent.peer().read_resource(missing).await.unwrap_err());

    assert_eq!(kind, "application/json");
    let ledger: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(ledger["execution_id"], execution.as_str());
    assert!(ledger["steps"].is_array() && ledger["events"].is_array());
    assert!(missing.message.contains("plan not found"), "{missing}");
}

/// Begins as a client does, sends further lines at once, and returns what stdout has until the program ends.
fn conversation(folder: &TestFolder, lines: &[String]) -> Vec<String> {
    let mut command = folder.command("mcp --agent ada");
    let mut program = command
        .env("WINDLASS_LOG", "trace")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}});
    let begun = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let mut input = format!("{begin}\n{begun}\n");
    input.extend(lines.iter().map(|line| format!("{line}\n")));
    let mut stdin = program.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = BufReader::new(program.stdout.take().unwrap());
    let answers = output.lines().collect::<Result<Vec<_>, _>>().unwrap();
    writing.join().unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(0));
    answers
}

fn call(id: u64, tool: &str, arguments: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        .to_string()
}

#[test]
fn stdout_has_only_messages_of_the_protocol() {
    let folder = TestFolder::new();
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string(),
        "no message".to_owned(),
        json!({"jsonrpc": "2.0", "id": 2, "method": "no/such/method"}).to_string(),
        call(3, "query_ledger", &json!({})),
        call(4, "record_plan", &trip()),
    ];

    let answers = conversation(&folder, &lines);

    let messages: Vec<Value> =
        answers.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(messages.iter().all(|message| message["jsonrpc"] == "2.0"), "{answers:?}");
    let ids: BTreeSet<u64> = messages.iter().filter_map(|it| it["id"].as_u64()).collect();
    assert_eq!(ids, BTreeSet::from([0, 1, 2, 3, 4]), "{answers:?}");
}

#[test]
fn calls_that_come_at_once_are_carried_out_in_their_order() {
    let folder = TestFolder::new();
    let steps: Vec<Value> =
        (0..20).map(|n| json!({"id": format!("s{n}"), "name": "n", "tool": "t"})).collect();
    folder.write("plan.json", json!({ "name": "many", "steps": steps }).to_string());
    let plan = folder.json("journal record plan.json --as agent:ada")["plan_id"].clone();
    let started = folder.json(&format!("journal start {} --as agent:ada", plan.as_str().unwrap()));
    let execution = started["execution_id"].as_str().unwrap();
    let lines: Vec<String> = (0..40)
        .map(|n| {
            let status = if n % 2 == 0 { "running" } else { "completed" };
            let step = format!("s{}", n / 2);
            let report = json!({"execution_id": execution, "step_id": step, "status": status});
            call(n + 1, "record_step", &report)
        })
        .collect();

    let answers = conversation(&folder, &lines);

    let refused: Vec<_> = answers.iter().filter(|line| line.contains("\"isError\":true")).collect();
    assert!(refused.is_empty(), "{refused:?}");
    let shown = folder.json(&format!("journal show {execution} --events"));
    assert_eq!(shown["progress"], "20/20 steps");
    assert_eq!(shown["events"].as_array().unwrap().len(), 42);
}

#[test]
fn half_a_character_does_not_lose_a_call() {
    let folder = TestFolder::new();
    let plan = r#"{"name":"cut \ud83d","steps":[{"id":"a","name":"A","tool":"t"}]}"#;
    let line = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"record_plan","arguments":{plan}}}}}"#
    );

    let answers = conversation(&folder, &[line]);

    let answer: Value = serde_json::from_str(answers.last().unwrap()).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["name"], "cut \u{fffd}", "{answer}");
}

#[test]
fn a_call_that_is_given_up_does_not_stop_the_next_one() {
    let folder = TestFolder::new();
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    let lines =
        [call(1, "record_plan", &trip()), cancel.to_string(), call(2, "record_plan", &trip())];

    let answers = conversation(&folder, &lines);

    assert!(answers.iter().any(|line| line.contains("\"id\":2")), "{answers:?}");
}

#[test]
fn who_only_looks_whether_it_starts_gets_no_word() {
    let folder = TestFolder::new();

    let called = folder.call("mcp");

    assert_eq!((called.code, called.stdout.as_str(), called.stderr.as_str()), (0, "", ""));
}

#[test]
fn an_agent_is_named_by_what_can_be_stored_anywhere() {
    let folder = TestFolder::new();

    let called = folder.call("mcp --agent a:b");

    assert_eq!(called.code, 2);
    assert!(called.stderr.contains("letters, digits"), "{}", called.stderr);
}

#[test]
fn the_environment_says_where_the_database_is() {
    let folder = TestFolder::new();
    let database = folder.path("elsewhere/journal.db");
    std::fs::create_dir_all(folder.path("elsewhere")).unwrap();

    let mut command = folder.command("mcp");
    command.env("WINDLASS_DATABASE", format!("sqlite:{}", database.display()));
    let called = command.output().unwrap();

    assert_eq!(called.status.code(), Some(0), "{}", String::from_utf8_lossy(&called.stderr));
    assert!(database.exists() && !folder.path(".windlass/windlass.db").exists());
    let header = std::fs::read(&database).unwrap();
    assert_eq!(&header[18..20], [2, 2], "it is written ahead (WAL)");
}
