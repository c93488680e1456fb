//! What scripts are offered.

use expect_test::expect;
use windlass_core::{FailureClass, Operation};

use super::{Fixture, THINGS};
use crate::world::World;

fn operation(fixture: &Fixture, method: &str) -> Operation {
    fixture.world.registry.find("Things", method).unwrap().operation(&serde_json::Value::Null)
}

#[tokio::test]
async fn a_tool_without_a_hint_counts_as_a_mutation() {
    let fixture = Fixture::things().await;

    assert_eq!(operation(&fixture, "findThings"), Operation::Read);
    assert_eq!(operation(&fixture, "addThing"), Operation::Mutation);
    assert_eq!(operation(&fixture, "lookAround"), Operation::Mutation);
    fixture.stop().await;
}

#[tokio::test]
async fn the_configuration_knows_better_than_the_server() {
    let effects = "[things.tools.look-around]\neffect = \"read\"\n\
                   [things.tools.find_things]\neffect = \"mutation\"\n";
    let fixture = Fixture::with(&format!("{THINGS}{effects}")).await;

    assert_eq!(operation(&fixture, "lookAround"), Operation::Read);
    assert_eq!(operation(&fixture, "findThings"), Operation::Mutation);
    fixture.stop().await;
}

#[tokio::test]
async fn scripts_are_held_to_closed_schemas_without_the_key() {
    let fixture = Fixture::things().await;

    let spec = |method| {
        let spec = fixture.world.registry.find("Things", method).unwrap().spec();
        format!("{}\n{}\n{}\n", spec.docs, spec.input, spec.output)
    };

    expect![[r#"
        Adds a thing.

        It is `add_thing` of the connector `things`.
        {"type":"object","properties":{"name":{"type":"string","description":"What it is called."},"how":{"type":"string"}},"required":["name"],"additionalProperties":false}
        {"type":"object","properties":{"content":{"type":"array","items":{"type":"object"},"description":"The parts of the answer, each with its `type`."},"text":{"type":"string","description":"The parts that are text, joined by line breaks."}},"required":["content","text"]}

        Finds things by name.

        It is `find_things` of the connector `things`.
        {"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}
        {"type":"object","properties":{"things":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"}}}}},"required":["things"]}
    "#]].assert_eq(&[spec("addThing"), spec("findThings")].join("\n"));
    fixture.stop().await;
}

#[tokio::test]
async fn a_property_that_the_server_does_not_name_is_refused() {
    let fixture = Fixture::things().await;

    let input = serde_json::json!({"name": "a", "nmae": "b"});
    let failure = fixture.world.refusal("Things.findThings", input).await;

    assert_eq!(failure.class, FailureClass::Logic);
    assert!(failure.message.contains("`nmae` is unknown"), "{failure}");
    fixture.stop().await;
}

#[tokio::test]
async fn what_cannot_be_offered_is_said_with_both_names() {
    let mut errors = Vec::new();

    for config in [
        format!("{THINGS}namespace = \"Files\"\n"),
        format!("{THINGS}namespace = \"Same\"\n[same]\ncommand = \"node\"\n"),
        format!("{THINGS}[things.tools.add_thin]\neffect = \"read\"\n"),
        format!("{THINGS}[things.tools.add_thing]\nkey_argument = \"requestId\"\n"),
        format!(
            "{THINGS}[things.tools.add_thing]\nreconcile = {{ tool = \"meet\", found = {{ path = \"$\" }} }}\n"
        ),
        format!(
            "{THINGS}[things.tools.add_thing]\nreconcile = {{ tool = \"find\", found = {{ path = \"$\" }} }}\n"
        ),
    ] {
        errors.push(Fixture::try_with(&config).await.err().unwrap().to_string());
    }

    expect![[r#"
        the connector `things` cannot be `Files` to scripts, which are built-in tools: give it another `namespace`
        the connector `things` cannot be `Same` to scripts, which is the connector `same`: give it another `namespace`
        `[mcp.things.tools.add_thin]` is about a tool that is not there: it has add_thing, find_things, promised, answer, look-around, large, never, change_list, meet
        `[mcp.things.tools.add_thing]` names the argument `requestId`, which the tool does not take
        `[mcp.things.tools.add_thing]` looks its effect up with `meet`, which may change something: name a tool that reads, or say `effect = "read"` of it
        `[mcp.things.tools.add_thing]` looks its effect up with `find`, which the server does not have"#]].assert_eq(&errors.join("\n"));
}

#[tokio::test]
async fn a_tool_that_scripts_could_not_call_keeps_no_other_from_them() {
    let world = World::new();
    world.put("server.js", include_str!("server.js"));
    let tools = Fixture::tools(|tools| {
        tools.push(serde_json::json!({"name": "2nd", "inputSchema": {"type": "object"}}));
        tools.push(serde_json::json!({"name": "vague", "inputSchema": {}}));
        tools.push(serde_json::json!({"name": "odd", "inputSchema": {"type": "object", "properties": {"a": {"type": "nonsense"}}}}));
    });
    world.put("tools.json", tools.to_string());

    let fixture = Fixture::again(world, THINGS).await.unwrap();

    assert!(fixture.world.registry.find("Things", "addThing").is_some());
    for method in ["2nd", "vague", "odd"] {
        assert!(fixture.world.registry.find("Things", method).is_none(), "{method}");
    }
    fixture.stop().await;
}
