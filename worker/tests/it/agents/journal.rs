//! An agent records what it plans and does, and reads it back.

use serde_json::{Value, json};

use super::client::{Agent, each, trip};
use crate::cli::folder::TestFolder;

/// A flight that is booked, and a hotel that is being booked.
async fn under_way(agent: &Agent) -> String {
    let (_, execution) = agent.begin(trip()).await;
    agent.step(&execution, "flight", "completed").await;
    agent.step(&execution, "hotel", "running").await;
    execution
}

/// An execution of the trip that came to its end.
async fn completed(agent: &Agent) -> String {
    let (_, execution) = agent.begin(trip()).await;
    for step in ["flight", "hotel", "mail"] {
        agent.step(&execution, step, "completed").await;
    }
    execution
}

fn statuses(ledger: &Value) -> Vec<&str> {
    each(&ledger["steps"], "status")
}

fn event_types(ledger: &Value) -> Vec<&str> {
    each(&ledger["events"], "event_type")
}

async fn n_executions(agent: &Agent) -> u64 {
    let history = agent.call("query_history", json!({ "query_type": "all" })).await;
    history["total_results"].as_u64().unwrap()
}

#[tokio::test]
async fn a_plan_survives_a_restart() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let mut plan = trip();
    plan["metadata"] = json!({ "ticket": 7 });
    let recorded = agent.call("record_plan", plan.clone()).await;
    assert_eq!(agent.leave().await, 0);

    let agent = Agent::connect(&folder, "").await;
    let id = recorded["plan_id"].as_str().unwrap();
    let uri = format!("journal://plans/{id}");
    let read = agent.peer().read_resource(rmcp::model::ReadResourceRequestParams::new(uri)).await;

    assert!(id.starts_with("plan_") && id.len() == 37, "{id}");
    assert_eq!(recorded["name"], "A trip");
    assert_eq!(recorded["steps_count"], 3);
    assert_eq!(recorded["failure_policies_defined"], 1);
    assert!(recorded["created_at"].as_str().unwrap().ends_with('Z'));
    let contents = serde_json::to_value(read.unwrap().contents).unwrap();
    let kept: Value = serde_json::from_str(contents[0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(kept["metadata"], plan["metadata"]);
    assert_eq!(kept["description"], "Three days in Lisbon");
    assert_eq!(kept["steps"][0], plan["steps"][0]);
    assert_eq!(kept["steps"][2]["cancellable"], "irreversible", "what says nothing is not undone");
}

#[tokio::test]
async fn a_plan_may_be_wrapped() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;

    let recorded = agent.call("record_plan", json!({ "plan": trip() })).await;

    assert_eq!(recorded["steps_count"], 3);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_plan_is_told_at_once_and_nothing_is_stored() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let step = |id: &str, to: Value| json!({"id": id, "name": id, "tool": "t", "failure_policy": {"action": "cancel_dependent", "propagate_to": to}});

    let shape = agent
        .refused("record_plan", json!({ "nmae": 1, "steps": [{"id": "a", "name": "A", "tool": "t", "cancellable": "maybe"}] }))
        .await;
    let steps = [
        step("a", json!(["b", "gone"])),
        step("a", json!([])),
        step("b", json!(["b"])),
        json!({"id": "a.b", "name": "", "tool": " "}),
    ];
    let meaning = agent.refused("record_plan", json!({ "name": " ", "steps": steps })).await;
    let empty = agent.refused("record_plan", json!({ "name": "nothing", "steps": [] })).await;

    for part in ["\"name\"", "nmae", "partially-reversible", "steps.0.cancellable"] {
        assert!(shape.contains(part), "{part}: {shape}");
    }
    for part in [
        "two steps have the id `a`",
        "names `gone`, and there is no such step",
        "`propagate_to` of step `b` names the step itself",
        "the plan needs `name`",
        "`a.b` is no id of a step",
        "step `a.b` needs `name`",
        "step `a.b` needs `tool`",
    ] {
        assert!(meaning.contains(part), "{part}: {meaning}");
    }
    assert!(empty.contains("steps"), "{empty}");
    let plans = agent.call("cleanup_history", json!({ "cleanup_type": "orphaned_plans" })).await;
    assert_eq!(plans["plans_count"], 0, "{plans}");
}

#[tokio::test]
async fn an_execution_begins_with_all_steps_pending() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let plan = agent.call("record_plan", trip()).await["plan_id"].clone();

    let start = json!({ "plan_id": plan, "notes": "for Ada" });
    let started = agent.call("record_execution_start", start).await;
    let execution = started["execution_id"].as_str().unwrap();
    let ledger = agent.ledger(execution).await;

    assert!(execution.starts_with("exec_") && execution.len() == 37, "{execution}");
    assert_eq!(
        (&started["status"], &started["current_step"]),
        (&json!("started"), &json!("flight"))
    );
    assert_eq!(ledger["status"], "running");
    assert_eq!(ledger["progress"], "0/3 steps");
    assert_eq!(ledger["plan_id"], plan);
    assert_eq!(ledger["plan_name"], "A trip");
    assert_eq!(ledger["notes"], "for Ada");
    assert_eq!(ledger["current_step"], "flight");
    assert_eq!(
        ledger["counts"],
        json!({"pending": 3, "running": 0, "completed": 0, "failed": 0, "cancelled": 0})
    );
    assert!(ledger["started_at"].is_string() && ledger["completed_at"].is_null());
    assert_eq!(each(&ledger["steps"], "step_id"), ["flight", "hotel", "mail"]);
    assert_eq!(statuses(&ledger), ["pending"; 3]);
    assert_eq!(
        each(&ledger["steps"], "cancellable"),
        ["reversible", "partially-reversible", "irreversible"]
    );
    assert_eq!(ledger["steps"][0]["parameters"], json!({ "to": "LIS" }));
    assert_eq!(ledger["steps"][1]["failure_policy"]["propagate_to"], json!(["mail"]));
    assert_eq!(event_types(&ledger), ["execution_started"]);
    assert_eq!(ledger["events"][0]["data"]["notes"], "for Ada");
}

#[tokio::test]
async fn a_plan_has_several_executions() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (plan, first) = agent.begin(trip()).await;

    let second = agent.call("record_execution_start", json!({ "plan_id": plan })).await;
    agent.step(&first, "flight", "completed").await;
    let second = agent.ledger(second["execution_id"].as_str().unwrap()).await;

    assert_eq!(n_executions(&agent).await, 2);
    assert_eq!(second["progress"], "0/3 steps");
}

#[tokio::test]
async fn an_unknown_plan_is_named_and_nothing_begins() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let unknown = "plan_01a22a0e09a870f3b7874ea431b2f939";

    for plan in [unknown, "plan_of_mine"] {
        let text = agent.refused("record_execution_start", json!({ "plan_id": plan })).await;

        assert!(text.contains("plan not found") && text.contains(plan), "{text}");
        assert!(text.contains("record_plan"), "{text}");
    }
    assert_eq!(n_executions(&agent).await, 0);
}

#[tokio::test]
async fn steps_are_done_in_order() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (_, execution) = agent.begin(trip()).await;
    let done = json!({
        "execution_id": execution, "step_id": "flight", "status": "completed", "result": {"booking": "X7"},
    });

    let recorded = agent.call("record_step", done.clone()).await;
    let repeated = agent.call("record_step", done).await;
    let early = json!({ "execution_id": execution, "step_id": "mail", "status": "running" });
    let too_early = agent.refused("record_step", early).await;
    let twice = json!({ "execution_id": execution, "step_id": "flight", "status": "failed" });
    let twice = agent.refused("record_step", twice).await;
    let ledger = agent.ledger(&execution).await;

    assert_eq!(recorded["progress"], "1/3 steps");
    assert_eq!(recorded["current_step"], "hotel");
    assert_eq!((&recorded["is_repeated"], &repeated["is_repeated"]), (&json!(false), &json!(true)));
    for part in ["`mail`", "`hotel`", "pending", "in order"] {
        assert!(too_early.contains(part), "{part}: {too_early}");
    }
    assert!(twice.contains("completed already"), "{twice}");
    assert_eq!(ledger["progress"], "1/3 steps");
    assert_eq!(ledger["current_step"], "hotel");
    assert_eq!(statuses(&ledger), ["completed", "pending", "pending"]);
    assert_eq!(ledger["steps"][0]["result"], json!({ "booking": "X7" }));
    assert!(ledger["steps"][0]["completed_at"].is_string());
    assert_eq!(event_types(&ledger), ["execution_started", "step_started", "step_completed"]);
}

#[tokio::test]
async fn the_last_step_completes_the_execution() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;

    let execution = completed(&agent).await;
    let ledger = agent.ledger(&execution).await;

    assert_eq!(ledger["status"], "completed");
    assert_eq!(ledger["progress"], "3/3 steps");
    assert!(ledger["completed_at"].is_string() && ledger["current_step"].is_null());
    assert_eq!(event_types(&ledger).last(), Some(&"execution_completed"));
}

#[tokio::test]
async fn to_stop_is_written_down_first_and_shows_what_could_be_undone() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let execution = under_way(&agent).await;
    agent.step(&execution, "hotel", "completed").await;
    agent.step(&execution, "mail", "running").await;

    let stop = json!({ "execution_id": execution, "action": "stop", "reason": "too dear", "details": {"by": "Ada"} });
    let stopped = agent.call("record_decision", stop).await;
    let ledger = agent.ledger(&execution).await;

    assert_eq!(stopped["cancelled"], true);
    assert_eq!(stopped["status"], "cancelled");
    let candidates = &stopped["undo_candidates"];
    assert_eq!(each(&candidates["reversible"], "step_id"), ["flight"]);
    assert_eq!(each(&candidates["partially-reversible"], "step_id"), ["hotel"]);
    assert_eq!(candidates["irreversible"], json!([]));
    let message = stopped["message"].as_str().unwrap();
    assert!(message.contains("rolled_back") && message.contains("record each undo"), "{message}");
    assert_eq!(statuses(&ledger), ["completed", "completed", "cancelled"]);
    assert!(ledger["steps"][2]["completed_at"].is_string());
    let events = event_types(&ledger);
    assert_eq!(&events[events.len() - 2..], ["decision_recorded", "execution_cancelled"]);
    let decision = &ledger["events"][events.len() - 2]["data"];
    assert_eq!((&decision["action"], &decision["reason"]), (&json!("stop"), &json!("too dear")));
    assert_eq!(decision["details"], json!({ "by": "Ada" }));
    assert!(decision["timestamp"].is_string());
}

#[tokio::test]
async fn of_several_steps_the_last_one_is_undone_first() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let steps: Vec<Value> = ["a", "b", "c", "d"]
        .map(|id| json!({"id": id, "name": id, "tool": "t", "cancellable": "reversible"}))
        .into();
    let (_, execution) = agent.begin(json!({ "name": "four", "steps": steps })).await;
    for step in ["a", "b", "c"] {
        agent.step(&execution, step, "completed").await;
    }

    let stop = json!({ "execution_id": execution, "action": "stop", "reason": "enough" });
    let stopped = agent.call("record_decision", stop).await;

    assert_eq!(each(&stopped["undo_candidates"]["reversible"], "step_id"), ["c", "b", "a"]);
}

#[tokio::test]
async fn to_continue_changes_nothing() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let execution = under_way(&agent).await;
    let before = agent.ledger(&execution).await;

    let decision = json!({
        "execution_id": execution, "action": "continue", "reason": "it is worth it", "details": "Ada agreed",
    });
    let decided = agent.call("record_decision", decision).await;
    let after = agent.ledger(&execution).await;

    assert_eq!(decided["status"], "running");
    assert!(decided.get("cancelled").is_none(), "{decided}");
    assert_eq!(statuses(&before), statuses(&after));
    assert_eq!(before["status"], after["status"]);
    let event = after["events"].as_array().unwrap().last().unwrap();
    assert_eq!(event["event_type"], "decision_recorded");
    assert_eq!(event["data"]["action"], "continue");
    assert_eq!(event["data"]["reason"], "it is worth it");
    assert_eq!(event["data"]["details"], "Ada agreed");
}

#[tokio::test]
async fn what_is_over_stays_as_it_is_and_decisions_about_it_are_kept() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let execution = completed(&agent).await;
    let ended = agent.ledger(&execution).await["completed_at"].clone();

    let stop = json!({ "execution_id": execution, "action": "stop", "reason": "too late" });
    let stopped = agent.call("record_decision", stop).await;
    let go_on = json!({ "execution_id": execution, "action": "continue", "reason": "why not" });
    let continued = agent.call("record_decision", go_on).await;
    let ledger = agent.ledger(&execution).await;

    assert_eq!((&stopped["cancelled"], &stopped["status"]), (&json!(false), &json!("completed")));
    assert_eq!(continued["status"], "completed");
    assert_eq!(ledger["status"], "completed");
    assert_eq!(ledger["completed_at"], ended);
    assert_eq!(statuses(&ledger), ["completed"; 3]);
    let events = event_types(&ledger);
    assert_eq!(&events[events.len() - 2..], ["decision_recorded"; 2]);
}

#[tokio::test]
async fn a_report_after_the_end_is_refused_and_noted() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let execution = under_way(&agent).await;
    let stop = json!({ "execution_id": execution, "action": "stop", "reason": "enough" });
    agent.call("record_decision", stop).await;

    let late = json!({
        "execution_id": execution, "step_id": "hotel", "status": "completed", "result": {"booking": "H1"},
    });
    let text = agent.refused("record_step", late).await;
    let ledger = agent.ledger(&execution).await;

    assert!(text.contains("cancelled") && text.contains("record_action"), "{text}");
    assert_eq!(statuses(&ledger), ["completed", "cancelled", "cancelled"]);
    let note = ledger["events"].as_array().unwrap().last().unwrap();
    assert_eq!(note["event_type"], "action_taken");
    assert_eq!(note["data"]["step_id"], "hotel");
    assert_eq!(note["data"]["details"]["result"], json!({ "booking": "H1" }));
}

#[tokio::test]
async fn actions_are_recorded_at_any_time_and_change_nothing() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let execution = under_way(&agent).await;
    let act = |step: Value, action: &str| {
        json!({ "execution_id": execution, "step_id": step, "action_type": action, "description": "did it",
                "details": {"fee": 10} })
    };
    for action in ["stopped", "cleaned_up", "notified", "other"] {
        agent.call("record_action", act(json!(null), action)).await;
    }
    let stop = json!({ "execution_id": execution, "action": "stop", "reason": "enough" });
    agent.call("record_decision", stop).await;
    let before = agent.ledger(&execution).await;

    let recorded = agent.call("record_action", act(json!("flight"), "rolled_back")).await;
    let unknown_step = agent.refused("record_action", act(json!("train"), "rolled_back")).await;
    let unknown_type = agent.refused("record_action", act(json!("flight"), "forgotten")).await;
    let after = agent.ledger(&execution).await;

    assert_eq!(recorded["action_type"], "rolled_back");
    assert_eq!(recorded["step_id"], "flight");
    let event = after["events"].as_array().unwrap().last().unwrap();
    assert_eq!(event["event_id"], recorded["event_id"]);
    assert_eq!(event["event_type"], "action_taken");
    let data = &event["data"];
    assert_eq!(data["step_id"], "flight");
    assert_eq!(data["action_type"], "rolled_back");
    assert_eq!(data["description"], "did it");
    assert_eq!(data["details"], json!({ "fee": 10 }));
    assert!(data["timestamp"].is_string());
    assert!(
        unknown_step.contains("`train`") && unknown_step.contains("`flight`"),
        "{unknown_step}"
    );
    assert!(
        unknown_type.contains("action_type") && unknown_type.contains("rolled_back"),
        "{unknown_type}"
    );
    assert_eq!(before["steps"], after["steps"]);
    assert_eq!(after["status"], "cancelled");
    let n_events = |ledger: &Value| ledger["events"].as_array().unwrap().len();
    assert_eq!(n_events(&after), n_events(&before) + 1);
}

#[tokio::test]
async fn the_ledger_shows_what_is_asked_for() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let execution = under_way(&agent).await;
    let query = |more: Value| {
        let mut query = json!({ "execution_id": execution });
        query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        query
    };

    let plain = agent.call("query_ledger", query(json!({}))).await;
    let first =
        agent.call("query_ledger", query(json!({ "include_events": true, "limit": 2 }))).await;
    let seq = first["events"][1]["seq"].clone();
    let rest = json!({ "include_events": true, "since_seq": seq });
    let rest = agent.call("query_ledger", query(rest)).await;
    let none = agent.refused("query_ledger", query(json!({ "limit": 0 }))).await;

    assert!(plain.get("steps").is_none() && plain.get("events").is_none(), "{plain}");
    assert_eq!(event_types(&first), ["execution_started", "step_started"]);
    assert_eq!(first["has_more_events"], true);
    assert_eq!(event_types(&rest), ["step_completed", "step_started"]);
    assert_eq!(rest["has_more_events"], false);
    let event = &rest["events"][0];
    let parsed: Value = serde_json::from_str(event["data_json"].as_str().unwrap()).unwrap();
    assert_eq!(parsed, event["data"]);
    assert_eq!(event["actor"], "agent:Test-Client");
    assert!(none.contains("limit"), "{none}");
}

#[tokio::test]
async fn unknown_executions_are_told_alike() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (plan, _) = agent.begin(trip()).await;
    let of_plan = plan.replace("plan_", "exec_");

    for id in ["exec_01a22a0e09a870f3b7874ea431b2f939", "exec_mine", &of_plan] {
        for (tool, more) in [
            ("query_ledger", json!({})),
            ("record_step", json!({"step_id": "flight", "status": "running"})),
            ("record_decision", json!({"action": "stop", "reason": "r"})),
            ("record_action", json!({"action_type": "other", "description": "d"})),
        ] {
            let mut input = json!({ "execution_id": id });
            input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());

            let text = agent.refused(tool, input).await;

            assert!(text.contains("execution not found") && text.contains(id), "{tool}: {text}");
            assert!(text.contains("query_history"), "{tool}: {text}");
        }
    }
}

#[tokio::test]
async fn a_failure_is_reported_and_nothing_is_done_about_it() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let execution = under_way(&agent).await;

    let failed = json!({ "execution_id": execution, "step_id": "hotel", "status": "failed", "error": "it is full" });
    let failed = agent.call("record_step", failed).await;
    let ledger = agent.ledger(&execution).await;
    let next = json!({ "execution_id": execution, "step_id": "mail", "status": "running" });
    let next = agent.refused("record_step", next).await;

    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["execution_status"], "failed");
    assert_eq!(failed["failure"]["failure_policy"]["action"], "cancel_dependent");
    assert_eq!(failed["failure"]["affected_steps"], json!(["mail"]));
    assert_eq!(ledger["status"], "failed");
    assert_eq!(ledger["progress"], "1/3 steps");
    assert_eq!(statuses(&ledger), ["completed", "failed", "pending"]);
    assert_eq!(ledger["counts"]["pending"], 1);
    assert_eq!(ledger["steps"][1]["error"], "it is full");
    assert!(ledger["steps"][2]["completed_at"].is_null());
    let events = event_types(&ledger);
    assert_eq!(&events[events.len() - 2..], ["step_failed", "execution_failed"]);
    assert!(next.contains("failed"), "{next}");
    for nothing in ["outputs", "runs"] {
        let workflows = folder.json("list");
        let name = workflows[0]["name"].as_str();
        let records = name.map(|name| folder.json(&format!("{nothing} {name}")));
        assert!(records.is_none_or(|records| records == json!([])), "{nothing}");
    }
}

#[tokio::test]
async fn a_failure_without_a_policy_affects_every_step_after_it() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (_, execution) = agent.begin(trip()).await;

    let failed = agent.step(&execution, "flight", "failed").await;

    assert_eq!(failed["failure"]["failure_policy"], Value::Null);
    assert_eq!(failed["failure"]["affected_steps"], json!(["hotel", "mail"]));
}

#[tokio::test]
async fn what_contradicts_itself_or_is_too_large_is_refused() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "").await;
    let (_, execution) = agent.begin(trip()).await;
    let report = |status: &str, field: &str, value: Value| json!({ "execution_id": execution, "step_id": "flight", "status": status, field: value });

    let with_error = agent.refused("record_step", report("completed", "error", json!("e"))).await;
    let with_result = agent.refused("record_step", report("running", "result", json!(1))).await;
    let huge = json!("x".repeat(1_100_000));
    let too_large = agent.refused("record_step", report("completed", "result", huge)).await;
    let ledger = agent.ledger(&execution).await;

    assert!(with_error.contains("`error` is for a step that failed"), "{with_error}");
    assert!(with_result.contains("`result` is for a step that is completed"), "{with_result}");
    assert!(too_large.contains("keep it in a file"), "{too_large}");
    assert_eq!(statuses(&ledger), ["pending"; 3]);
}

#[tokio::test]
async fn an_execution_belongs_to_the_agent_that_began_it() {
    let folder = TestFolder::new();
    let agent = Agent::connect(&folder, "--agent ada").await;
    let (_, execution) = agent.begin(trip()).await;
    let other = Agent::connect(&folder, "--agent bob").await;

    let step = json!({ "execution_id": execution, "step_id": "flight", "status": "running" });
    let text = other.refused("record_step", step).await;
    let seen = other.ledger(&execution).await;

    assert!(text.contains("agent:ada") && text.contains("agent:bob"), "{text}");
    assert_eq!(seen["lead"], "agent:ada");
    assert_eq!(seen["events"][0]["actor"], "agent:ada");
}
