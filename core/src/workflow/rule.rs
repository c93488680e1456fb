//! The rules that scripts are checked against.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// The beginning of a rule's address; its code follows.
pub const RULE_URI: &str = "windlass://rules/";

/// A rule, for those who want to know more than a problem says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its code, which is that of the problems that it finds.
    pub code: &'static str,
    /// Why it is there, and how to keep it.
    pub text: &'static str,
}

impl Rule {
    /// The rule with that code.
    #[must_use]
    pub fn find(code: &str) -> Option<&'static Self> {
        RULES.iter().find(|rule| rule.code == code)
    }

    /// Its address.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{RULE_URI}{}", self.code)
    }
}

/// The code of a problem. It is written with the address of its rule, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenCode", into = "WrittenCode")]
pub struct ProblemCode(String);

#[derive(Serialize, Deserialize)]
struct WrittenCode {
    code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
}

impl From<WrittenCode> for ProblemCode {
    fn from(WrittenCode { code, .. }: WrittenCode) -> Self {
        Self(code)
    }
}

impl From<ProblemCode> for WrittenCode {
    fn from(ProblemCode(code): ProblemCode) -> Self {
        Self { rule: Rule::find(&code).map(Rule::uri), code }
    }
}

impl From<&str> for ProblemCode {
    fn from(code: &str) -> Self {
        Self(code.to_owned())
    }
}

impl Deref for ProblemCode {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for ProblemCode {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

macro_rules! rules {
    ($($code:literal $text:literal)+) => {
        /// All rules.
        pub const RULES: &[Rule] = &[$(Rule { code: $code, text: $text }),+];
    };
}

rules! {
    "attempt_input"
    "`attempt` takes a tool and the one object that the tool takes: `await attempt(Files.read, { path })`."
    "bad_name"
    "A name is not empty and not longer than the limit that the message gives, because it is shown in lists and logs."
    "bad_schedule"
    "A producer has either an interval (`{ interval: \"5m\" }`) or five fields of cron with a time zone (`{ cron: \"0 9 * * 1\", timezone: \"Europe/Berlin\" }`), and not both."
    "bad_value"
    "The option has a few possible values, which the message lists. Another one would be ignored, and the script would do something else than it says."
    "code_after_mutation"
    "The call of a mutation ends `mutate`: the run is written down before the request is sent, and nothing of the script continues. What follows belongs into `next`, which is told how the mutation ended."
    "connector_missing"
    "The tools of this connector are unknown because it did not answer. Start it, or correct its configuration, and check again."
    "duplicate"
    "The list names the same topic twice. Remove one of the two."
    "empty"
    "The list names no topic. A consumer without topics never runs, and a producer without topics has nothing to do."
    "limit"
    "A limit of `[limits.script]` is exceeded; the message names it. A handler does one small step: poll in parts, or reserve fewer events."
    "missing"
    "A required part of the declaration is missing; the hint shows its form."
    "missing_argument"
    "The tool requires this field. Without it the call fails whenever it is reached."
    "missing_input"
    "A producer names the input that caused an event (`inputId`, from `Topics.registerInput`), so that a person can follow each effect back to what came in. In `next` the engine knows the cause itself."
    "module_syntax"
    "A script is one plain file without `import` and `export`. Its last word is `const workflow = { … }`; helpers stand beside it in the same file."
    "more_problems"
    "Only the first problems are shown. Solve these and check again."
    "mutable_global"
    "Each call of a handler begins with a fresh copy of the file. What is kept in a variable at the top level is gone afterwards: return it as the handler's state, or publish it."
    "mutation_in_loop"
    "A run makes one mutation, and the call ends `mutate`, so the loop never comes to its second round. Reserve one event per run: the next run takes the next event."
    "no_handlers"
    "A workflow without producers never begins. Declare at least one under `producers`."
    "no_workflow"
    "The file declares `const workflow = { topics, producers, consumers }` at its top level."
    "not_utf8"
    "Scripts are UTF-8 text. Save the file in that encoding."
    "own_topic"
    "A handler that publishes what it subscribes to would feed itself for ever. Publish to another topic."
    "peek_unsubscribed"
    "`prepare` sees only topics that its consumer names under `subscribe`. Add the topic there, or correct its name."
    "publish_undeclared"
    "A handler publishes only to topics that it names under `publishes`. Add the topic there, or correct its name."
    "publishes_without_next"
    "A consumer publishes in `next`, after its mutation. One that declares `publishes` needs a `next`."
    "refused_without_next"
    "`refused: \"next\"` hands a definite refusal of the mutation to `next`. It needs both a `mutate` and a `next`."
    "syntax_error"
    "V8 cannot read the file. Nothing else was checked; correct this first."
    "thrown"
    "The file itself threw an error when it was read. At its top level it only declares; work is done in handlers."
    "tool_call_in_try"
    "A script cannot catch the failure of a tool, because the engine decides what follows: it waits, tries again, or asks a person. For failures that are about the data, `attempt` gives a result in place of an error."
    "tool_call_outside_handler"
    "At its top level the file only declares. Tools are called in handlers."
    "top_level_await"
    "Nothing is awaited at the top level of the file, because reading it makes no calls. Do it in a handler."
    "topic_with_two_consumers"
    "An event is consumed once, by one consumer. Publish to a topic of its own for each consumer."
    "topic_with_two_producers"
    "A topic has one publisher, so that an event has one origin. Give each publisher a topic of its own."
    "topic_without_publisher"
    "Nothing publishes to this topic, so its consumer never runs. Add the topic to a `publishes` list, or remove the subscription."
    "topic_without_subscriber"
    "No consumer takes the events of this topic, so they wait for ever. Add a consumer, or remove the topic."
    "typescript_in_js"
    "The text is TypeScript. Give the file a name that ends with `.ts`: its types are then taken out before it runs."
    "unawaited_call"
    "The call is made and nobody waits for it. Its failure would be lost, and the handler may end before it. Write `await` before it."
    "unchecked_result"
    "`next` also runs where nothing was done (`none`) and where a person skipped the effect (`skipped`). Read the result only if `status` is `applied`."
    "undeclared_topic"
    "Each topic is declared under `topics`, so that a misspelt name is no second topic. Declare it, or correct its name."
    "unknown_argument"
    "The tool has no such field, and would refuse the call or ignore the field. The hint names the nearest one."
    "unknown_key"
    "The declaration has no such key. It would be ignored, and the script would do something else than it says."
    "unknown_name"
    "Nothing of that name is there: a script has JavaScript, a few helpers, its tools, and what the file declares. There is no `fetch`, no timer and no module. The generated types list what there is."
    "unknown_tool"
    "The namespace has no such tool; the hint names the nearest one. The generated types list all."
    "unstable_id"
    "An event is recognised by its `messageId`, and an input by its `id`. Made of the clock or of chance, it is another one with each poll, and each poll publishes and does the same thing again. Take the thing's own id at its source."
    "value"
    "What a handler returns, publishes or passes to a tool is kept as JSON: objects, lists, texts, numbers, booleans and null, not nested too deep."
    "wrong_argument"
    "The field has another type than the tool takes, and the call would fail whenever it is reached."
    "wrong_phase"
    "`prepare` reads and reserves, `mutate` makes one effect, `next` publishes and keeps state; a producer reads and publishes. Only so can a run continue after a crash without doing anything twice. Move the call to its phase."
    "wrong_type"
    "This part of the declaration has another type than it needs; the hint shows its form."
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Problem;

    #[test]
    fn a_problem_says_where_its_rule_is_described() {
        let known = serde_json::to_value(Problem::new("unstable_id", "…")).unwrap();
        let unknown = serde_json::to_value(Problem::new("internal", "…")).unwrap();

        assert_eq!(known["code"], "unstable_id");
        assert_eq!(known["rule"], "windlass://rules/unstable_id");
        assert_eq!((&unknown["code"], unknown.get("rule")), (&json!("internal"), None));
        let read: Problem = serde_json::from_value(known).unwrap();
        assert_eq!(read.code, "unstable_id");
    }

    #[test]
    fn rules_are_sorted_and_each_is_there_once() {
        assert!(RULES.is_sorted_by(|one, next| one.code < next.code));
    }
}
