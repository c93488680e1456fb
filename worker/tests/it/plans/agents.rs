//! The tools for plans, as an agent calls them over the Model Context Protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::{append, chain, draft, each, nodes, question, text, work};
use crate::cli::folder::TestFolder;

const NAMES: [&str; 5] = [
    "createExecutionPlan",
    "replaceExecutionPlan",
    "submitExecutionNodeResult",
    "getActiveExecutionPlan",
    "resumeExecutionPlanRun",
];

/// An agent that is connected to `windlass mcp`.
struct Agent {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    n_sent: u64,
}

impl Agent {
    fn connect(folder: &TestFolder) -> Self {
        let mut command = folder.command("mcp --agent ada");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut agent = Self { child, input, output: BufReader::new(output), n_sent: 0 };
        let client = json!({"name": "test", "version": "1"});
        agent.ask(
            "initialize",
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}),
        );
        agent.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        agent
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.n_sent += 1;
        let id = self.n_sent;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        answer["result"].take()
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The answer of a call that was done.
    #[track_caller]
    fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let mut answer = self.call(tool, arguments);
        assert_ne!(answer["isError"], true, "{answer:#}");
        answer["structuredContent"].take()
    }

    /// Why a call was refused.
    #[track_caller]
    fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let answer = self.call(tool, arguments);
        assert_eq!(answer["isError"], true, "{answer:#}");
        text(&answer["content"][0]["text"]).to_owned()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[test]
fn the_five_tools_are_listed_with_their_schemas_and_hints() {
    let folder = TestFolder::new();
    let mut agent = Agent::connect(&folder);

    let listed = agent.ask("tools/list", json!({}));

    let tools = listed["tools"].as_array().unwrap();
    for name in NAMES {
        let tool = tools.iter().find(|tool| tool["name"] == name).unwrap();
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(
            tool["outputSchema"]["required"],
            json!(["action", "message", "hasPlan"]),
            "{name}"
        );
        let is_read = name == "getActiveExecutionPlan";
        assert_eq!(tool["annotations"]["readOnlyHint"], is_read, "{name}");
        assert!(!text(&tool["description"]).is_empty());
    }
    let create = tools.iter().find(|tool| tool["name"] == "createExecutionPlan").unwrap();
    let node = &create["inputSchema"]["properties"]["nodes"]["items"]["properties"];
    assert!(node["type"]["enum"].as_array().unwrap().contains(&json!("human-review-edit")));
    assert!(tools.iter().all(|tool| !text(&tool["name"]).to_lowercase().contains("appro")));
}

#[test]
fn an_agent_makes_a_plan_works_on_it_and_replaces_it() {
    let folder = TestFolder::new();
    let mut agent = Agent::connect(&folder);
    let none = agent.done("getActiveExecutionPlan", json!({}));
    assert_eq!(
        (&none["action"], &none["hasPlan"], none.get("plan")),
        (&json!("none"), &json!(false), None)
    );

    let created = agent.done("createExecutionPlan", chain(&["a", "b"]));
    assert_eq!(
        (&created["action"], &created["plan"]["run"]["leadAgentId"]),
        (&json!("created"), &json!("agent:ada"))
    );
    let again = agent.refused("createExecutionPlan", chain(&["a"]));
    assert!(again.contains("a plan run is already active"), "{again}");

    let run = created["plan"]["run"]["id"].clone();
    let submitted = agent.done(
        "submitExecutionNodeResult",
        json!({"runId": run, "nodeId": "a", "result": {"status": "success", "output": {"n": 1}}}),
    );
    assert_eq!(
        (&submitted["action"], &submitted["changedNodeId"]),
        (&json!("node-result-submitted"), &json!("a"))
    );
    assert_eq!(nodes(&submitted), ["a completed", "b running"]);
    let blocked = agent.done(
        "submitExecutionNodeResult",
        json!({"runId": run, "nodeId": "b", "result": {"status": "blocked", "reason": "no key"}}),
    );
    assert_eq!(blocked["status"], "blocked");
    let resumed = agent.done("resumeExecutionPlanRun", json!({"runId": run}));
    assert_eq!(
        (&resumed["action"], &resumed["status"]),
        (&json!("run-resumed"), &json!("running"))
    );

    let loaded = agent.done(
        "getActiveExecutionPlan",
        json!({"includeEvents": true, "includeValidationIssues": true, "includeArtifacts": true,
               "includeApprovals": true, "includeCheckpoints": true}),
    );
    assert_eq!(loaded["action"], "loaded");
    for list in ["events", "artifacts", "approvals", "checkpoints", "validationIssues"] {
        assert!(loaded["plan"][list].is_array(), "{list}");
    }

    let mut next = chain(&["a", "c"]);
    next["runId"] = run.clone();
    next["reason"] = json!("a better idea");
    let replaced = agent.done("replaceExecutionPlan", next.clone());
    assert_eq!(
        (&replaced["action"], &replaced["plan"]["spec"]["version"]),
        (&json!("replaced"), &json!(2))
    );
    assert_eq!(replaced["plan"]["run"]["replacedRunId"], run);
    assert_eq!(nodes(&replaced), ["a completed", "c running"]);
    let stale = agent.refused("replaceExecutionPlan", next);
    assert!(stale.contains("only the active plan run may be replaced"), "{stale}");
    let late = agent.refused(
        "submitExecutionNodeResult",
        json!({"runId": run, "nodeId": "b", "result": {"status": "success"}}),
    );
    assert!(late.contains("the run is over"), "{late}");
}

#[test]
fn mistakes_are_told_all_at_once() {
    let folder = TestFolder::new();
    let mut agent = Agent::connect(&folder);

    let refused = agent.refused(
        "createExecutionPlan",
        json!({"title": "", "objective": "o", "nodes": [], "edges": []}),
    );
    assert!(
        refused.starts_with("plan draft failed validation: plan_empty: ")
            && refused.contains(" | plan_title_missing: "),
        "{refused}"
    );
    let mut wrong = chain(&["a"]);
    wrong["nodes"][0]["type"] = json!("dance");
    let refused = agent.refused("createExecutionPlan", wrong);
    assert!(refused.contains("node_type_unknown: "), "{refused}");
    let no_run = agent.refused("resumeExecutionPlanRun", json!({}));
    assert!(no_run.contains("`runId` is missing"), "{no_run}");
    let unknown = agent.refused("resumeExecutionPlanRun", json!({"runId": "ses_1"}));
    assert!(unknown.contains("is no id of a run"), "{unknown}");
    assert_eq!(agent.done("getActiveExecutionPlan", json!({}))["action"], "none");
}

#[test]
fn a_plan_of_an_agent_calls_what_its_workspace_grants_and_else_waits_for_a_person() {
    let folder = TestFolder::new();
    folder.said(&["workspace", "set", "planGrant", "User.notify"]).done();
    let mut agent = Agent::connect(&folder);
    let mut plan = draft(vec![append("write")], vec![]);
    plan["workstream"] = json!("w");

    let held = agent.done("createExecutionPlan", plan.clone());

    assert_eq!(
        (&held["status"], &held["plan"]["run"]["isHeld"]),
        (&json!("awaiting-human"), &json!(true))
    );
    assert!(text(&held["message"]).contains("A person has to let the run start"), "{held:#}");
    let asked = folder.asked();
    assert_eq!((&asked["kind"], &asked["workstream"]), (&json!("start"), &json!("w")));
    folder.said(&["approval", "reject", text(&asked["id"])]).done();
    folder.said(&["workspace", "set", "planGrant", "User.notify,Files.append"]).done();
    let begun = agent.done("createExecutionPlan", plan);
    assert_eq!(begun["plan"]["run"]["isHeld"], false);
}

#[test]
fn a_repeated_call_with_the_same_key_begins_one_run() {
    let folder = TestFolder::new();
    let mut agent = Agent::connect(&folder);
    let mut plan = chain(&["a"]);
    plan["idempotencyKey"] = json!("turn-7");

    let first = agent.done("createExecutionPlan", plan.clone());
    let second = agent.done("createExecutionPlan", plan);

    assert_eq!(first["plan"]["run"]["id"], second["plan"]["run"]["id"]);
    assert!(text(&second["message"]).contains("begun before with the same key"), "{second:#}");
}

#[test]
fn no_call_of_an_agent_answers_a_person() {
    let folder = TestFolder::new();
    let mut agent = Agent::connect(&folder);
    let plan =
        draft(vec![question("ask", "human-approval"), work("b")], vec![super::edge("ask", "b")]);
    let created = agent.done("createExecutionPlan", plan);

    let result = json!({"status": "success", "output": {"approved": true}});
    let refused = agent.refused(
        "submitExecutionNodeResult",
        json!({"runId": created["plan"]["run"]["id"], "nodeId": "ask", "result": result}),
    );

    assert!(refused.contains("node `ask` asks a person: answer its approval instead"), "{refused}");
    assert_eq!(each(&folder.said(&["approval", "list"]).done(), "status"), ["pending"]);
}
