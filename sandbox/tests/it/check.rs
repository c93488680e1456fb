//! What `check` finds: a script in, one line per problem out.

use expect_test::{Expect, expect};
use windlass_core::{Rule, ScriptLimits};

use crate::support::{limits, sandbox, sandbox_with, script};

/// A workflow that is right: tests change one thing in it.
const RIGHT: &str = r#"const workflow = {
  topics: { "mail.received": {}, "row.added": {} },
  producers: {
    poll: {
      publishes: ["mail.received"],
      schedule: { interval: "5m" },
      handler: async (state) => state,
    },
  },
  consumers: {
    record: {
      subscribe: ["mail.received"],
      publishes: ["row.added"],
      prepare: async () => ({ reservations: [] }),
      mutate: async (prepared) => { await Files.append({ line: prepared.data }); },
      next: async () => {},
    },
    notify: { subscribe: ["row.added"], prepare: async () => ({ reservations: [] }) },
  },
};
"#;

/// One line per problem, and one for its hint.
async fn problems(source: &str) -> String {
    let problems = sandbox().check(script(source), "UTC").await.err().unwrap_or_default();
    let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    let lines = problems.iter().map(|problem| {
        let hint = problem.hint.as_ref().map(|hint| format!("  {hint}\n")).unwrap_or_default();
        let (line, column) = (number(problem.line), number(problem.column));
        assert!(Rule::find(&problem.code).is_some(), "no rule explains `{}`", problem.code);
        format!("{} {line}:{column} {}\n{hint}", problem.code, problem.message)
    });
    lines.collect()
}

/// The problems of each source under its title.
async fn table(rows: impl Iterator<Item = (String, String)>) -> String {
    let mut table = String::new();
    for (title, source) in rows {
        table += &format!("{title}\n");
        for line in problems(&source).await.lines() {
            table += &format!("  {line}\n");
        }
    }
    table
}

/// Compares the problems of whole scripts.
async fn check(sources: &[&str], expected: Expect) {
    let rows = sources.iter().map(|source| ((*source).to_owned(), (*source).to_owned()));
    expected.assert_eq(&table(rows).await);
}

/// Compares the problems of the right workflow with one thing changed.
async fn check_changes(changes: &[(&str, &str)], expected: Expect) {
    let rows = changes.iter().map(|(from, to)| {
        assert!(RIGHT.contains(from), "{from}");
        let shown = if to.is_empty() { "nothing" } else { to };
        (format!("{from} -> {shown}"), RIGHT.replacen(from, to, 1))
    });
    expected.assert_eq(&table(rows).await);
}

/// Compares the problems of the right workflow with other bodies of `prepare`.
async fn check_prepare(bodies: &[&str], expected: Expect) {
    let rows = bodies.iter().map(|body| ((*body).to_owned(), with_prepare("", body)));
    expected.assert_eq(&table(rows).await);
}

/// Compares the problems of the right workflow with other bodies of `mutate`.
async fn check_mutate(bodies: &[&str], expected: Expect) {
    let rows = bodies.iter().map(|body| {
        let source = RIGHT.replacen("await Files.append({ line: prepared.data });", body, 1);
        ((*body).to_owned(), source)
    });
    expected.assert_eq(&table(rows).await);
}

/// The right workflow behind a declaration, with another body of `prepare`.
fn with_prepare(declaration: &str, body: &str) -> String {
    let prepare = format!("async () => {{\n{body}\n}}");
    format!("{declaration}\n{}", RIGHT.replacen("async () => ({ reservations: [] })", &prepare, 1))
}

#[tokio::test]
async fn a_right_workflow_gives_its_manifest() {
    let manifest = sandbox().check(script(RIGHT), "UTC").await.unwrap();

    expect![[r#"
        {
          "topics": [
            "mail.received",
            "row.added"
          ],
          "producers": {
            "poll": {
              "publishes": [
                "mail.received"
              ],
              "schedule": {
                "interval": "5m"
              }
            }
          },
          "consumers": {
            "notify": {
              "subscribe": [
                "row.added"
              ],
              "publishes": [],
              "has_mutate": false,
              "has_next": false,
              "on_failure": "park",
              "on_refusal": "fail"
            },
            "record": {
              "subscribe": [
                "mail.received"
              ],
              "publishes": [
                "row.added"
              ],
              "has_mutate": true,
              "has_next": true,
              "on_failure": "park",
              "on_refusal": "fail"
            }
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&manifest).unwrap());
}

#[tokio::test]
async fn the_declaration_may_be_written_in_any_way() {
    let source = r#"
        const RECEIVED = "mail" + ".received";
        const handler = async (state) => state;
        class Recorder { subscribe = [RECEIVED]; prepare = async () => ({ reservations: [] }); }
        var workflow;
        workflow = Object.freeze({
          topics: { [RECEIVED]: {} },
          producers: { "my poll-er": { publishes: [RECEIVED], schedule: { interval: "5m" }, handler } },
          consumers: { ...{ record: new Recorder() } },
        });
    "#;

    assert_eq!(problems(source).await, "");
}

#[tokio::test]
async fn a_script_that_cannot_be_read() {
    check(
        &[
            "const workflow = {\n  topics: {,\n};",
            "const Files = { append() {} };",
            "import fs from 'fs';",
        ],
        expect![[r#"
            const workflow = {
              topics: {,
            };
              syntax_error 2:12 SyntaxError: Unexpected token ','
            const Files = { append() {} };
              thrown 1:1 SyntaxError: Identifier 'Files' has already been declared
            import fs from 'fs';
              module_syntax 1:1 a script cannot import
                everything it needs is in this one file; tools such as `Files` are there without an import
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_script_without_a_workflow() {
    check(
        &[
            "const workflows = {};",
            "const workflow = [];",
            "const workflow = {};",
            "const workflow = { topics: {}, producers: {} };",
        ],
        expect![[r#"
            const workflows = {};
              no_workflow -:- the script declares no `workflow`
                write `const workflow = { topics: {}, producers: {}, consumers: {} };`
            const workflow = [];
              wrong_type 1:7 `workflow` is a list, not an object
            const workflow = {};
              missing 1:7 `topics` is missing
                write `topics: { "some.topic": {} }`
              no_handlers 1:7 the workflow has neither a producer nor a consumer
                declare at least one under `producers`
            const workflow = { topics: {}, producers: {} };
              no_handlers 1:7 the workflow has neither a producer nor a consumer
                declare at least one under `producers`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn an_error_while_the_file_is_evaluated() {
    check(
        &[
            "const a = {};\na.b.c = 1;\nconst workflow = {};",
            "throw { code: 1 };",
            "(async () => { await null; throw new Error('late'); })();",
            "for (;;) {}",
            "const workflow = { n: 10n };",
            "const workflow = { get topics() { throw new Error('got'); } };",
        ],
        expect![[r#"
            const a = {};
            a.b.c = 1;
            const workflow = {};
              thrown 2:7 TypeError: Cannot set properties of undefined (setting 'c')
            throw { code: 1 };
              thrown 1:1 thrown: {"code":1}
            (async () => { await null; throw new Error('late'); })();
              thrown 1:34 a promise that nobody awaits was rejected: Error: late
            for (;;) {}
              limit -:- the script takes too long: the limit is `limits.script.check_time_ms` = 2000
            const workflow = { n: 10n };
              thrown 1:7 `workflow` cannot be described: TypeError: Do not know how to serialize a BigInt
            const workflow = { get topics() { throw new Error('got'); } };
              thrown 1:35 `workflow` cannot be described: Error: got
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_tool_call_while_the_file_is_evaluated() {
    check(
        &[
            "const rows = Files.read({ path: 'a' });",
            "(async () => { await null; Files.read({}); })();",
            "const workflow = { get topics() { return Files.read({}); } };",
        ],
        expect![[r#"
            const rows = Files.read({ path: 'a' });
              unawaited_call 1:7 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                `rows` is never used: write `await` before the call
              tool_call_outside_handler 1:20 `Files.read` is called while the file is evaluated: call tools in handlers only
            (async () => { await null; Files.read({}); })();
              unawaited_call 1:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
              unawaited_call 1:28 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
              tool_call_outside_handler 1:34 `Files.read` is called while the file is evaluated: call tools in handlers only
            const workflow = { get topics() { return Files.read({}); } };
              tool_call_outside_handler 1:48 `Files.read` is called while the file is evaluated: call tools in handlers only
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_script_that_is_too_long() {
    expect![[r#"
          limit -:- the script is too long: the limit is `limits.script.source_bytes` = 200000
    "#]]
    .assert_eq(&problems(&" ".repeat(200_001)).await);
}

#[tokio::test]
async fn an_unknown_key() {
    check_changes(
        &[
            ("topics:", "topicz: {}, topics:"),
            ("handler:", "retries: 3, handler:"),
            ("prepare:", "prepares: 1, prepare:"),
            ("interval:", "every: '5m', interval:"),
        ],
        expect![[r#"
            topics: -> topicz: {}, topics:
              unknown_key 2:3 a workflow has no `topicz`
                did you mean `topics`?
            handler: -> retries: 3, handler:
              unknown_key 7:7 a producer has no `retries`
                a producer has only `publishes`, `schedule`, `handler`
            prepare: -> prepares: 1, prepare:
              unknown_key 14:7 a consumer has no `prepares`
                did you mean `prepare`?
            interval: -> every: '5m', interval:
              unknown_key 6:19 a schedule has no `every`
                a schedule has only `interval`, `cron`, `timezone`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn something_missing() {
    check_changes(
        &[
            (r#"topics: { "mail.received": {}, "row.added": {} },"#, ""),
            (r#"publishes: ["mail.received"],"#, ""),
            (r#"schedule: { interval: "5m" },"#, ""),
            ("handler: async (state) => state,", ""),
            (r#"subscribe: ["mail.received"],"#, ""),
            ("prepare: async () => ({ reservations: [] }),", ""),
            ("next: async () => {},", ""),
        ],
        expect![[r#"
            topics: { "mail.received": {}, "row.added": {} }, -> nothing
              missing 1:7 `topics` is missing
                write `topics: { "some.topic": {} }`
            publishes: ["mail.received"], -> nothing
              missing 4:5 `publishes` is missing
                write `publishes: ["some.topic"]`
              topic_without_publisher 12:19 nothing publishes to the topic `mail.received`
                add it to the `publishes` of a handler, or remove it here
            schedule: { interval: "5m" }, -> nothing
              missing 4:5 `schedule` is missing
                write `{ interval: "5m" }` or `{ cron: "0 9 * * 1-5", timezone: "Europe/Berlin" }`
            handler: async (state) => state, -> nothing
              missing 4:5 `handler` is missing
                write `handler: async (…) => { … }`
            subscribe: ["mail.received"], -> nothing
              topic_without_subscriber 5:19 no consumer subscribes to the topic `mail.received`
                add a consumer that subscribes to it, or remove it here
              missing 11:5 `subscribe` is missing
                write `subscribe: ["some.topic"]`
            prepare: async () => ({ reservations: [] }), -> nothing
              missing 11:5 `prepare` is missing
                write `prepare: async (…) => { … }`
            next: async () => {}, -> nothing
              publishes_without_next 13:7 `publishes` is declared, but there is no `next` that could publish
                add `next`, or remove `publishes`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn something_of_the_wrong_type() {
    check_changes(
        &[
            (r#""mail.received": {}"#, r#""mail.received": true"#),
            (r#"{ "mail.received": {}, "row.added": {} }"#, r#"["mail.received", "row.added"]"#),
            (r#"["mail.received"]"#, r#""mail.received""#),
            (r#"["mail.received"]"#, r#"["mail.received", 7, "mail.received"]"#),
            (r#"["mail.received"]"#, "[]"),
            (r#"{ interval: "5m" }"#, r#""5m""#),
            (r#"interval: "5m""#, "interval: 5"),
            ("async (state) => state", r#""handle""#),
            ("next: async () => {}", "next: null"),
            ("mutate: async (prepared)", "mutate: {}, unused: async (prepared)"),
            ("notify: {", "other: 1, notify: {"),
        ],
        expect![[r#"
            "mail.received": {} -> "mail.received": true
              wrong_type 2:13 what a topic is declared with is a boolean, not an object
                write `{}`
            { "mail.received": {}, "row.added": {} } -> ["mail.received", "row.added"]
              wrong_type 2:3 `topics` is a list, not an object
                write `{ "some.topic": {} }`
            ["mail.received"] -> "mail.received"
              wrong_type 5:7 `publishes` is a text, not a list of topics
                write `["some.topic"]`
              topic_without_publisher 12:19 nothing publishes to the topic `mail.received`
                add it to the `publishes` of a handler, or remove it here
            ["mail.received"] -> ["mail.received", 7, "mail.received"]
              wrong_type 5:36 a topic's name is a number, not a text
              duplicate 5:39 `mail.received` is named twice
            ["mail.received"] -> []
              empty 5:7 `publishes` names no topic
              topic_without_publisher 12:19 nothing publishes to the topic `mail.received`
                add it to the `publishes` of a handler, or remove it here
            { interval: "5m" } -> "5m"
              wrong_type 6:7 `schedule` is a text, not an object
                write `{ interval: "5m" }` or `{ cron: "0 9 * * 1-5", timezone: "Europe/Berlin" }`
            interval: "5m" -> interval: 5
              wrong_type 6:19 `interval` is a number, not a text
            async (state) => state -> "handle"
              wrong_type 7:7 `handler` is a text, not a function
            next: async () => {} -> next: null
              wrong_type 16:7 `next` is null, not a function
            mutate: async (prepared) -> mutate: {}, unused: async (prepared)
              wrong_type 15:7 `mutate` is an object, not a function
              unknown_key 15:19 a consumer has no `unused`
                a consumer has only `subscribe`, `publishes`, `onFailure`, `refused`, `prepare`, `mutate`, `next`
            notify: { -> other: 1, notify: {
              wrong_type 18:5 `other` is a number, not an object
                write `{ … }`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_schedule_that_cannot_be() {
    check_changes(
        &[
            (r#"interval: "5m""#, r#"interval: "5 minutes""#),
            (r#"interval: "5m""#, r#"cron: "every morning""#),
            (r#"interval: "5m""#, r#"cron: "0 9 * * *", timezone: "Berlin""#),
            (r#"interval: "5m""#, r#"cron: "0 9 * * *", interval: "5m""#),
            (r#"interval: "5m""#, r#"interval: "5m", timezone: "UTC""#),
            (r#"interval: "5m""#, ""),
            (r#"interval: "5m""#, r#"cron: "0 9 * * 1-5", timezone: "Europe/Berlin""#),
        ],
        expect![[r#"
            interval: "5m" -> interval: "5 minutes"
              bad_schedule 6:19 `5 minutes` is no interval: write a whole number and s, m, h or d, for example `5m`
            interval: "5m" -> cron: "every morning"
              bad_schedule 6:19 `every morning` is no cron expression: Pattern must have 5 fields when seconds are disallowed; write five fields, for example `0 9 * * 1-5`
            interval: "5m" -> cron: "0 9 * * *", timezone: "Berlin"
              bad_schedule 6:38 `Berlin` is no time zone: write an IANA name, for example `Europe/Berlin`
            interval: "5m" -> cron: "0 9 * * *", interval: "5m"
              bad_schedule 6:7 a schedule has an interval or a cron expression, not both
                write `{ interval: "5m" }` or `{ cron: "0 9 * * 1-5", timezone: "Europe/Berlin" }`
            interval: "5m" -> interval: "5m", timezone: "UTC"
              bad_schedule 6:7 `timezone` has no meaning for an interval
                remove it
            interval: "5m" -> nothing
              bad_schedule 6:7 a schedule has an interval or a cron expression
                write `{ interval: "5m" }` or `{ cron: "0 9 * * 1-5", timezone: "Europe/Berlin" }`
            interval: "5m" -> cron: "0 9 * * 1-5", timezone: "Europe/Berlin"
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_name_that_is_none() {
    let long = format!("{}:", "x".repeat(201));

    expect![[r#"
          bad_name 4:5 the name of a handler is empty
    "#]]
    .assert_eq(&problems(&RIGHT.replacen("poll:", "' ':", 1)).await);
    expect![[r#"
          bad_name 4:5 the name of a handler is longer than 200 characters
    "#]]
    .assert_eq(&problems(&RIGHT.replacen("poll:", &long, 1)).await);
}

#[tokio::test]
async fn topics_that_do_not_fit_together() {
    check_changes(
        &[
            (r#"publishes: ["mail.received"]"#, r#"publishes: ["mail.recieved"]"#),
            (r#"notify: { subscribe: ["row.added"], prepare: async () => ({ reservations: [] }) },"#, ""),
            (r#"publishes: ["row.added"],"#, ""),
            (r#"subscribe: ["row.added"]"#, r#"subscribe: ["mail.received", "row.added"]"#),
            (r#"publishes: ["row.added"]"#, r#"publishes: ["row.added", "mail.received"]"#),
            ("poll: {", r#"other: { publishes: ["mail.received"], schedule: { interval: "1h" }, handler() {} }, poll: {"#),
        ],
        expect![[r#"
            publishes: ["mail.received"] -> publishes: ["mail.recieved"]
              undeclared_topic 5:19 the topic `mail.recieved` is not declared in `topics`
                did you mean `mail.received`?
              topic_without_publisher 12:19 nothing publishes to the topic `mail.received`
                add it to the `publishes` of a handler, or remove it here
            notify: { subscribe: ["row.added"], prepare: async () => ({ reservations: [] }) }, -> nothing
              topic_without_subscriber 13:19 no consumer subscribes to the topic `row.added`
                add a consumer that subscribes to it, or remove it here
            publishes: ["row.added"], -> nothing
              topic_without_publisher 18:27 nothing publishes to the topic `row.added`
                add it to the `publishes` of a handler, or remove it here
            subscribe: ["row.added"] -> subscribe: ["mail.received", "row.added"]
              topic_with_two_consumers 18:27 the topic `mail.received` is already subscribed to by the consumer `record`
                give each consumer a topic of its own, and publish to both
            publishes: ["row.added"] -> publishes: ["row.added", "mail.received"]
              own_topic 13:32 the consumer `record` publishes to the topic `mail.received`, which it subscribes to itself
                publish to another topic, or come back with `wakeAt`
            poll: { -> other: { publishes: ["mail.received"], schedule: { interval: "1h" }, handler() {} }, poll: {
              topic_with_two_producers 5:19 the topic `mail.received` is already published by the producer `other`
                let one producer publish it, or give each of them a topic of its own
        "#]],
    )
    .await;
}

#[tokio::test]
async fn all_problems_at_once_in_the_order_of_the_file() {
    let source = r#"let count = 0;
const workflow = {
  topics: { a: {}, "": {} },
  producers: {
    poll: { publish: ["a"], schedule: { interval: "soon" }, handler: async () => { count++; } },
  },
  consumers: {
    use: {
      subscribe: ["b"],
      prepare: async () => { try { await Files.read({}); } catch {} },
      mutate: async () => { await Files.append({}); console.log("done"); },
    },
  },
};
"#;

    expect![[r#"
          mutable_global 1:5 `count` is declared with `let` at the top level
            write `const`; every call evaluates the file anew: return what has to last as the handler's state
          bad_name 3:20 the name of a topic is empty
          missing 5:5 `publishes` is missing
            write `publishes: ["some.topic"]`
          unknown_key 5:13 a producer has no `publish`
            did you mean `publishes`?
          bad_schedule 5:41 `soon` is no interval: write a whole number and s, m, h or d, for example `5m`
          undeclared_topic 9:19 the topic `b` is not declared in `topics`
            add `"b": {}` to `topics`
          tool_call_in_try 10:42 an error of `Files.read` cannot be caught: it ends the script
            call it outside of `try` and without `catch`; Windlass deals with the failure
          code_after_mutation 11:53 this never runs: `Files.append` ends `mutate`
            do it before the call, or in `next`
    "#]].assert_eq(&problems(source).await);
}

#[tokio::test]
async fn a_place_behind_names_and_spreads() {
    let source = r#"const NAME = "record";
const schedule = { interval: "never" };
const consumer = {
  subscribe: ["a", "nowhere"],
  prepare() {},
};
const producers = { poll: { publishes: ["a"], schedule, handler() {} } };
const workflow = { topics: { a: {} }, producers, consumers: { [NAME]: { ...consumer, nxt: 1 } } };
"#;

    expect![[r#"
          bad_schedule 2:20 `never` is no interval: write a whole number and s, m, h or d, for example `5m`
          undeclared_topic 4:20 the topic `nowhere` is not declared in `topics`
            add `"nowhere": {}` to `topics`
          unknown_key 8:86 a consumer has no `nxt`
            did you mean `next`?
    "#]].assert_eq(&problems(source).await);
}

#[tokio::test]
async fn a_place_that_cannot_be_followed_is_the_nearest_around_it() {
    let source = r#"const make = () => ({ publishes: [], schedule: { interval: "5m" }, handler() {} });
const workflow = { topics: {}, producers: { poll: make() } };
"#;

    expect![[r#"
          empty 2:45 `publishes` names no topic
    "#]]
    .assert_eq(&problems(source).await);
}

#[tokio::test]
async fn errors_of_tools_cannot_be_caught() {
    check_prepare(
        &[
            "try { return await Files.read({}); } catch { return 1; }",
            "try { [1].map(() => Files.read({})); } finally {}",
            "return Files.read({}).catch(() => 1);",
            "return (await Files.read({}).then((a) => a, () => 1));",
        ],
        expect![[r#"
            try { return await Files.read({}); } catch { return 1; }
              tool_call_in_try 16:20 an error of `Files.read` cannot be caught: it ends the script
                call it outside of `try` and without `catch`; Windlass deals with the failure
            try { [1].map(() => Files.read({})); } finally {}
              unawaited_call 16:7 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await Promise.all(…)` around it
              tool_call_in_try 16:21 an error of `Files.read` cannot be caught: it ends the script
                call it outside of `try` and without `catch`; Windlass deals with the failure
            return Files.read({}).catch(() => 1);
              tool_call_in_try 16:8 an error of `Files.read` cannot be caught: it ends the script
                call it outside of `try` and without `catch`; Windlass deals with the failure
            return (await Files.read({}).then((a) => a, () => 1));
              tool_call_in_try 16:15 an error of `Files.read` cannot be caught: it ends the script
                call it outside of `try` and without `catch`; Windlass deals with the failure
        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_no_tool_call_may_be_tried() {
    let harmless = [
        "try { JSON.parse('{'); } catch { console.log('no JSON'); }",
        "try { JSON.parse('{'); } catch { return await Files.read({}); }",
        "try { JSON.parse('{'); } finally { await Files.read({}); }",
        "const Files = { read() {} }; try { Files.read(); } catch {}",
        "return Files.read({}).then((a) => a);",
    ];

    for body in harmless {
        assert_eq!(problems(&with_prepare("", body)).await, "", "{body}");
    }
}

#[tokio::test]
async fn code_after_the_mutation_never_runs() {
    check_mutate(
        &[
            "await Files.append({});\nconsole.log('done');",
            "if (prepared.data) { await Files.append({}); await Files.append({}); }",
            "await Files.append({}); return await Files.append({});",
            "for (const row of prepared.data) { await Files.append({ row }); }",
            "for (const row of prepared.data) await Files.append({ row });",
        ],
        expect![[r#"
            await Files.append({});
            console.log('done');
              code_after_mutation 16:1 this never runs: `Files.append` ends `mutate`
                do it before the call, or in `next`
            if (prepared.data) { await Files.append({}); await Files.append({}); }
              code_after_mutation 15:82 this never runs: `Files.append` ends `mutate`
                do it before the call, or in `next`
            await Files.append({}); return await Files.append({});
              code_after_mutation 15:61 this never runs: `Files.append` ends `mutate`
                do it before the call, or in `next`
            for (const row of prepared.data) { await Files.append({ row }); }
              mutation_in_loop 15:72 this loop runs only once: `Files.append` ends `mutate`
                reserve one event per run: each run makes one mutation
            for (const row of prepared.data) await Files.append({ row });
              mutation_in_loop 15:70 this loop runs only once: `Files.append` ends `mutate`
                reserve one event per run: each run makes one mutation
        "#]],
    )
    .await;
}

#[tokio::test]
async fn code_that_may_run_is_no_code_after_the_mutation() {
    check_mutate(
        &[
            "const r = await Files.append({}); return r.id;",
            "if (prepared.data) { await Files.append({}); } console.log('nothing to do');",
            "if (prepared.data) { await Files.append({}); return; } console.log('nothing to do');",
            "for (const row of prepared.data) { if (row) { await Files.append({}); } }",
            "for (const row of prepared.data) { await Files.append({}); break; }",
            "prepared.data && await Files.append({}); console.log('nothing to do');",
            "const later = () => Files.append({}); console.log('first'); await later();",
        ],
        expect![[r#"
            const r = await Files.append({}); return r.id;
            if (prepared.data) { await Files.append({}); } console.log('nothing to do');
            if (prepared.data) { await Files.append({}); return; } console.log('nothing to do');
            for (const row of prepared.data) { if (row) { await Files.append({}); } }
            for (const row of prepared.data) { await Files.append({}); break; }
            prepared.data && await Files.append({}); console.log('nothing to do');
            const later = () => Files.append({}); console.log('first'); await later();
        "#]],
    )
    .await;
}

#[tokio::test]
async fn code_after_the_mutation_is_found_behind_a_name() {
    let source = format!(
        "async function mutate() {{\n  await Files.append({{}});\n  console.log(1);\n}}\n{}",
        RIGHT.replacen(
            "mutate: async (prepared) => { await Files.append({ line: prepared.data }); }",
            "mutate",
            1
        )
    );

    expect![[r#"
          code_after_mutation 3:3 this never runs: `Files.append` ends `mutate`
            do it before the call, or in `next`
    "#]]
    .assert_eq(&problems(&source).await);
}

#[tokio::test]
async fn state_at_the_top_level_does_not_last() {
    let changes = [
        ("let count = 0;", "count += 1;"),
        ("var last;", "last = 1;"),
        ("const seen = [];", "seen.push(1);"),
        ("const seen = new Set();", "seen.add(1);"),
        ("const cache = new Map();", "cache.set('a', 1);"),
        ("const cache = {};", "cache['a'] = 1;"),
        ("const cache = { rows: [] };", "cache.rows.push(1);"),
        ("const cache = { n: 0 };", "cache.n++;"),
        ("const cache = { n: 0 };", "delete cache.n;"),
        ("const cache = {};", "Object.assign(cache, { n: 1 });"),
    ];
    let rows = changes.iter().map(|(declaration, change)| {
        (format!("{declaration} {change}"), with_prepare(declaration, change))
    });

    expect![[r#"
        let count = 0; count += 1;
          mutable_global 1:5 `count` is declared with `let` at the top level
            write `const`; every call evaluates the file anew: return what has to last as the handler's state
        var last; last = 1;
          mutable_global 1:5 `last` is declared with `var` at the top level
            write `const`; every call evaluates the file anew: return what has to last as the handler's state
        const seen = []; seen.push(1);
          mutable_global 16:1 `seen` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
        const seen = new Set(); seen.add(1);
          mutable_global 16:1 `seen` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
        const cache = new Map(); cache.set('a', 1);
          mutable_global 16:1 `cache` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
        const cache = {}; cache['a'] = 1;
          mutable_global 16:1 `cache` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
        const cache = { rows: [] }; cache.rows.push(1);
          mutable_global 16:1 `cache` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
        const cache = { n: 0 }; cache.n++;
          mutable_global 16:1 `cache` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
        const cache = { n: 0 }; delete cache.n;
          mutable_global 16:1 `cache` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
        const cache = {}; Object.assign(cache, { n: 1 });
          mutable_global 16:1 `cache` is declared at the top level and changed in a function
            every call evaluates the file anew: return what has to last as the handler's state
    "#]].assert_eq(&table(rows).await);
}

#[tokio::test]
async fn what_only_looks_like_shared_state_is_let_through() {
    let harmless = [
        ("const LIMIT = 100;", "return LIMIT + 1;"),
        ("const RATES = { EUR: 1 };", "return RATES.EUR;"),
        ("const names = ['a']; names.push('b');", "return names.length;"),
        ("const rows = [];", "const rows = []; rows.push(1); return rows;"),
        ("const rows = [];", "return [1].map((rows) => [rows].push(rows));"),
        ("const sum = { add(a, b) { return a + b; } };", "return sum.add(1, 2);"),
        ("function helper() { const list = []; list.push(1); return list; }", "return helper();"),
        ("const list = [3, 1];", "return [...list].sort();"),
    ];

    for (declaration, body) in harmless {
        assert_eq!(problems(&with_prepare(declaration, body)).await, "", "{declaration} {body}");
    }
}

#[tokio::test]
async fn deep_nesting_is_survived() {
    let chain = format!("const n = {};\n{RIGHT}", vec!["1"; 40_000].join("+"));
    let nested = format!("const n = {}1{};\n{RIGHT}", "(".repeat(50_000), ")".repeat(50_000));

    assert_eq!(problems(&chain).await, "");
    expect![[r#"
          limit -:- RangeError: Maximum call stack size exceeded: the limit is `limits.script.stack_kib` = 512
    "#]].assert_eq(&problems(&nested).await);
}

#[tokio::test]
async fn a_next_that_takes_a_result_for_granted_is_warned_of() {
    let nexts = [
        "async (prepared, outcome) => ({ id: outcome.result.id })",
        "async (prepared, outcome) => ({ id: outcome.result['id'] })",
        "async (prepared, { result }) => ({ id: result.id })",
        "async (prepared, { result: made }) => { const id = made.id; return { id }; }",
        "async (prepared, { result: { id } }) => ({ id })",
        "async function (prepared, outcome) { return { id: outcome.result.id }; }",
    ];
    for next in nexts {
        let advice = advice(next).await;
        assert_eq!(advice.len(), 1, "{next}");
        assert_eq!(
            (advice[0].code.as_ref(), advice[0].line),
            ("unchecked_result", Some(16)),
            "{next}"
        );
    }
}

#[tokio::test]
async fn a_next_that_looks_first_is_let_be() {
    let nexts = [
        "async () => {}",
        "async (prepared) => ({ id: prepared.result.id })",
        "async (prepared, outcome) => outcome.status === 'applied' ? { id: outcome.result.id } : {}",
        "async (prepared, { status, result }) => status === 'applied' ? { id: result.id } : {}",
        "async (prepared, outcome) => ({ id: outcome.result?.id })",
        "async (prepared, { result }) => { if (result) return { id: result.id }; }",
        "async (prepared, { result = {} }) => ({ id: result.id })",
        "async (prepared, outcome) => ({ last: outcome.result })",
        "async (prepared, outcome) => ({ last: outcome })",
    ];
    for next in nexts {
        assert_eq!(advice(next).await, [], "{next}");
    }
}

async fn advice(next: &str) -> Vec<windlass_core::Problem> {
    let script = script(&RIGHT.replacen("async () => {}", next, 1));
    sandbox().check(script.clone(), "UTC").await.unwrap();
    sandbox().advise(script).await
}

#[tokio::test]
async fn promises_that_are_thrown_away() {
    check_prepare(
        &[
            "Files.read({}); return { reservations: [] };",
            "void Files.read({}); return { reservations: [] };",
            "Files.read({}).then((it) => it.text); return { reservations: [] };",
            "[1].forEach(async (n) => { await Files.read({ n }); }); return { reservations: [] };",
            "[1].forEach((n) => Files.read({ n })); return { reservations: [] };",
            "[1].map(async (n) => { await Files.read({ n }); }); return { reservations: [] };",
            "Promise.all([1].map((n) => Files.read({ n }))); return { reservations: [] };",
            "const kept = [1].filter(async (n) => (await Files.read({ n })).ok); return { reservations: kept };",
        ],
        expect![[r#"
            Files.read({}); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
            void Files.read({}); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
            Files.read({}).then((it) => it.text); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
            [1].forEach(async (n) => { await Files.read({ n }); }); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                `forEach` waits for no promise: write `for (const item of items) { … await … }`, or `await Promise.all(items.map(async (item) => …))`
            [1].forEach((n) => Files.read({ n })); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                `forEach` waits for no promise: write `for (const item of items) { … await … }`, or `await Promise.all(items.map(async (item) => …))`
            [1].map(async (n) => { await Files.read({ n }); }); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await Promise.all(…)` around it
            Promise.all([1].map((n) => Files.read({ n }))); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
            const kept = [1].filter(async (n) => (await Files.read({ n })).ok); return { reservations: kept };
              unawaited_call 16:14 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                `filter` waits for no promise: write `for (const item of items) { … await … }`, or `await Promise.all(items.map(async (item) => …))`
        "#]],
    )
    .await;
}

#[tokio::test]
async fn promises_of_functions_that_are_thrown_away() {
    check_prepare(
        &[
            "const load = async (n) => { await Files.read({ n }); };\nload(1); return { reservations: [] };",
            "const load = async (n) => { await read(n); };\nconst read = (n) => Files.read({ n });\nload(1);\nread(2);",
            "(async () => { await Files.read({}); })(); return { reservations: [] };",
            "const never = Files.read({}); return { reservations: [] };",
            "true && Files.read({}); true ? Files.read({}) : 0; Files.read({}), 1;",
        ],
        expect![[r#"
            const load = async (n) => { await Files.read({ n }); };
            load(1); return { reservations: [] };
              unawaited_call 17:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
            const load = async (n) => { await read(n); };
            const read = (n) => Files.read({ n });
            load(1);
            read(2);
              unawaited_call 18:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
              unawaited_call 19:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
            (async () => { await Files.read({}); })(); return { reservations: [] };
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
            const never = Files.read({}); return { reservations: [] };
              unawaited_call 16:7 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                `never` is never used: write `await` before the call
            true && Files.read({}); true ? Files.read({}) : 0; Files.read({}), 1;
              unawaited_call 16:1 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
              unawaited_call 16:25 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
              unawaited_call 16:52 nobody awaits this, which calls `Files.read`: the handler may return before the answer is there, and then fails
                write `await` before it, in an async function
        "#]],
    )
    .await;
}

#[tokio::test]
async fn promises_that_are_kept() {
    check_prepare(
        &[
            "await Files.read({});",
            "return Files.read({});",
            "const all = [];\nall.push(Files.read({}));\nawait Promise.all(all);",
            "const read = (n) => Files.read({ n });\nawait read(1);",
            "const all = [1].map(async (n) => Files.read({ n }));\nreturn Promise.all(all);",
            "for (const n of [1]) await Files.read({ n });",
            "const a = async () => { await null; };\na();",
            "const once = () => [1].map(once);\nonce();",
            "const ping = () => pong();\nconst pong = () => ping();\nping();",
            "[1].forEach((n) => console.log(n));",
            "const Files = { read() {} };\nFiles.read();",
            "const later = (Files) => { Files.read({}); };\nlater({ read() {} });",
        ],
        expect![[r#"
            await Files.read({});
            return Files.read({});
            const all = [];
            all.push(Files.read({}));
            await Promise.all(all);
            const read = (n) => Files.read({ n });
            await read(1);
            const all = [1].map(async (n) => Files.read({ n }));
            return Promise.all(all);
            for (const n of [1]) await Files.read({ n });
            const a = async () => { await null; };
            a();
            const once = () => [1].map(once);
            once();
            const ping = () => pong();
            const pong = () => ping();
            ping();
            [1].forEach((n) => console.log(n));
            const Files = { read() {} };
            Files.read();
            const later = (Files) => { Files.read({}); };
            later({ read() {} });
        "#]],
    )
    .await;
    check_mutate(
        &[
            "Files.append({});",
            "const { data } = prepared; add();\nfunction add() { Files.append({}); }",
        ],
        expect![[r#"
            Files.append({});
            const { data } = prepared; add();
            function add() { Files.append({}); }
        "#]],
    )
    .await;
    let publishing = RIGHT.replacen(
        "next: async () => {}",
        "next: async () => { [1].forEach(async (n) => Topics.publish({ n })); }",
        1,
    );
    assert_eq!(problems(&publishing).await, "");
}

#[tokio::test]
async fn a_check_shows_the_first_problems_and_is_over_soon() {
    let many: String = (0..5_000).map(|n| format!("let a{n} = 1;\n")).collect();

    let found = problems(&format!("{many}{RIGHT}")).await;

    let lines: Vec<_> = found.lines().filter(|line| !line.starts_with("  ")).collect();
    assert_eq!(lines.len(), 101);
    assert_eq!(lines[100], "more_problems -:- there are more problems: only 100 are shown");
}

#[tokio::test]
async fn many_problems_of_the_declaration_are_shown_in_part_as_well() {
    let topics = "subscribe: Array.from({ length: 500 }, (_, n) => `t${n}`)";

    let found = problems(&RIGHT.replacen("subscribe: [\"row.added\"]", topics, 1)).await;

    let lines: Vec<_> = found.lines().filter(|line| !line.starts_with("  ")).collect();
    assert_eq!(lines.len(), 101);
    assert_eq!(lines[100], "more_problems -:- there are more problems: only 100 are shown");
}

#[tokio::test]
async fn nested_spreads_are_searched_once() {
    let mut spreads = "const a0 = {};\n".to_owned();
    for n in 1..31 {
        let one = format!("...a{}", n - 1);
        spreads += &format!("const a{n} = {{{one}, {one}, {one}}};\n");
    }
    let workflow = "const workflow = { ...a30, producers: {} };";

    expect![[r#"
        missing 32:7 `topics` is missing
          write `topics: { "some.topic": {} }`
        no_handlers 32:7 the workflow has neither a producer nor a consumer
          declare at least one under `producers`
    "#]]
    .assert_eq(&problems(&format!("{spreads}{workflow}")).await);
}

#[tokio::test]
async fn a_script_that_takes_too_many_steps_is_refused() {
    let limits = ScriptLimits { check_steps: 20, ..limits() };

    let problems = sandbox_with(limits, 1).check(script(RIGHT), "UTC").await.unwrap_err();

    let found: Vec<_> = problems.iter().map(|it| (&*it.code, &*it.message)).collect();
    let message =
        "the script is too long or too intricate: the limit is `limits.script.check_steps` = 20";
    assert_eq!(found, [("limit", message)]);
}
