//! What `check` finds in the text beside the declaration: calls, names, topics, ids, and what is no plain script.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use windlass_core::{Operation, Problem, Rule, Severity};
use windlass_sandbox::{Function, Options, Sandbox};

use crate::support::{limits, script};

/// A workflow whose four functions are to be filled in.
fn workflow(handler: &str, prepare: &str, mutate: &str, next: &str) -> String {
    format!(
        "const workflow = {{\n  topics: {{ \"mail\": {{}}, \"row\": {{}} }},\n  producers: {{ poll: {{ publishes: [\"mail\"], \
         schedule: {{ interval: \"5m\" }}, handler: async (state) => {{\n{handler}\n}} }} }},\n  consumers: {{\n    \
         record: {{ subscribe: [\"mail\"], publishes: [\"row\"], prepare: async () => {{\n{prepare}\n}},\n      \
         mutate: async ({{ data }}) => {{\n{mutate}\n}},\n      next: async ({{ data }}, {{ status }}) => {{\n{next}\n}} }},\n    \
         use: {{ subscribe: [\"row\"], prepare: async () => ({{ reservations: [] }}) }} }},\n}};\n"
    )
}

fn producer(body: &str) -> String {
    workflow(body, "return { reservations: [] };", "", "")
}

fn prepare(body: &str) -> String {
    workflow("", body, "", "")
}

fn mutate(body: &str) -> String {
    workflow("", "return { reservations: [] };", body, "")
}

fn next(body: &str) -> String {
    workflow("", "return { reservations: [] };", "", body)
}

fn sandbox() -> Sandbox {
    windlass_sandbox::initialize_in_tests();
    Sandbox::start(Options { limits: limits(), functions: functions(), max_threads: 2, cores: 1 })
}

fn functions() -> Vec<Function> {
    let text = || json!({"type": "string"});
    let event = json!({
        "type": "object",
        "properties": {"messageId": text(), "payload": {}, "inputId": text()},
        "required": ["messageId", "payload"],
        "additionalProperties": false,
    });
    let topic = json!({"type": ["string", "array"], "items": text()});
    let post = json!({
        "url": text(),
        "body": {},
        "tries": {"type": "integer"},
        "headers": {"type": "object", "additionalProperties": text()},
        "as": {"enum": ["json", "form"]},
    });
    let input = json!({"source": text(), "type": text(), "id": text(), "title": text()});
    let all = [
        ("Files.append", Operation::Mutation, json!({"path": text(), "line": text()}), "path line"),
        ("Files.list", Operation::Read, json!({"dir": text(), "pattern": text()}), "dir"),
        ("Http.get", Operation::Read, json!({"url": text()}), "url"),
        ("Http.post", Operation::Mutation, post, "url"),
        ("Topics.getByIds", Operation::TopicPeek, json!({"topic": text(), "ids": {}}), "topic ids"),
        ("Topics.peek", Operation::TopicPeek, json!({"topic": text(), "limit": {}}), "topic"),
        (
            "Topics.publish",
            Operation::TopicPublish,
            json!({"topic": topic, "event": event}),
            "topic event",
        ),
        ("Topics.registerInput", Operation::RegisterInput, input, "source type id title"),
    ];
    all.map(|(name, operation, properties, required)| {
        function(name, operation, &properties, required)
    })
    .into()
}

fn function(name: &str, operation: Operation, properties: &Value, required: &str) -> Function {
    let (namespace, method) = name.split_once('.').unwrap();
    Function {
        namespace: namespace.into(),
        method: method.into(),
        docs: String::new(),
        input: json!({
            "type": "object",
            "properties": properties,
            "required": required.split(' ').collect::<Vec<_>>(),
            "additionalProperties": false,
        }),
        operation,
    }
}

async fn problems_of(source: &str) -> Vec<Problem> {
    sandbox().check(script(source), "UTC").await.err().unwrap_or_default()
}

/// The problems of each script under what is special in it.
async fn check(rows: impl IntoIterator<Item = (&str, String)>, expected: Expect) {
    let mut table = String::new();
    for (title, source) in rows {
        let _infallible = writeln!(table, "{title}");
        for problem in problems_of(&source).await {
            let shown = problem.source.as_deref().unwrap_or_default().trim();
            assert!(Rule::find(&problem.code).is_some(), "no rule explains `{}`", problem.code);
            let _infallible = writeln!(table, "  {} {}", problem.code, problem.message);
            let _infallible = writeln!(table, "    at {shown}");
            for because in &problem.because {
                let _infallible = writeln!(table, "    line {}: {}", because.line, because.text);
            }
            if let Some(hint) = &problem.hint {
                let _infallible = writeln!(table, "    {hint}");
            }
            for edit in problem.fix.iter().flat_map(|fix| &fix.edits) {
                let _infallible = writeln!(table, "    {} -> {}", edit.old, edit.new);
            }
        }
    }
    expected.assert_eq(&table);
}

/// The same, each script made of a body by `fill`.
async fn check_bodies(fill: fn(&str) -> String, bodies: &[&str], expected: Expect) {
    check(bodies.iter().map(|body| (*body, fill(body))), expected).await;
}

async fn assert_harmless(fill: fn(&str) -> String, bodies: &[&str]) {
    for body in bodies {
        assert_eq!(problems_of(&fill(body)).await, [], "{body}");
    }
}

#[tokio::test]
async fn tools_that_do_not_exist() {
    check_bodies(
        prepare,
        &[
            "await Files.lisst({ dir: 'inbox' });",
            "await Files.stat({ path: 'a' });",
            "await Slack.post({ text: 'hi' });",
            "await Flies.list({ dir: 'inbox' });",
        ],
        expect![[r#"
            await Files.lisst({ dir: 'inbox' });
              unknown_tool there is no `Files.lisst`
                at await Files.lisst({ dir: 'inbox' });
                did you mean `Files.list`?
                Files.lisst -> Files.list
            await Files.stat({ path: 'a' });
              unknown_tool there is no `Files.stat`
                at await Files.stat({ path: 'a' });
                `Files` has `append`, `list`
            await Slack.post({ text: 'hi' });
              unknown_name nothing is called `Slack`: no tool, and nothing in this file
                at await Slack.post({ text: 'hi' });
                tools of that name come from a connector, which the configuration has to name
            await Flies.list({ dir: 'inbox' });
              unknown_name nothing is called `Flies`: no tool, and nothing in this file
                at await Flies.list({ dir: 'inbox' });
                tools of that name come from a connector, which the configuration has to name
        "#]],
    )
    .await;
}

#[tokio::test]
async fn names_of_other_environments() {
    check_bodies(
        prepare,
        &[
            "const answer = await fetch('https://example.com');",
            "await new Promise((done) => setTimeout(done, 1000));",
            "return process.env.HOME;",
            "const fs = require('fs');",
            "return Buffer.from('a').toString('base64');",
            "return JSN.stringify({});",
            "return titel;",
        ],
        expect![[r#"
            const answer = await fetch('https://example.com');
              unknown_name there is no `fetch` here
                at const answer = await fetch('https://example.com');
                a script has no network of its own: call `Http.get` in a producer or in `prepare`, or `Http.post` in `mutate`
            await new Promise((done) => setTimeout(done, 1000));
              unknown_name there is no `setTimeout` here
                at await new Promise((done) => setTimeout(done, 1000));
                a script has no timers: give a producer a `schedule`, or return `wakeAt` from `prepare`
            return process.env.HOME;
              unknown_name there is no `process` here
                at return process.env.HOME;
                a script sees neither environment nor machine: write settings as constants into it
            const fs = require('fs');
              unknown_name there is no `require` here
                at const fs = require('fs');
                a script is one file without modules: declare `const workflow = { … }` in it, and nothing is exported
            return Buffer.from('a').toString('base64');
              unknown_name there is no `Buffer` here
                at return Buffer.from('a').toString('base64');
                use `TextEncoder`, `TextDecoder`, `btoa` and `atob`
            return JSN.stringify({});
              unknown_name nothing is called `JSN`
                at return JSN.stringify({});
                did you mean `JSON`?
            return titel;
              unknown_name nothing is called `titel`
                at return titel;
                declare it, or correct its spelling
        "#]],
    )
    .await;
    check(
        [
            ("module.exports = { topics: {} };", "module.exports = { topics: {} };".to_owned()),
            ("exports.workflow = {};", "exports.workflow = {};".to_owned()),
        ],
        expect![[r#"
            module.exports = { topics: {} };
              unknown_name there is no `module` here
                at module.exports = { topics: {} };
                a script is one file without modules: declare `const workflow = { … }` in it, and nothing is exported
            exports.workflow = {};
              unknown_name there is no `exports` here
                at exports.workflow = {};
                a script is one file without modules: declare `const workflow = { … }` in it, and nothing is exported
        "#]],
    )
    .await;
}

#[tokio::test]
async fn names_that_exist() {
    assert_harmless(
        prepare,
        &[
            "if (typeof fetch === 'function') fetch('x');",
            "let total; total = 1; total += 1; return total;",
            "const { a, b: [c], ...rest } = {}; return [a, c, rest];",
            "try { null.x } catch (error) { console.log(error); }",
            "class Row {} const make = function named() { return named; }; return [new Row(), make];",
            "for (const [key, value] of Object.entries({})) console.log(key, value);",
            "outer: for (;;) { break outer; }",
            "function f() { return arguments.length; } return f(1);",
            "globalThis.made = 1; return made;",
            "({ x: y } = { x: 1 }); return y; var y;",
        ],
    )
    .await;
    let all = "Object.getOwnPropertyNames(globalThis).filter((it) => /^[\\w$]+$/.test(it))";
    let call =
        crate::support::call_of(windlass_core::ScriptPhase::Prepare, &format!("async () => {all}"));
    let names =
        crate::support::returned(&crate::support::run(&crate::support::sandbox(), call).await);
    let names: Vec<String> = serde_json::from_value(names).unwrap();
    assert!(names.len() > 50, "{names:?}");
    let used = format!("return [{}];", names.join(", "));
    assert_eq!(problems_of(&prepare(&used)).await, []);
}

#[tokio::test]
async fn calls_in_a_phase_that_does_not_permit_them() {
    check_bodies(producer, &["await Files.append({ path: 'a', line: 'b' });"], expect![[r#"
        await Files.append({ path: 'a', line: 'b' });
          wrong_phase `Files.append` changes the outside world, which a producer's handler may not do: call it in `mutate`
            at await Files.append({ path: 'a', line: 'b' });
    "#]]).await;
    check_bodies(prepare, &["await Http.post({ url: 'https://a.example' });"], expect![[r#"
        await Http.post({ url: 'https://a.example' });
          wrong_phase `Http.post` changes the outside world, which `prepare` may not do: call it in `mutate`
            at await Http.post({ url: 'https://a.example' });
    "#]]).await;
    check_bodies(
        mutate,
        &["const x = await Http.get({ url: 'https://a.example' }); return x;"],
        expect![[r#"
            const x = await Http.get({ url: 'https://a.example' }); return x;
              wrong_phase `Http.get` reads the outside world, which `mutate` may not do: call it in a producer's handler or `prepare`
                at const x = await Http.get({ url: 'https://a.example' }); return x;
        "#]],
    )
    .await;
    check_bodies(
        next,
        &[
            "await Http.post({ url: 'https://a.example' });",
            "await Topics.peek({ topic: 'mail' });",
        ],
        expect![[r#"
            await Http.post({ url: 'https://a.example' });
              wrong_phase `Http.post` changes the outside world, which `next` may not do: call it in `mutate`
                at await Http.post({ url: 'https://a.example' });
            await Topics.peek({ topic: 'mail' });
              wrong_phase `Topics.peek` reads a topic, which `next` may not do: call it in `prepare`
                at await Topics.peek({ topic: 'mail' });
        "#]],
    )
    .await;
}

#[tokio::test]
async fn calls_in_a_wrong_phase_through_helpers() {
    let helpers = "async function save(line) { await write(line); }\nconst write = async (line) => {\n  await Files.append({ path: 'a', line });\n};\n";
    let pass = "const load = (path) => Http.post({ url: path });\n";

    check(
        [
            ("save", helpers.to_owned() + &prepare("await save('x');")),
            ("load", pass.to_owned() + &prepare("await Promise.all(['a'].map(load));")),
        ],
        expect![[r#"
            save
              wrong_phase `Files.append` changes the outside world, which `prepare` may not do: call it in `mutate`
                at await Files.append({ path: 'a', line });
                line 12: `prepare` of `record` calls `save`
                line 1: which calls `write`
            load
              wrong_phase `Http.post` changes the outside world, which `prepare` may not do: call it in `mutate`
                at const load = (path) => Http.post({ url: path });
                line 9: `prepare` of `record` calls `load`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn helpers_that_decide_by_who_calls_them() {
    let shared = "const step = async (kind) => {\n  if (kind === 'write') return Files.append({ path: 'a', line: 'b' });\n  \
                  return kind === 'read' ? Http.get({ url: 'a' }) : null;\n};\n";
    let source = shared.to_owned()
        + &workflow(
            "",
            "await step('read'); return { reservations: [] };",
            "await step('write');",
            "",
        );
    assert_eq!(problems_of(&source).await, []);

    let unused = "const later = () => Files.append({ path: 'a', line: 'b' });\n";
    assert_eq!(
        problems_of(&(unused.to_owned() + &prepare("return { reservations: [] };"))).await,
        []
    );
}

#[tokio::test]
async fn topics_that_the_handler_has_not_declared() {
    let publish = "const inputId = await Topics.registerInput({ source: 'Mail', type: 'message', id: 'a', title: 'b' });\n";
    check(
        [
            (
                "a typing mistake",
                producer(&format!("{publish}await Topics.publish({{ topic: 'mial', event: {{ messageId: 'a', payload: 1, inputId }} }});")),
            ),
            (
                "one of several",
                producer(&format!("{publish}await Topics.publish({{ topic: ['mail', 'row'], event: {{ messageId: 'a', payload: 1, inputId }} }});")),
            ),
            ("a constant", "const TOPIC = `mail`;\n".to_owned() + &next("await Topics.publish({ topic: TOPIC, event: { messageId: 'a', payload: 1 } });")),
            ("peek", prepare("return await Topics.peek({ topic: 'row' });")),
            ("getByIds", prepare("return await Topics.getByIds({ topic: 'rows', ids: [] });")),
        ],
        expect![[r#"
            a typing mistake
              publish_undeclared `handler` of `poll` publishes to the topic `mial`, which is not in `publishes`
                at await Topics.publish({ topic: 'mial', event: { messageId: 'a', payload: 1, inputId } });
                add `"mial"` to `publishes` of `poll`
            one of several
              publish_undeclared `handler` of `poll` publishes to the topic `row`, which is not in `publishes`
                at await Topics.publish({ topic: ['mail', 'row'], event: { messageId: 'a', payload: 1, inputId } });
                add `"row"` to `publishes` of `poll`
            a constant
              publish_undeclared `next` of `record` publishes to the topic `mail`, which is not in `publishes`
                at await Topics.publish({ topic: TOPIC, event: { messageId: 'a', payload: 1 } });
                add `"mail"` to `publishes` of `record`
            peek
              peek_unsubscribed `prepare` of `record` looks at the topic `row`, which is not in `subscribe`
                at return await Topics.peek({ topic: 'row' });
                add `"row"` to `subscribe` of `record`
            getByIds
              peek_unsubscribed `prepare` of `record` looks at the topic `rows`, which is not in `subscribe`
                at return await Topics.getByIds({ topic: 'rows', ids: [] });
                add `"rows"` to `subscribe` of `record`
        "#]],
    )
    .await;
    assert_harmless(
        next,
        &[
            "await Topics.publish({ topic: 'row', event: { messageId: data.id, payload: 1 } });",
            "await Topics.publish({ topic: data.topic, event: { messageId: data.id, payload: 1 } });",
            "const event = data.event; await Topics.publish({ topic: `${data.a}`, event });",
        ],
    )
    .await;
}

#[tokio::test]
async fn what_caused_an_event() {
    check_bodies(
        producer,
        &["await Topics.publish({ topic: 'mail', event: { messageId: 'a', payload: 1 } });"],
        expect![[r#"
            await Topics.publish({ topic: 'mail', event: { messageId: 'a', payload: 1 } });
              missing_input a producer's event does not say which input caused it
                at await Topics.publish({ topic: 'mail', event: { messageId: 'a', payload: 1 } });
                call `Topics.registerInput` before, and pass the id that it returns as `inputId`
        "#]],
    )
    .await;
    check_bodies(
        next,
        &["await Topics.publish({ topic: 'row', event: { messageId: 'a', payload: 1, inputId: data.id } });"],
        expect![[r#"
            await Topics.publish({ topic: 'row', event: { messageId: 'a', payload: 1, inputId: data.id } });
              missing_input `next` names an input
                at await Topics.publish({ topic: 'row', event: { messageId: 'a', payload: 1, inputId: data.id } });
                leave `inputId` out: the event inherits the inputs of the events that were reserved
        "#]],
    )
    .await;
}

#[tokio::test]
async fn inputs_that_a_tool_refuses() {
    check_bodies(
        prepare,
        &[
            "await Http.get('https://a.example');",
            "await Http.get(`https://a.example/${1}`);",
            "await Http.get({ uri: 'https://a.example' });",
            "await Http.get({ url: 7 });",
            "await Http.get();",
            "await Http.get({});",
            "await Files.list({ dir: 'a', patern: '*.eml' });",
            "await Files.list('a', '*.eml');",
            "await Topics.peek('mail');",
        ],
        expect![[r#"
            await Http.get('https://a.example');
              wrong_argument `Http.get` takes one object, not a string
                at await Http.get('https://a.example');
                write `Http.get({ url: … })`
                'https://a.example' -> { url: "https://a.example" }
            await Http.get(`https://a.example/${1}`);
              wrong_argument `Http.get` takes one object, not a string
                at await Http.get(`https://a.example/${1}`);
                write `Http.get({ url: … })`
            await Http.get({ uri: 'https://a.example' });
              unknown_argument `Http.get` has no `uri`
                at await Http.get({ uri: 'https://a.example' });
                did you mean `url`?
                uri -> url
            await Http.get({ url: 7 });
              wrong_argument `url` is an integer, and `Http.get` takes a string
                at await Http.get({ url: 7 });
                write a string
            await Http.get();
              missing_argument `Http.get` needs `url`
                at await Http.get();
                write `url: …`
            await Http.get({});
              missing_argument `Http.get` needs `url`
                at await Http.get({});
                write `url: …`
            await Files.list({ dir: 'a', patern: '*.eml' });
              unknown_argument `Files.list` has no `patern`
                at await Files.list({ dir: 'a', patern: '*.eml' });
                did you mean `pattern`?
                patern -> pattern
            await Files.list('a', '*.eml');
              wrong_argument `Files.list` takes one object
                at await Files.list('a', '*.eml');
                put everything into one object, for example `{ … }`
            await Topics.peek('mail');
              wrong_argument `Topics.peek` takes one object, not a string
                at await Topics.peek('mail');
                write `Topics.peek({ topic: … })`
                'mail' -> { topic: "mail" }
        "#]],
    )
    .await;
}

#[tokio::test]
async fn values_that_a_tool_refuses() {
    check_bodies(
        mutate,
        &[
            "await Http.post({ url: 'a', as: 'jsn' });",
            "await Http.post({ url: 'a', headers: { accept: true } });",
            "await Http.post({ url: 'a', tries: 'three' });",
        ],
        expect![[r#"
            await Http.post({ url: 'a', as: 'jsn' });
              wrong_argument `as` is "jsn", which `Http.post` does not know
                at await Http.post({ url: 'a', as: 'jsn' });
                did you mean "json"?
                'jsn' -> "json"
            await Http.post({ url: 'a', headers: { accept: true } });
            await Http.post({ url: 'a', tries: 'three' });
              wrong_argument `tries` is a string, and `Http.post` takes an integer
                at await Http.post({ url: 'a', tries: 'three' });
                write an integer
        "#]],
    )
    .await;
}

#[tokio::test]
async fn inputs_that_cannot_be_seen_are_let_through() {
    assert_harmless(
        prepare,
        &[
            "const input = { url: 'a' }; await Http.get(input);",
            "await Http.get({ ...{ url: 'a' } });",
            "const key = 'url'; await Http.get({ [key]: 'a' });",
            "await Http.get({ url: String(1) });",
            "const Http = { get() {} }; await Http.get('a');",
            "const url = 'a'; await Http.get({ url });",
        ],
    )
    .await;
    assert_harmless(
        mutate,
        &["await Http.post({ url: 'a', as: data.as, tries: -1, headers: { a: `b` }, body: () => 1 });"],
    )
    .await;
}

/// A producer that publishes an event with this id.
fn publishing(id: &str) -> String {
    producer(&format!(
        "const inputId = await Topics.registerInput({{ source: 'Files', type: 'file', id: 'a', title: 'b' }});\n\
         const made = Math.random();\nconst uid = () => `${{new Date().toISOString()}}-x`;\n\
         await Topics.publish({{ topic: 'mail', event: {{ messageId: {id}, payload: 1, inputId }} }});"
    ))
}

#[tokio::test]
async fn ids_made_of_clock_or_chance() {
    let ids = [
        "`${Date.now()}`",
        "new Date().toISOString()",
        "String(new Date().getTime())",
        "'mail-' + Math.random().toString(36).slice(2)",
        "`${made}`",
        "uid()",
        "['a', Date.now()].join('-')",
        "state.id || `${Date.now()}`",
    ];
    check(ids.iter().map(|id| (*id, publishing(id))), expect![[r#"
        `${Date.now()}`
          unstable_id `messageId` is made of the clock: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: `${Date.now()}`, payload: 1, inputId } });
            take the thing's own id, such as a message id, a path or a number that it has at its source
        new Date().toISOString()
          unstable_id `messageId` is made of the clock: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: new Date().toISOString(), payload: 1, inputId } });
            take the thing's own id, such as a message id, a path or a number that it has at its source
        String(new Date().getTime())
          unstable_id `messageId` is made of the clock: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: String(new Date().getTime()), payload: 1, inputId } });
            take the thing's own id, such as a message id, a path or a number that it has at its source
        'mail-' + Math.random().toString(36).slice(2)
          unstable_id `messageId` is made of chance: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: 'mail-' + Math.random().toString(36).slice(2), payload: 1, inputId } });
            take the thing's own id, such as a message id, a path or a number that it has at its source
        `${made}`
          unstable_id `messageId` is made of chance: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: `${made}`, payload: 1, inputId } });
            line 5: chance comes in here
            take the thing's own id, such as a message id, a path or a number that it has at its source
        uid()
          unstable_id `messageId` is made of the clock: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: uid(), payload: 1, inputId } });
            line 6: the clock comes in here
            take the thing's own id, such as a message id, a path or a number that it has at its source
        ['a', Date.now()].join('-')
          unstable_id `messageId` is made of the clock: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: ['a', Date.now()].join('-'), payload: 1, inputId } });
            take the thing's own id, such as a message id, a path or a number that it has at its source
        state.id || `${Date.now()}`
          unstable_id `messageId` is made of the clock: each poll finds the same thing anew
            at await Topics.publish({ topic: 'mail', event: { messageId: state.id || `${Date.now()}`, payload: 1, inputId } });
            take the thing's own id, such as a message id, a path or a number that it has at its source
    "#]]).await;
}

#[tokio::test]
async fn ids_that_last() {
    let harmless = [
        "state.id",
        "new Date().toISOString().slice(0, 10)",
        "new Date(state.at).toISOString()",
        "`${Math.floor(Date.now() / 86_400_000)}`",
        "`${new Date().getFullYear()}`",
        "state.mails.map((mail) => mail.id).join()",
    ];
    for id in harmless {
        assert_eq!(problems_of(&publishing(id)).await, [], "{id}");
    }
    let reminder = "const now = new Date().toISOString();\n\
         const inputId = await Topics.registerInput({ source: 'System', type: 'time', id: now, title: now });\n\
         await Topics.publish({ topic: 'mail', event: { messageId: now, payload: 1, inputId } });";
    assert_eq!(problems_of(&producer(reminder)).await, []);
}

#[tokio::test]
async fn what_is_no_plain_script() {
    let rest = prepare("return { reservations: [] };");
    let exported = rest.replace("const workflow =", "export default");
    let named = rest.replace("const workflow", "export const workflow");
    check(
        [
            ("import", format!("import fs from 'fs';\n{rest}")),
            ("export default", exported),
            ("export const", named),
            ("await", format!("const files = await Files.list({{ dir: 'a' }});\n{rest}")),
            ("types", format!("interface Mail {{ id: string }}\nconst first = (a: Mail[]): Mail => a[0];\n{rest}")),
            ("types and modules", format!("import type {{ Mail }} from './mail';\nconst a: Mail = {{}};\n{rest}")),
            ("neither", "const a = ;".to_owned()),
        ],
        expect![[r#"
            import
              module_syntax a script cannot import
                at import fs from 'fs';
                everything it needs is in this one file; tools such as `Files` are there without an import
            export default
              module_syntax a script exports nothing
                at export default {
                write `const workflow = { … };` instead of `export default { … };`
            export const
              module_syntax a script exports nothing
                at export const workflow = {
                leave out `export`
            await
              top_level_await nothing can be awaited outside of functions
                at const files = await Files.list({ dir: 'a' });
                do it in a handler: the file only declares `const workflow`
            types
              typescript_in_js this is TypeScript, and the file's name says JavaScript
                at interface Mail { id: string }
                give the file a name that ends with `.ts`
            types and modules
              typescript_in_js this is TypeScript, and the file's name says JavaScript
                at import type { Mail } from './mail';
                give the file a name that ends with `.ts`
              module_syntax a script cannot import
                at import type { Mail } from './mail';
                everything it needs is in this one file; tools such as `Files` are there without an import
            neither
              syntax_error SyntaxError: Unexpected token ';'
                at const a = ;
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_problem_in_the_form_that_programs_read() {
    let source =
        prepare("await load();") + "async function load() {\n  Http.get('https://a.example');\n}\n";

    let problems = problems_of(&source).await;

    expect![[r#"
        [
          {
            "code": "unawaited_call",
            "rule": "windlass://rules/unawaited_call",
            "severity": "error",
            "message": "nobody awaits this, which calls `Http.get`: the handler may return before the answer is there, and then fails",
            "line": 19,
            "column": 3,
            "endLine": 19,
            "endColumn": 33,
            "source": "  Http.get('https://a.example');",
            "hint": "write `await` before it, in an async function",
            "fix": {
              "safe": false,
              "edits": [
                {
                  "old": "Http.get('https://a.example');",
                  "new": "await Http.get('https://a.example');"
                }
              ]
            }
          },
          {
            "code": "wrong_argument",
            "rule": "windlass://rules/wrong_argument",
            "severity": "error",
            "message": "`Http.get` takes one object, not a string",
            "line": 19,
            "column": 12,
            "endLine": 19,
            "endColumn": 31,
            "source": "  Http.get('https://a.example');",
            "hint": "write `Http.get({ url: … })`",
            "fix": {
              "safe": true,
              "edits": [
                {
                  "old": "'https://a.example'",
                  "new": "{ url: \"https://a.example\" }"
                }
              ]
            }
          }
        ]"#]].assert_eq(&serde_json::to_string_pretty(&problems).unwrap());
    assert!(problems.iter().all(|problem| problem.severity == Severity::Error));
}
