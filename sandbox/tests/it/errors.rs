//! Errors as their author sees them: class, message, place and line.

use expect_test::{Expect, expect};
use windlass_core::ScriptPhase;
use windlass_sandbox::Ending;

use crate::support::{call_in, prepare, run, sandbox};

/// The failures of `prepare` with these bodies.
async fn check(bodies: &[&str], expected: Expect) {
    let mut all = String::new();
    let sandbox = sandbox();
    for body in bodies {
        all += &crate::support::failure(&run(&sandbox, prepare(body)).await);
        all += "\n";
    }
    expected.assert_eq(&all);
}

#[tokio::test]
async fn errors_that_are_thrown() {
    check(
        &[
            "const rows = undefined;\n  return rows.length;",
            "missing();",
            "JSON.parse('{\"a\":');",
            "const parse = (text) => {\n  throw new TypeError(`no mail: ${text}`);\n};\n['a'].map(parse);",
            "class NoMail extends Error { name = 'NoMail'; }\nthrow new NoMail('gone');",
            "throw new Error('outer', { cause: new RangeError('inner', { cause: 'root' }) });",
        ],
        expect![[r#"
            logic: TypeError: Cannot read properties of undefined (reading 'length')
              at receipts.js:3:15
                return rows.length;

            logic: ReferenceError: missing is not defined
              at receipts.js:2:1
              missing();

            logic: SyntaxError: Unexpected end of JSON input
              at receipts.js:2:6
              JSON.parse('{"a":');

            logic: TypeError: no mail: a
              at receipts.js:3:9
                throw new TypeError(`no mail: ${text}`);

            logic: NoMail: gone
              at receipts.js:3:7
              throw new NoMail('gone');

            logic: Error: outer; caused by RangeError: inner; caused by root
              at receipts.js:2:7
              throw new Error('outer', { cause: new RangeError('inner', { cause: 'root' }) });

        "#]],
    )
    .await;
}

#[tokio::test]
async fn rejections() {
    check(
        &[
            "await null;\nthrow new Error('late');",
            "await Promise.reject(new Error('made here'));",
            "await new Promise((_, reject) =>\n  reject({ reason: 1 }));",
            "const fail = async () => { await null;\n  throw new Error('deep'); };\nawait Promise.all([fail(), 1]);",
            "const fail = async () => { throw new Error('not awaited'); };\nfail();\nreturn 1;",
        ],
        expect![[r#"
            logic: Error: late
              at receipts.js:3:7
              throw new Error('late');

            logic: Error: made here
              at receipts.js:2:22
              await Promise.reject(new Error('made here'));

            logic: thrown: {"reason":1}
              at receipts.js:4:1
              } } } };

            logic: Error: deep
              at receipts.js:3:9
                throw new Error('deep'); };

            logic: a promise that nobody awaits was rejected: Error: not awaited
              at receipts.js:2:34
              const fail = async () => { throw new Error('not awaited'); };

        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_is_thrown_and_is_no_error() {
    check(
        &[
            "throw 'text';",
            "throw { code: 5 };",
            "throw null;",
            "throw undefined;",
            "throw Object.create(null);",
            "throw Symbol('s');",
            "throw new Proxy({}, { get() { throw 1; } });",
            "await null; throw 'late text';",
        ],
        expect![[r#"
            logic: thrown: text
              at receipts.js:2:1
              throw 'text';

            logic: thrown: {"code":5}
              at receipts.js:2:1
              throw { code: 5 };

            logic: thrown: null
              at receipts.js:2:1
              throw null;

            logic: thrown: undefined
              at receipts.js:2:1
              throw undefined;

            logic: thrown: {}
              at receipts.js:2:1
              throw Object.create(null);

            logic: thrown: Symbol(s)
              at receipts.js:2:1
              throw Symbol('s');

            logic: thrown: #<Object>
              at receipts.js:2:1
              throw new Proxy({}, { get() { throw 1; } });

            logic: thrown: late text
              at receipts.js:2:13
              await null; throw 'late text';

        "#]],
    )
    .await;
}

#[tokio::test]
async fn errors_that_defend_themselves() {
    check(
        &[
            "const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 1; } }); throw e;",
            "const e = new Error('x'); Object.defineProperty(e, 'cause', { get() { throw 1; } }); throw e;",
            "const e = new Error('x'); e.cause = new Error('y', { cause: e }); throw e;",
            "const e = new Error('x'); e.stack = 'gone'; throw e;",
            "Error.stackTraceLimit = 0; throw new Error('no frames');",
            "Error.prepareStackTrace = () => { throw 1; }; throw new Error('prepared');",
        ],
        expect![[r#"
            logic: Error
              at receipts.js:2:11
              const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw 1; } }); throw e;

            logic: Error: x
              at receipts.js:2:11
              const e = new Error('x'); Object.defineProperty(e, 'cause', { get() { throw 1; } }); throw e;

            logic: Error: x; caused by Error: y; caused by Error: x; caused by Error: y; caused by Error: x
              at receipts.js:2:11
              const e = new Error('x'); e.cause = new Error('y', { cause: e }); throw e;

            logic: Error: x
              at receipts.js:2:11
              const e = new Error('x'); e.stack = 'gone'; throw e;

            logic: Error: no frames
              at receipts.js:2:34
              Error.stackTraceLimit = 0; throw new Error('no frames');

            logic: Error: prepared
              at receipts.js:2:53
              Error.prepareStackTrace = () => { throw 1; }; throw new Error('prepared');

        "#]],
    )
    .await;
}

#[tokio::test]
async fn what_the_host_refuses() {
    check(
        &[
            "const path = 'a';\n  await Files.append({ path });",
            "await Files.read('a');",
            "await Files.read({ n: 1n });",
            "await Files.read({\n  get a() { throw new Error('in a getter'); } });",
            "await Files.fail({});",
            "await null;\nawait Files.failSlowly({});",
            "await new Promise(() => {});",
            "return { f() {} };",
        ],
        expect![[r#"
            logic: `Files.append` changes the outside world, which `prepare` may not do: call it in `mutate`
              at receipts.js:3:15
                await Files.append({ path });

            logic: `Files.read` takes one object, for example `Files.read({…})`
              at receipts.js:2:13
              await Files.read('a');

            logic: the input of `Files.read` cannot be passed: TypeError: Do not know how to serialize a BigInt
              at receipts.js:2:13
              await Files.read({ n: 1n });

            logic: the input of `Files.read` cannot be passed: Error: in a getter
              at receipts.js:3:13
                get a() { throw new Error('in a getter'); } });

            network: the service did not answer
              at receipts.js:2:13
              await Files.fail({});

            network: the service did not answer in time
              at receipts.js:3:13
              await Files.failSlowly({});

            logic: the handler waits for a promise that nothing will ever settle
              at receipts.js:1:52
              const workflow = { consumers: { record: { prepare: async (state) => {

            logic: the result cannot be kept: TypeError: `f` is a function
              at receipts.js:1:52
              const workflow = { consumers: { record: { prepare: async (state) => {

        "#]],
    )
    .await;
}

#[tokio::test]
async fn errors_of_the_file() {
    let files = [
        "const workflow = {\n  consumers: {,\n};",
        "const a = 'open;\n",
        "const a = 1;\nconst a = 2;",
        "export const workflow = {};",
        "const a = {};\na.b.c = 1;",
        "const workflow = null;",
        "#!/usr/bin/env node\nthrow new Error('x');",
        "/* one */ /* two\u{2028} */ throw new Error('y');",
    ];
    let mut all = String::new();
    for file in files {
        all +=
            &crate::support::failure(&run(&sandbox(), call_in(ScriptPhase::Prepare, file)).await);
        all += "\n";
    }
    expect![[r#"
        logic: SyntaxError: Unexpected token ','
          at receipts.js:2:15
            consumers: {,

        logic: SyntaxError: Invalid or unexpected token
          at receipts.js:1:11
          const a = 'open;

        logic: SyntaxError: Identifier 'a' has already been declared
          at receipts.js:2:7
          const a = 2;

        logic: SyntaxError: Unexpected token 'export'
          at receipts.js:1:1
          export const workflow = {};

        logic: TypeError: Cannot set properties of undefined (setting 'c')
          at receipts.js:2:7
          a.b.c = 1;

        logic: the script has no function `prepare` of a consumer `record`

        logic: Error: x
          at receipts.js:2:1
          throw new Error('x');

        logic: Error: y
          at receipts.js:2:5
           */ throw new Error('y');

    "#]]
    .assert_eq(&all);
}

#[tokio::test]
async fn a_long_line_is_shown_around_the_column() {
    let body = format!("/*{}*/ throw new Error('x'); /*{}*/", "ä".repeat(300), "ö".repeat(300));

    let report = run(&sandbox(), prepare(&body)).await;

    let Ending::Failed(failure) = report.ending else { panic!("{:?}", report.ending) };
    let at = failure.at.unwrap();
    let line = at.source_line.unwrap();
    assert!(line.contains("throw new Error('x')") && line.chars().count() < 200, "{line}");
    assert_eq!((at.line, at.column), (2, 312));
}

#[tokio::test]
async fn a_script_that_is_known_under_another_name_is_shown_under_its_own() {
    let sandbox = sandbox();
    let mut call = prepare("throw new Error('x');");

    for name in ["first.js", "second.js"] {
        call.script.name = name.into();
        let report = run(&sandbox, call.clone()).await;

        let Ending::Failed(failure) = report.ending else { panic!("{:?}", report.ending) };
        assert_eq!(failure.at.unwrap().file, name);
    }
}

#[tokio::test]
async fn a_long_message_is_cropped() {
    let report = run(&sandbox(), prepare("throw new Error('x'.repeat(1 << 20));")).await;

    let Ending::Failed(failure) = report.ending else { panic!("{:?}", report.ending) };
    assert_eq!(failure.message.chars().count(), 2_000);
}
