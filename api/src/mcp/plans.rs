//! The tools for plans: an agent begins one, submits the results of its nodes, and looks what comes next. No tool answers a person's
//! question.

use rmcp::model::JsonObject;
use serde_json::{Value, json};
use windlass_core::SessionId;
use windlass_store::Replaced;

use super::refusal::Refusal;
use super::tool::{About, AgentTool, Caller, Effect, tool_of_schema};
use crate::service::{
    PlanAnswer, PlanIncludes, PlanStart, ServiceError, draft_properties, read_result, result_schema,
};

/// The workstream where none is named.
const WORKSTREAM: &str = "default";

/// The tools, in the order in which clients see them.
pub(super) fn tools() -> [AgentTool; 5] {
    [
        tool_of_schema(CREATE, (create_schema(), answer_schema()), create),
        tool_of_schema(REPLACE, (replace_schema(), answer_schema()), replace),
        tool_of_schema(SUBMIT, (submit_schema(), answer_schema()), submit),
        tool_of_schema(ACTIVE, (active_schema(), answer_schema()), active),
        tool_of_schema(RESUME, (resume_schema(), answer_schema()), resume),
    ]
}

const CREATE: About = About {
    name: "createExecutionPlan",
    title: "Create an execution plan",
    docs: "Begins a plan: nodes with contracts, done by agents, tools and people, and edges between them. The engine owns the order, the checks, \
the retries and the questions to people; you submit the results of the nodes that you own. Refused while a plan is active in the workstream, and \
with every mistake of the draft at once. If it calls tools that nobody has granted, a person has to let it start.",
    effect: Effect::Adds,
    wrapper: Some("plan"),
};

const REPLACE: About = About {
    name: "replaceExecutionPlan",
    title: "Replace the active execution plan",
    docs: "Ends the active run and begins a new version of the plan. Nothing of the old draft is inherited: give all of the new one. Finished nodes \
with the same contract are taken over, unless `fresh` is true.",
    effect: Effect::Adds,
    wrapper: None,
};

const SUBMIT: About = About {
    name: "submitExecutionNodeResult",
    title: "Submit the result of a node",
    docs: "Submits what became of a node that you own or lead. It is checked against the node's contract: a result that breaks it is rejected with \
findings, and the node is tried again or stops as its policies say. The answer says which node is next. The same result again is answered as the \
first time.",
    effect: Effect::Sets,
    wrapper: None,
};

const ACTIVE: About = About {
    name: "getActiveExecutionPlan",
    title: "Get the active execution plan",
    docs: "The active plan of a workstream with its nodes and how far each has come; `action` is `none` where there is none. Look here before you \
create a plan, and after an interruption.",
    effect: Effect::Reads,
    wrapper: None,
};

const RESUME: About = About {
    name: "resumeExecutionPlanRun",
    title: "Resume a run of a plan",
    docs: "Lets a run go on after what stopped it was repaired: blocked nodes may begin again. What is finished stays. A run that waits for a person \
still waits.",
    effect: Effect::Sets,
    wrapper: None,
};

fn object(required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object", "required": required, "properties": properties, "additionalProperties": false,
    })
}

/// The fields of a draft, and others beside them.
fn with_draft(others: Value) -> Value {
    let mut properties = draft_properties();
    if let (Some(properties), Value::Object(others)) = (properties.as_object_mut(), others) {
        properties.extend(others);
    }
    properties
}

fn workstream() -> Value {
    json!({"type": "string", "description": "The project, chat or team that the plan is for: one plan is active in it at a time.", "default": WORKSTREAM})
}

fn run_id() -> Value {
    json!({"type": "string", "description": "The id of the run: `plan.run.id` of an answer."})
}

fn create_schema() -> Value {
    let others = json!({
        "workstream": workstream(),
        "idempotencyKey": {"type": "string", "description": "A repeated call with the same key returns the run of the first one."},
    });
    object(&["title", "objective", "nodes"], &with_draft(others))
}

fn replace_schema() -> Value {
    let others = json!({
        "runId": run_id(),
        "reason": {"type": "string", "description": "Why the plan is replaced."},
        "fresh": {"type": "boolean", "description": "Whether nothing is taken over.", "default": false},
    });
    object(&["runId", "reason", "title", "objective", "nodes"], &with_draft(others))
}

fn submit_schema() -> Value {
    let node = json!({"type": "string", "description": "The id of the node."});
    let properties = json!({"runId": run_id(), "nodeId": node, "result": result_schema()});
    object(&["runId", "nodeId", "result"], &properties)
}

fn active_schema() -> Value {
    let include = |what: &str| json!({"type": "boolean", "default": false, "description": what});
    object(
        &[],
        &json!({
            "workstream": workstream(),
            "includeEvents": include("Also what happened."),
            "includeArtifacts": include("Also what was made."),
            "includeApprovals": include("Also what people were asked."),
            "includeCheckpoints": include("Also what was known after each change."),
            "includeValidationIssues": include("Also what the checks of the draft and of results found."),
        }),
    )
}

fn resume_schema() -> Value {
    let force = json!({"type": "boolean", "default": false, "description": "End back-offs too."});
    object(&["runId"], &json!({"runId": run_id(), "force": force}))
}

/// What every tool answers.
fn answer_schema() -> Value {
    let text = json!({"type": "string"});
    let list = json!({"type": "array", "items": {"type": "object"}});
    let node = json!({
        "type": "object", "required": ["nodeId", "status", "attemptCount"],
        "properties": {"nodeId": text, "status": text, "attemptCount": {"type": "integer"}},
    });
    let run = json!({
        "type": "object", "required": ["id", "status", "readyNodeIds", "failureCount"],
        "properties": {
            "id": text, "status": text, "currentNodeId": {"type": ["string", "null"]}, "waitingNodeId": {"type": ["string", "null"]},
            "readyNodeIds": {"type": "array", "items": text}, "failureCount": {"type": "integer"},
        },
    });
    let spec = json!({
        "type": "object", "required": ["id", "version", "status"],
        "properties": {"id": text, "version": {"type": "integer"}, "status": text},
    });
    json!({
        "type": "object", "required": ["action", "message", "hasPlan"],
        "properties": {
            "action": {"enum": ["created", "replaced", "loaded", "none", "node-result-submitted", "run-resumed"]},
            "message": text, "changedNodeId": text, "hasPlan": {"type": "boolean"}, "status": text,
            "attempt": {"type": "object"}, "warnings": list,
            "plan": {
                "type": "object", "required": ["run", "spec", "nodes", "progress"],
                "properties": {
                    "run": run, "spec": spec, "nodes": {"type": "array", "items": node}, "progress": {"type": "object"},
                    "carriedNodes": list, "events": list, "artifacts": list, "approvals": list, "checkpoints": list,
                    "validationIssues": list,
                },
            },
        },
    })
}

async fn create(caller: Caller, mut input: JsonObject) -> Result<PlanAnswer, Refusal> {
    let workstream = take_text(&mut input, "workstream")?.unwrap_or_else(|| WORKSTREAM.to_owned());
    let idempotency_key = take_text(&mut input, "idempotencyKey")?;
    let start = begin(&caller, workstream, input).await?;
    Ok(caller.service.create_plan(PlanStart { idempotency_key, ..start }).await?)
}

async fn replace(caller: Caller, mut input: JsonObject) -> Result<PlanAnswer, Refusal> {
    let run = take_run(&mut input)?;
    let reason = require_text(&mut input, "reason")?;
    let is_fresh = take_flag(&mut input, "fresh")?;
    let active = caller.service.plan_of_run(run, PlanIncludes::default()).await?;
    let start = begin(&caller, active.spec.workstream, input).await?;
    let replaced = Replaced { run: Some(run), reason, is_fresh };
    Ok(caller.service.replace_plan(start, replaced).await?)
}

/// A plan to begin. It may call what people have granted to the plans of agents.
async fn begin(
    caller: &Caller,
    workstream: String,
    draft: JsonObject,
) -> Result<PlanStart, Refusal> {
    let source = Value::Object(draft).to_string();
    let checked = caller.plans.check("plan.json", source, None);
    let text = checked.map_err(|findings| ServiceError::InvalidPlan { findings })?;
    let grant = caller.service.workspace_settings().await?.plan_grant;
    Ok(PlanStart { workstream, text, grant, idempotency_key: None })
}

async fn submit(caller: Caller, mut input: JsonObject) -> Result<PlanAnswer, Refusal> {
    let run = take_run(&mut input)?;
    let node = require_text(&mut input, "nodeId")?;
    let result = input.remove("result").unwrap_or_default().to_string();
    let read = read_result(result.as_bytes()).map_err(|error| Refusal::new(error.to_string()))?;
    Ok(caller.service.submit_node(run, &node, read?).await?)
}

async fn active(caller: Caller, mut input: JsonObject) -> Result<PlanAnswer, Refusal> {
    let workstream = take_text(&mut input, "workstream")?.unwrap_or_else(|| WORKSTREAM.to_owned());
    let includes = PlanIncludes {
        events: take_flag(&mut input, "includeEvents")?,
        artifacts: take_flag(&mut input, "includeArtifacts")?,
        approvals: take_flag(&mut input, "includeApprovals")?,
        checkpoints: take_flag(&mut input, "includeCheckpoints")?,
        issues: take_flag(&mut input, "includeValidationIssues")?,
    };
    Ok(caller.service.active_plan(&workstream, includes).await?)
}

async fn resume(caller: Caller, mut input: JsonObject) -> Result<PlanAnswer, Refusal> {
    let run = take_run(&mut input)?;
    let force = take_flag(&mut input, "force")?;
    Ok(caller.service.resume_plan(run, force).await?)
}

fn take_text(input: &mut JsonObject, name: &str) -> Result<Option<String>, Refusal> {
    match input.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::new(format!("`{name}` has to be a text"))),
    }
}

fn require_text(input: &mut JsonObject, name: &str) -> Result<String, Refusal> {
    let text = take_text(input, name)?.filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| Refusal::new(format!("`{name}` is missing")))
}

fn take_run(input: &mut JsonObject) -> Result<SessionId, Refusal> {
    let text = require_text(input, "runId")?;
    text.parse().map_err(|_unknown| {
        Refusal::new(format!("`{text}` is no id of a run: take `plan.run.id` of an answer"))
    })
}

fn take_flag(input: &mut JsonObject, name: &str) -> Result<bool, Refusal> {
    match input.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(is_set)) => Ok(is_set),
        Some(_) => Err(Refusal::new(format!("`{name}` has to be true or false"))),
    }
}
