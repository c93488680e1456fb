//! What a call takes and gives, and what a script finds around it.

use std::sync::Arc;

use serde_json::{Value, json};
use windlass_core::{LogLevel, ScriptLimits, ScriptPhase};
use windlass_sandbox::{Call, Ending, Report};

use crate::support::{
    World, call_in, call_of, limits, prepare, returned, run, run_in, sandbox, sandbox_with,
};

async fn result_of(body: &str) -> Value {
    returned(&run(&sandbox(), prepare(body)).await)
}

fn message_of(report: &Report) -> &str {
    let Ending::Failed(failure) = &report.ending else { panic!("{:?}", report.ending) };
    &failure.message
}

#[tokio::test]
async fn a_handler_gets_its_arguments_and_gives_its_result() {
    let result = result_of("return { got: state, text: 'ä', list: [1, 2.5, null, true] };").await;

    assert_eq!(result, json!({"got": {"n": 1}, "text": "ä", "list": [1, 2.5, null, true]}));
}

#[tokio::test]
async fn a_handler_need_not_be_async_nor_return_anything() {
    let sandbox = sandbox();

    let sync = run(&sandbox, call_of(ScriptPhase::Producer, "(state) => state.n + 1")).await;
    let nothing = run(&sandbox, call_of(ScriptPhase::Producer, "() => {}")).await;
    let null = run(&sandbox, call_of(ScriptPhase::Producer, "() => null")).await;

    assert_eq!(sync.ending, Ending::Returned(Some(json!(2))));
    assert_eq!(nothing.ending, Ending::Returned(None));
    assert_eq!(null.ending, Ending::Returned(Some(Value::Null)));
}

#[tokio::test]
async fn a_handler_may_have_any_name_and_only_a_name_of_its_own() {
    let source = r#"const workflow = { consumers: {
        "add-row ✓": { prepare() { return this.note; }, note: "own" },
        __proto__: { inherited: { prepare() { return 1; } } },
    } };"#;
    let sandbox = sandbox();
    let call =
        |handler: &str| Call { handler: handler.into(), ..call_in(ScriptPhase::Prepare, source) };

    let own = run(&sandbox, call("add-row ✓")).await;
    assert_eq!(returned(&own), json!("own"));
    for name in ["inherited", "toString", "__proto__", "missing", ""] {
        let report = run(&sandbox, call(name)).await;
        let expected = format!("the script has no function `prepare` of a consumer `{name}`");
        assert_eq!(message_of(&report), expected);
    }
}

#[tokio::test]
async fn a_workflow_may_be_declared_in_any_way() {
    for declaration in
        ["const workflow =", "let workflow =", "var workflow =", "globalThis.workflow ="]
    {
        let source =
            format!("{declaration} {{ producers: {{ record: {{ handler: () => 7 }} }} }};");

        let report = run(&sandbox(), call_in(ScriptPhase::Producer, &source)).await;

        assert_eq!(returned(&report), json!(7), "{declaration}");
    }
}

#[tokio::test]
async fn reads_are_answered_whether_at_once_or_later() {
    let world = Arc::new(World::default());
    world.gate.give();
    let body = "const [now, later] = await Promise.all([Files.read({ a: 1 }), Files.readSlowly({ b: 2 })]);
        return { now, later, empty: await Files.read() };";

    let report = run_in(&sandbox(), prepare(body), &world).await;

    let expected =
        json!({"now": {"echo": {"a": 1}}, "later": {"slow": {"b": 2}}, "empty": {"echo": {}}});
    assert_eq!(returned(&report), expected);
    assert_eq!(world.asked(), ["Files.read", "Files.readSlowly", "Files.read"]);
}

#[tokio::test]
async fn a_read_within_the_input_of_another_gets_an_answer_of_its_own() {
    let world = Arc::new(World::default());
    world.gate.give();
    world.gate.give();
    let body = "let inner;
        const outer = Files.readSlowly({ get n() { inner = Files.readSlowly({ n: 1 }); return 2; } });
        return [(await inner).slow.n, (await outer).slow.n];";

    let report = run_in(&sandbox(), prepare(body), &world).await;

    assert_eq!(returned(&report), json!([1, 2]));
}

#[tokio::test]
async fn many_slow_reads_are_awaited_at_once() {
    let world = Arc::new(World::default());
    let body = "const all = [1, 2, 3, 4, 5].map((n) => Files.readSlowly({ n }));
        return (await Promise.all(all)).map((one) => one.slow.n);";
    let sandbox = sandbox();
    let call = run_in(&sandbox, prepare(body), &world);

    let (report, ()) = tokio::join!(call, async {
        for _ in 0..5 {
            world.waiting.taken().await;
        }
        for _ in 0..5 {
            world.gate.give();
        }
    });

    assert_eq!(returned(&report), json!([1, 2, 3, 4, 5]));
}

#[tokio::test]
async fn nothing_is_lost_in_silence_on_the_way_to_json() {
    let body = "return [new Map([['a', new Set([1])]]), new Date(0), new Uint8Array(2), 1e21, -0,
        'half a \\ud83d', { ['__proto__']: 1 }, 'whole \\ud83d\\ude00'];";

    let expected = json!([{"a": [1]}, "1970-01-01T00:00:00.000Z", [0, 0], 1e21, 0, "half a \u{fffd}",
        {"__proto__": 1}, "whole 😀"]);
    assert_eq!(result_of(body).await, expected);
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let refused = [
        ("return { f() {} };", "TypeError: `f` is a function"),
        ("return () => 1;", "TypeError: it is a function"),
        ("return { n: 1n };", "TypeError: Do not know how to serialize a BigInt"),
        ("return Symbol('s');", "a symbol is no JSON"),
        ("return { get x() { throw new Error('no'); } };", "Error: no"),
    ];
    for (body, reason) in refused {
        let report = run(&sandbox(), prepare(body)).await;

        assert_eq!(message_of(&report), format!("the result cannot be kept: {reason}"), "{body}");
    }
}

#[tokio::test]
async fn a_call_of_a_tool_takes_one_object() {
    for call in [
        "Files.read('a')",
        "Files.read(1, 2)",
        "Files.read([])",
        "Files.read(null)",
        "Files.read({}, {})",
    ] {
        let world = Arc::new(World::default());

        let report = run_in(&sandbox(), prepare(&format!("return {call};")), &world).await;

        let expected = "`Files.read` takes one object, for example `Files.read({…})`";
        assert_eq!(message_of(&report), expected, "{call}");
        assert!(world.asked().is_empty());
    }
}

#[tokio::test]
async fn nothing_ambient_is_there() {
    let body = "return ['Atomics', 'FinalizationRegistry', 'SharedArrayBuffer', 'Temporal', 'WeakRef', 'WebAssembly',
        'setTimeout', 'setInterval', 'queueMicrotask', 'fetch', 'require', 'process', 'performance', 'Deno', 'gc',
        'print', 'load', 'crypto'].filter((name) => name in globalThis);";

    assert_eq!(result_of(body).await, json!([]));
}

#[tokio::test]
async fn code_from_strings_is_refused() {
    let attempts = [
        "eval('1')",
        "new Function('return 1')()",
        "(() => 1).constructor('return 1')()",
        "(async () => 1).constructor('return 1')()",
        "(function* () {}).constructor('yield 1')()",
    ];
    for attempt in attempts {
        let report = run(&sandbox(), prepare(&format!("return {attempt};"))).await;

        let expected = "EvalError: Code generation from strings disallowed for this context";
        assert_eq!(message_of(&report), expected, "{attempt}");
    }
    let report = run(&sandbox(), prepare("return import('fs');")).await;
    assert_eq!(message_of(&report), "Error: Not supported");
}

#[tokio::test]
async fn time_and_chance_stay() {
    let body = "return [Date.now() > 1.7e12, Math.random() !== Math.random(), new Intl.NumberFormat('de').format(1.5)];";

    assert_eq!(result_of(body).await, json!([true, true, "1,5"]));
}

#[tokio::test]
async fn base64_is_decoded_as_browsers_do() {
    let body = "return [atob(' aGVs\\nbG8 '), atob('aGVsbG8='), atob('/+8='), atob('')];";
    assert_eq!(result_of(body).await, json!(["hello", "hello", "ÿï", ""]));

    let report = run(&sandbox(), prepare("return atob('ä');")).await;
    assert_eq!(message_of(&report), "Error: `atob` was given a text that is no Base64");
}

#[tokio::test]
async fn the_docs_of_a_name_or_a_prefix() {
    let result =
        result_of("return [getDocs('Files.read'), getDocs('Topics.p'), getDocs('nothing')];").await;

    let expected = json!([
        "Files.read\nWhat `read` does.\n\nFiles.readSlowly\nWhat `readSlowly` does.",
        "Topics.peek\nWhat `peek` does.\n\nTopics.publish\nWhat `publish` does.\n\nTopics.publishSlowly\nWhat `publishSlowly` does.",
        "",
    ]);
    assert_eq!(result, expected);
}

#[tokio::test]
async fn what_is_logged_is_kept_in_order_and_cropped() {
    let body = "console.log('a', 1, { b: [2n, undefined] }, () => 1, new Error('e'), null, new Map([[1, 2]]));
        console.warn('careful'); console.error('bad'); console.info('i'); console.debug('d');
        const round = {}; round.round = round; console.log(round);
        console.log('x'.repeat(200)); throw new Error('after all');";

    let report = run(&sandbox(), prepare(body)).await;

    let lines: Vec<_> =
        report.logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(lines[0].1, r#"a 1 {"b":["2n",null]} () => 1 Error: e null {"1":2}"#);
    assert_eq!(
        lines[1..5],
        [
            (LogLevel::Warn, "careful"),
            (LogLevel::Error, "bad"),
            (LogLevel::Log, "i"),
            (LogLevel::Debug, "d"),
        ]
    );
    assert!(lines[5].1.starts_with("[TypeError: Converting circular structure"), "{}", lines[5].1);
    assert_eq!(lines[6].1, format!("{}…", "x".repeat(100)));
}

#[tokio::test]
async fn lines_beyond_the_bytes_of_the_log_are_left_out_with_a_note() {
    let sandbox = sandbox_with(ScriptLimits { log_bytes: 25, ..limits() }, 1);
    let body = "for (let i = 0; i < 5; i++) console.log('1234567890');";

    let report = run(&sandbox, prepare(body)).await;

    let lines: Vec<_> = report.logs.iter().map(|line| line.message.as_str()).collect();
    let note = "3 line(s) left out: one call may log `limits.script.log_bytes` = 25";
    assert_eq!(lines, ["1234567890", "1234567890", note]);
    assert_eq!(report.ending, Ending::Returned(None));
}
