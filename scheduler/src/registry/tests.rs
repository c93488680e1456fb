use async_trait::async_trait;
use serde_json::json;
use windlass_core::FailureClass;

use super::*;
use crate::tool::ToolCall;

#[derive(Debug)]
struct Echo(ToolSpec);

#[async_trait]
impl Tool for Echo {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn effect(&self, input: &Value) -> Effect {
        if input.get("write") == Some(&json!(true)) { Effect::Mutation } else { Effect::Read }
    }

    async fn read(&self, call: ToolCall) -> Result<Value, Failure> {
        Ok(call.input)
    }
}

fn spec(namespace: &str, method: &str) -> ToolSpec {
    ToolSpec {
        namespace: namespace.to_owned(),
        method: method.to_owned(),
        docs: "Answers what it is asked.".to_owned(),
        input: json!({
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "times": {"type": "integer", "default": 1, "maximum": 9},
                "write": {"type": ["boolean", "null"]}
            },
            "required": ["text"],
            "additionalProperties": false
        }),
        output: json!({"type": "string"}),
        input_types: Vec::new(),
    }
}

fn registry_of(specs: Vec<ToolSpec>) -> Result<Registry, RegistryError> {
    Registry::new(specs.into_iter().map(|it| Arc::new(Echo(it)) as Arc<dyn Tool>).collect())
}

fn input_failure(mut input: Value) -> Failure {
    let registry = registry_of(vec![spec("Echo", "say")]).unwrap();
    registry.find("Echo", "say").unwrap().validate_input(&mut input).unwrap_err()
}

#[test]
fn absent_properties_get_their_defaults() {
    let registry = registry_of(vec![spec("Echo", "say")]).unwrap();
    let mut input = json!({"text": "hi"});

    registry.find("Echo", "say").unwrap().validate_input(&mut input).unwrap();

    assert_eq!(input, json!({"text": "hi", "times": 1}));
}

#[test]
fn every_problem_of_an_input_is_named() {
    let failure = input_failure(json!({"times": "secret", "tezt": "secret"}));

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.starts_with("`Echo.say` cannot take this input: "), "{failure}");
    for problem in [
        "`text` is missing (a string)",
        "`times` must be an integer, not a string",
        "`tezt` is unknown (known: text, times, write)",
    ] {
        assert!(failure.message.contains(problem), "{problem}: {failure}");
    }
    assert!(!failure.message.contains("secret"), "{failure}");
}

#[test]
fn a_limit_is_named_without_the_value() {
    let failure = input_failure(json!({"text": "", "times": 4711}));

    assert!(
        failure.message.contains("`times`: the value is greater than the maximum of 9"),
        "{failure}"
    );
    assert!(!failure.message.contains("4711"), "{failure}");
}

#[test]
fn what_is_no_object_is_refused() {
    let failure = input_failure(json!("hi"));

    assert!(failure.message.contains("the value must be an object, not a string"), "{failure}");
}

#[test]
fn a_wrong_answer_is_the_tools_fault() {
    let registry = registry_of(vec![spec("Echo", "say")]).unwrap();

    let failure = registry.find("Echo", "say").unwrap().check_output(&json!(1)).unwrap_err();

    assert_eq!(failure.class, FailureClass::Internal);
}

#[test]
fn the_operation_depends_on_the_input() {
    let registry = registry_of(vec![spec("Echo", "say")]).unwrap();
    let say = registry.find("Echo", "say").unwrap();

    assert_eq!(say.operation(&json!({})), Operation::Read);
    assert_eq!(say.operation(&json!({"write": true})), Operation::Mutation);
}

#[test]
fn topics_are_served_beside_the_tools() {
    let registry = registry_of(vec![spec("Echo", "say"), spec("Zoo", "feed")]).unwrap();

    let names: Vec<_> = registry.callables().map(Callable::name).collect();

    assert_eq!(
        names,
        [
            "Echo.say",
            "Topics.getByIds",
            "Topics.peek",
            "Topics.publish",
            "Topics.registerInput",
            "Zoo.feed"
        ]
    );
    assert_eq!(registry.functions().len(), names.len());
    assert!(registry.find("Topics", "delete").is_none());
}

#[test]
fn the_docs_say_where_to_call_it_and_what_to_register() {
    let spec = ToolSpec { input_types: vec![("Web", "page")], ..spec("Echo", "say") };
    let registry = registry_of(vec![spec]).unwrap();

    let docs = &registry.functions()[0].docs;

    assert!(
        docs.starts_with("Answers what it is asked.\n\nIt reads: call it in a producer's handler"),
        "{docs}"
    );
    assert!(docs.contains("an input of source `Web` and type `page`"), "{docs}");
    assert!(docs.contains(r#"Answer (JSON Schema): {"type":"string"}"#), "{docs}");
}

#[test]
fn peek_looks_at_a_hundred_events_unless_told() {
    let registry = registry_of(vec![]).unwrap();
    let mut input = json!({"topic": "mail"});

    registry.find("Topics", "peek").unwrap().validate_input(&mut input).unwrap();

    assert_eq!(input, json!({"topic": "mail", "limit": 100}));
}

#[test]
fn publish_takes_one_topic_or_several() {
    let registry = registry_of(vec![]).unwrap();
    let publish = registry.find("Topics", "publish").unwrap();
    let event = json!({"messageId": "m1", "payload": null});

    for topic in [json!("mail"), json!(["mail", "audit"])] {
        assert_eq!(publish.validate_input(&mut json!({"topic": topic, "event": event})), Ok(()));
    }
    for topic in [json!(""), json!([]), json!([1]), json!(null)] {
        assert!(
            publish.validate_input(&mut json!({"topic": topic, "event": event})).is_err(),
            "{topic}"
        );
    }
}

#[test]
fn a_nested_problem_is_named_by_its_path() {
    let registry = registry_of(vec![]).unwrap();
    let mut input = json!({"topic": "mail", "event": {"payload": 1, "messageID": "m1"}});

    let failure =
        registry.find("Topics", "publish").unwrap().validate_input(&mut input).unwrap_err();

    assert!(failure.message.contains("`event.messageId` is missing (a string)"), "{failure}");
    assert!(
        failure
            .message
            .contains("`event.messageID` is unknown (known: messageId, payload, inputId)"),
        "{failure}"
    );
}

#[test]
fn a_name_is_taken_once() {
    let error = registry_of(vec![spec("Echo", "say"), spec("Echo", "say")]).unwrap_err();

    assert_eq!(error.to_string(), "two tools are called `Echo.say`: rename one");
}

#[test]
fn names_that_scripts_cannot_use_are_refused() {
    for (namespace, method) in
        [("Topics", "drop"), ("echo", "say"), ("Echo", "say it"), ("", "say"), ("JSON", "parse")]
    {
        let error = registry_of(vec![spec(namespace, method)]).unwrap_err();
        assert!(matches!(error, RegistryError::Name { .. }), "{namespace}.{method}: {error}");
    }
}

#[test]
fn an_input_that_ignores_misspellings_is_refused() {
    let open = ToolSpec { input: json!({"type": "object"}), ..spec("Echo", "say") };

    assert!(matches!(registry_of(vec![open]).unwrap_err(), RegistryError::OpenInput { .. }));
}

#[test]
fn schemas_from_elsewhere_are_not_fetched() {
    let output = json!({"$ref": "http://127.0.0.1:9/schema.json"});
    let remote = ToolSpec { output, ..spec("Echo", "say") };

    assert!(matches!(
        registry_of(vec![remote]).unwrap_err(),
        RegistryError::Schema { part: "output", .. }
    ));
}

#[test]
fn a_tool_that_yields_unknown_inputs_is_refused() {
    let strange = ToolSpec { input_types: vec![("Echo", "shout")], ..spec("Echo", "say") };

    assert!(matches!(registry_of(vec![strange]).unwrap_err(), RegistryError::InputKind { .. }));
}
