//! The prompt that helps an agent to plan.

use rmcp::model::{
    ErrorData, GetPromptRequestParams, GetPromptResult, JsonObject, Prompt, PromptArgument,
    PromptMessage, Role,
};
use serde_json::Value;

const NAME: &str = "execution_planning_prompt";

/// How an agent has to plan, whatever the goal is.
const RULES: &str = include_str!("planning.md");

/// How large an undertaking is.
const COMPLEXITIES: [(&str, &str); 3] = [
    ("simple", "Plan a few calls, and say for each what you do if it fails."),
    (
        "medium",
        "Plan a careful sequence, and say after which steps you stop and look before you go on.",
    ),
    (
        "complex",
        "Plan in phases. The steps still follow each other: within a phase too, one begins after the other is done.",
    ),
];

/// What the agent says to the rules. The protocol has no role for a system, and a conversation begins with its user.
const AGREED: &str = "I will plan one call after the other, say for each how far it can be undone and what I do if it fails, and record \
what I did. The journal decides and undoes nothing for me. What is the goal?";

const USUAL_COMPLEXITY: &str = "medium";
const USUAL_DOMAIN: &str = "general";

/// The prompts that there are.
pub(super) fn prompts() -> Vec<Prompt> {
    let argument = |name: &str, text: &str, is_required| {
        PromptArgument::new(name).with_description(text).with_required(is_required)
    };
    let arguments = vec![
        argument("goal", "What is to be achieved.", true),
        argument("complexity", "simple, medium or complex; medium where nothing is said.", false),
        argument("domain", "The field that it is in; general where nothing is said.", false),
    ];
    let about = "Helps you to plan calls of tools so that each can be recorded, and undone where that is possible.";
    vec![Prompt::new(NAME, Some(about), Some(arguments)).with_title("Plan an execution")]
}

/// A prompt, filled in.
pub(super) fn prompt(request: &GetPromptRequestParams) -> Result<GetPromptResult, ErrorData> {
    if request.name != NAME {
        let message = format!("there is no prompt `{}`; there is `{NAME}`", request.name);
        return Err(ErrorData::invalid_params(message, None));
    }
    let arguments = request.arguments.as_ref();
    let goal = argument(arguments, "goal").ok_or_else(|| {
        ErrorData::invalid_params("`goal` has to say what is to be achieved", None)
    })?;
    let complexity = argument(arguments, "complexity").unwrap_or(USUAL_COMPLEXITY);
    let hint = COMPLEXITIES.iter().find(|(name, _)| *name == complexity).map(|(_, hint)| *hint);
    let Some(hint) = hint else {
        let message = format!("`complexity` is `{complexity}`: write simple, medium or complex");
        return Err(ErrorData::invalid_params(message, None));
    };
    let domain = argument(arguments, "domain").unwrap_or(USUAL_DOMAIN);
    let messages = vec![
        PromptMessage::new_text(Role::User, RULES),
        PromptMessage::new_text(Role::Assistant, AGREED),
        PromptMessage::new_text(Role::User, task(goal, (complexity, hint), domain)),
    ];
    Ok(GetPromptResult::new(messages).with_description("Plan calls of tools for a goal"))
}

/// An argument that says something.
fn argument<'a>(arguments: Option<&'a JsonObject>, name: &str) -> Option<&'a str> {
    let text = arguments?.get(name).and_then(Value::as_str)?.trim();
    (!text.is_empty()).then_some(text)
}

fn task(goal: &str, (complexity, hint): (&str, &str), domain: &str) -> String {
    format!(
        "Plan how you reach this goal with the tools that you have.

Goal: {goal}
Domain: {domain}
Complexity: {complexity}. {hint}

Give me:
1. The steps in their order, each with its tool and its parameters.
2. For each step how far it can be undone, and how.
3. For each step what you do if it fails, and which later steps that affects.
4. The risks: what may go wrong without being noticed, and what cannot be undone.
5. The plan as JSON, in the form that record_plan takes.
6. How you watch the execution, and what you record when."
    )
}
