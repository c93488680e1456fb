//! Validates the declaration of a script before anything runs.

mod graph;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use self::graph::{Declared, DeclaredConsumer, DeclaredProducer, Named};
pub use self::words::nearest;
use self::words::{kind, listed};
use super::manifest::Manifest;
use super::problem::{FUNCTION, Problem};
use crate::blame::{OnFailure, OnRefusal};
use crate::schedule::{Schedule, ScheduleError};
use crate::text::UnknownText;

/// Names longer than this are refused.
const NAME_CHARS: usize = 200;

const WORKFLOW_KEYS: &[&str] = &["topics", "inputs", "producers", "consumers"];
const PRODUCER_KEYS: &[&str] = &["publishes", "schedule", "handler"];
const CONSUMER_KEYS: &[&str] =
    &["subscribe", "publishes", "onFailure", "refused", "prepare", "mutate", "next"];
const SCHEDULE_KEYS: &[&str] = &["interval", "cron", "timezone"];

/// Checks the description of a script's `workflow`: its JSON, with [`FUNCTION`] in the place of each function. A cron
/// schedule without a time zone of its own is read in `default_timezone`.
///
/// # Errors
/// Every problem there is, in the order of the declaration; those between topics and handlers come last.
pub fn validate(description: &Value, default_timezone: &str) -> Result<Manifest, Vec<Problem>> {
    let mut problems = Vec::new();
    let manifest = {
        let mut reader = Reader { path: Vec::new(), problems: &mut problems };
        reader.workflow(description, default_timezone)
    };
    match manifest {
        Some(manifest) if problems.is_empty() => Ok(manifest),
        _ => Err(problems),
    }
}

/// Walks through the description and records the problems with their paths.
struct Reader<'a> {
    path: Vec<String>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn workflow(&mut self, description: &Value, default_timezone: &str) -> Option<Manifest> {
        let Some(workflow) = description.as_object() else {
            self.report(
                "wrong_type",
                format!("`workflow` is {}, not an object", kind(description)),
                None,
            );
            return None;
        };
        self.keys(workflow, WORKFLOW_KEYS, "a workflow");
        let topics = self.topics(workflow);
        let inputs = self.inputs(workflow);
        let producers = self.handlers(workflow, "producers", |reader, producer| {
            reader.producer(producer, default_timezone)
        });
        let consumers = self.handlers(workflow, "consumers", Self::consumer);
        if producers.is_empty() && consumers.is_empty() {
            let message = "the workflow has neither a producer nor a consumer".to_owned();
            self.report(
                "no_handlers",
                message,
                Some("declare at least one under `producers`".into()),
            );
        }
        let declared = Declared { topics, inputs, producers, consumers };
        declared.check(self.problems);
        declared.into_manifest()
    }

    fn topics(&mut self, workflow: &Map<String, Value>) -> Option<BTreeSet<String>> {
        let Some(topics) = workflow.get("topics") else {
            let hint = "write `topics: { \"some.topic\": {} }`";
            self.report("missing", "`topics` is missing".into(), Some(hint.into()));
            return None;
        };
        self.inside("topics", |reader| {
            let topics = reader.object(topics, "`topics`", "write `{ \"some.topic\": {} }`")?;
            for (name, options) in topics {
                reader.inside(name, |reader| {
                    reader.name(name, "topic");
                    reader.object(options, "what a topic is declared with", "write `{}`");
                });
            }
            Some(topics.keys().cloned().collect())
        })
    }

    /// The kinds of inputs that the workflow adds: types by source.
    fn inputs(&mut self, workflow: &Map<String, Value>) -> BTreeMap<String, BTreeSet<String>> {
        const HINT: &str = "write `inputs: { Shopify: [\"order\"] }`";
        let Some(inputs) = workflow.get("inputs") else { return BTreeMap::new() };
        self.inside("inputs", |reader| {
            let sources = reader.object(inputs, "`inputs`", HINT).into_iter().flatten();
            let mut kinds = BTreeMap::new();
            for (source, types) in sources {
                let types = reader.inside(source, |reader| {
                    reader.name(source, "source");
                    reader.input_types(types, HINT)
                });
                kinds.insert(source.clone(), types);
            }
            kinds
        })
    }

    fn input_types(&mut self, types: &Value, hint: &str) -> BTreeSet<String> {
        let texts: Option<BTreeSet<String>> = types
            .as_array()
            .and_then(|types| types.iter().map(|it| as_text(it).map(str::to_owned)).collect());
        let Some(texts) = texts.filter(|texts| !texts.is_empty()) else {
            let message = "the types of a source are a list of texts".to_owned();
            self.report("wrong_type", message, Some(hint.to_owned()));
            return BTreeSet::new();
        };
        texts.iter().for_each(|text| self.name(text, "type"));
        texts
    }

    /// The handlers under `group`, each as far as it can be read.
    fn handlers<T>(
        &mut self,
        workflow: &Map<String, Value>,
        group: &str,
        mut read: impl FnMut(&mut Self, &Map<String, Value>) -> T,
    ) -> Vec<(String, T)> {
        let Some(handlers) = workflow.get(group) else { return Vec::new() };
        self.inside(group, |reader| {
            let hint = "write `{ name: { … } }`";
            let handlers =
                reader.object(handlers, &format!("`{group}`"), hint).into_iter().flatten();
            let mut found = Vec::new();
            for (name, handler) in handlers {
                reader.inside(name, |reader| {
                    reader.name(name, "handler");
                    if let Some(handler) =
                        reader.object(handler, &format!("`{name}`"), "write `{ … }`")
                    {
                        found.push((name.clone(), read(reader, handler)));
                    }
                });
            }
            found
        })
    }

    fn producer(
        &mut self,
        producer: &Map<String, Value>,
        default_timezone: &str,
    ) -> DeclaredProducer {
        self.keys(producer, PRODUCER_KEYS, "a producer");
        let publishes = self.topic_list(producer, "publishes", Need::Required);
        let schedule = self.schedule(producer, default_timezone);
        self.function(producer, "handler", Need::Required);
        DeclaredProducer { publishes, schedule }
    }

    fn consumer(&mut self, consumer: &Map<String, Value>) -> DeclaredConsumer {
        self.keys(consumer, CONSUMER_KEYS, "a consumer");
        let subscribe = self.topic_list(consumer, "subscribe", Need::Required);
        let publishes = self.topic_list(consumer, "publishes", Need::Optional);
        self.function(consumer, "prepare", Need::Required);
        let has_mutate = self.function(consumer, "mutate", Need::Optional);
        let has_next = self.function(consumer, "next", Need::Optional);
        if !publishes.is_empty() && !consumer.contains_key("next") {
            self.inside("publishes", |reader| {
                let message = "`publishes` is declared, but there is no `next` that could publish";
                let hint = "add `next`, or remove `publishes`";
                reader.report("publishes_without_next", message.into(), Some(hint.into()));
            });
        }
        let on_failure = self.on_failure(consumer);
        let on_refusal = self.on_refusal(consumer);
        DeclaredConsumer { subscribe, publishes, has_mutate, has_next, on_failure, on_refusal }
    }

    fn on_refusal(&mut self, consumer: &Map<String, Value>) -> OnRefusal {
        let Some(text) = self.text(consumer, "refused") else { return OnRefusal::default() };
        let has_both = ["mutate", "next"].iter().all(|key| consumer.contains_key(*key));
        self.inside("refused", |reader| {
            let on_refusal = text.parse().map_err(|error: UnknownText| {
                let hint = "leave it out, or write `\"next\"` where `next` goes on with a refused request";
                reader.report("bad_value", error.to_string(), Some(hint.into()));
            });
            if on_refusal == Ok(OnRefusal::Next) && !has_both {
                let message = "`refused: \"next\"` is declared, but there is no `mutate` whose request could be refused, or no `next` to be \
                               told of it";
                let hint = "add what is missing, or remove `refused`";
                reader.report("refused_without_next", message.into(), Some(hint.into()));
            }
            on_refusal.unwrap_or_default()
        })
    }

    fn on_failure(&mut self, consumer: &Map<String, Value>) -> OnFailure {
        let Some(text) = self.text(consumer, "onFailure") else { return OnFailure::default() };
        self.inside("onFailure", |reader| {
            let on_failure = text.parse().map_err(|error: UnknownText| {
                let hint =
                    "leave it out, or write `\"stop\"` where the order of the events matters";
                reader.report("bad_value", error.to_string(), Some(hint.into()));
            });
            on_failure.unwrap_or_default()
        })
    }

    /// The names in a list of topics.
    fn topic_list(&mut self, handler: &Map<String, Value>, key: &str, need: Need) -> Vec<Named> {
        let Some(list) = handler.get(key) else {
            if need == Need::Required {
                let hint = format!("write `{key}: [\"some.topic\"]`");
                self.report("missing", format!("`{key}` is missing"), Some(hint));
            }
            return Vec::new();
        };
        self.inside(key, |reader| {
            let Some(list) = list.as_array() else {
                let message = format!("`{key}` is {}, not a list of topics", kind(list));
                reader.report("wrong_type", message, Some("write `[\"some.topic\"]`".into()));
                return Vec::new();
            };
            if list.is_empty() && need == Need::Required {
                reader.report("empty", format!("`{key}` names no topic"), None);
            }
            let mut names: Vec<Named> = Vec::new();
            for (index, item) in list.iter().enumerate() {
                reader.inside(&index.to_string(), |reader| match as_text(item) {
                    None => {
                        let message = format!("a topic's name is {}, not a text", kind(item));
                        reader.report("wrong_type", message, None);
                    }
                    Some(name) if names.iter().any(|known| known.name == name) => {
                        reader.report("duplicate", format!("`{name}` is named twice"), None);
                    }
                    Some(name) => names.push(Named { index, name: name.to_owned() }),
                });
            }
            names
        })
    }

    fn schedule(
        &mut self,
        producer: &Map<String, Value>,
        default_timezone: &str,
    ) -> Option<Schedule> {
        const HINT: &str = "write `{ interval: \"5m\" }` or `{ cron: \"0 9 * * 1-5\", timezone: \"Europe/Berlin\" }`";
        let Some(schedule) = producer.get("schedule") else {
            self.report("missing", "`schedule` is missing".into(), Some(HINT.into()));
            return None;
        };
        self.inside("schedule", |reader| {
            let schedule = reader.object(schedule, "`schedule`", HINT)?;
            reader.keys(schedule, SCHEDULE_KEYS, "a schedule");
            let zone = reader.text(schedule, "timezone");
            match (reader.text(schedule, "interval"), reader.text(schedule, "cron")) {
                (Some(interval), None) => {
                    if zone.is_some() {
                        let message = "`timezone` has no meaning for an interval";
                        reader.report("bad_schedule", message.into(), Some("remove it".into()));
                    }
                    reader.read_schedule("interval", Schedule::interval(interval))
                }
                (None, Some(cron)) => {
                    let zone = zone.unwrap_or(default_timezone);
                    reader.read_schedule("cron", Schedule::cron(cron, zone))
                }
                (Some(_), Some(_)) => {
                    let message = "a schedule has an interval or a cron expression, not both";
                    reader.report("bad_schedule", message.into(), Some(HINT.into()));
                    None
                }
                // A value of the wrong type has been reported.
                (None, None)
                    if schedule.contains_key("interval") || schedule.contains_key("cron") =>
                {
                    None
                }
                (None, None) => {
                    let message = "a schedule has an interval or a cron expression";
                    reader.report("bad_schedule", message.into(), Some(HINT.into()));
                    None
                }
            }
        })
    }

    fn read_schedule(
        &mut self,
        key: &str,
        schedule: Result<Schedule, ScheduleError>,
    ) -> Option<Schedule> {
        let key = match schedule {
            Err(ScheduleError::TimeZone(_)) => "timezone",
            Ok(_) | Err(_) => key,
        };
        self.inside(key, |reader| {
            schedule.map_err(|error| reader.report("bad_schedule", error.to_string(), None)).ok()
        })
    }

    fn text<'v>(&mut self, object: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
        let value = object.get(key)?;
        let text = as_text(value);
        if text.is_none() {
            let message = format!("`{key}` is {}, not a text", kind(value));
            self.inside(key, |reader| reader.report("wrong_type", message, None));
        }
        text
    }

    /// Whether there is a function under `key`.
    fn function(&mut self, handler: &Map<String, Value>, key: &str, need: Need) -> bool {
        match handler.get(key) {
            Some(value) if value == FUNCTION => return true,
            Some(value) => self.inside(key, |reader| {
                let message = format!("`{key}` is {}, not a function", kind(value));
                reader.report("wrong_type", message, None);
            }),
            None if need == Need::Required => {
                let hint = format!("write `{key}: async (…) => {{ … }}`");
                self.report("missing", format!("`{key}` is missing"), Some(hint));
            }
            None => {}
        }
        false
    }

    fn object<'v>(
        &mut self,
        value: &'v Value,
        what: &str,
        hint: &str,
    ) -> Option<&'v Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            let message = format!("{what} is {}, not an object", kind(value));
            self.report("wrong_type", message, Some(hint.to_owned()));
        }
        object
    }

    fn name(&mut self, name: &str, what: &str) {
        if name.trim().is_empty() {
            self.report("bad_name", format!("the name of a {what} is empty"), None);
        } else if name.chars().nth(NAME_CHARS).is_some() {
            let message = format!("the name of a {what} is longer than {NAME_CHARS} characters");
            self.report("bad_name", message, None);
        }
    }

    fn keys(&mut self, object: &Map<String, Value>, known: &[&str], owner: &str) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.inside(key, |reader| {
                let hint = match nearest(key, known) {
                    Some(likely) => format!("did you mean `{likely}`?"),
                    None => format!("{owner} has only {}", listed(known)),
                };
                reader.report("unknown_key", format!("{owner} has no `{key}`"), Some(hint));
            });
        }
    }

    fn inside<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(key.to_owned());
        let result = read(self);
        self.path.pop();
        result
    }

    fn report(&mut self, code: &str, message: String, hint: Option<String>) {
        let path = self.path.clone();
        self.problems.push(Problem { path, hint, ..Problem::new(code, message) });
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
}

/// The text that a value is; a function is none.
fn as_text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| *text != FUNCTION)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn right() -> Value {
        json!({
            "topics": {"mail": {}, "row": {}},
            "producers": {"poll": {"publishes": ["mail"], "schedule": {"cron": "0 9 * * *"}, "handler": FUNCTION}},
            "consumers": {
                "record": {"subscribe": ["mail"], "publishes": ["row"], "prepare": FUNCTION, "next": FUNCTION},
                "poll": {"subscribe": ["row"], "prepare": FUNCTION, "mutate": FUNCTION},
            },
        })
    }

    #[test]
    fn a_right_declaration_becomes_a_manifest() {
        let manifest = validate(&right(), "Asia/Tokyo").unwrap();

        let poll = &manifest.producers["poll"];
        assert_eq!(poll.schedule, Schedule::cron("0 9 * * *", "Asia/Tokyo").unwrap());
        assert_eq!(poll.publishes, BTreeSet::from(["mail".to_owned()]));
        let consumers: Vec<_> = manifest
            .consumers
            .iter()
            .map(|(name, consumer)| (name.as_str(), consumer.has_mutate, consumer.has_next))
            .collect();
        assert_eq!(consumers, [("poll", true, false), ("record", false, true)]);
    }

    #[test]
    fn a_consumer_says_what_a_failure_stops() {
        let mut ordered = right();
        ordered["consumers"]["poll"]["onFailure"] = json!("stop");

        let manifest = validate(&ordered, "UTC").unwrap();

        let of = |consumer: &str| manifest.consumers[consumer].on_failure;
        assert_eq!((of("poll"), of("record")), (OnFailure::Stop, OnFailure::Park));
    }

    #[test]
    fn a_workflow_may_add_kinds_of_inputs() {
        let mut shop = right();
        shop["inputs"] = json!({"Shopify": ["order", "refund"]});

        let manifest = validate(&shop, "UTC").unwrap();

        let types = BTreeSet::from(["order".to_owned(), "refund".to_owned()]);
        assert_eq!(manifest.inputs, BTreeMap::from([("Shopify".to_owned(), types)]));
        for wrong in [
            json!(["Shopify"]),
            json!({"Shopify": "order"}),
            json!({"Shopify": []}),
            json!({"Shopify": [1]}),
            json!({" ": ["order"]}),
        ] {
            shop["inputs"] = wrong;
            assert_eq!(validate(&shop, "UTC").unwrap_err().len(), 1, "{}", shop["inputs"]);
        }
    }

    #[test]
    fn a_consumer_goes_on_with_a_refusal_only_if_next_is_told_of_it() {
        let mut script = right();
        script["consumers"]["poll"]["refused"] = json!("next");
        let problems = validate(&script, "UTC").unwrap_err();
        assert_eq!(problems[0].code, "refused_without_next");
        script["consumers"]["poll"]["next"] = script["consumers"]["poll"]["mutate"].clone();

        let manifest = validate(&script, "UTC").unwrap();

        let of = |consumer: &str| manifest.consumers[consumer].on_refusal;
        assert_eq!((of("poll"), of("record")), (OnRefusal::Next, OnRefusal::Fail));
    }

    #[test]
    fn every_problem_is_reported_with_its_path() {
        let mut wrong = right();
        wrong["producers"]["poll"]["schedule"] = json!({"cron": "0 9 * * *", "timezone": "Mars"});
        wrong["producers"]["poll"]["publishes"] = json!(["mail", "mial"]);
        wrong["consumers"]["record"]["prepare"] = json!("\u{0}functional");
        wrong["consumers"]["poll"]["subscribe"] = json!(["row", "mail"]);
        wrong["consumers"]["poll"]["Mutate"] = json!(1);
        wrong["consumers"]["poll"]["onFailure"] = json!("halt");
        wrong["triggers"] = json!([]);

        let problems = validate(&wrong, "UTC").unwrap_err();

        let lines: Vec<_> = problems
            .iter()
            .map(|problem| format!("{}: {}", problem.path.join("/"), problem.code))
            .collect();
        expect![[r#"
            triggers: unknown_key
            producers/poll/schedule/timezone: bad_schedule
            consumers/record/prepare: wrong_type
            consumers/poll/Mutate: unknown_key
            consumers/poll/onFailure: bad_value
            producers/poll/publishes/1: undeclared_topic
            consumers/poll/subscribe/1: topic_with_two_consumers"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_time_zone_of_the_deployment_that_is_none_is_a_problem_of_the_schedule() {
        let problems = validate(&right(), "Mars").unwrap_err();

        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, "bad_schedule");
    }
}
