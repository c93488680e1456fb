//! Handlers that return before their calls are answered: what they began is either finished or a failure, never dropped in silence.

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::json;
use windlass_core::ScriptPhase;

use crate::support::{World, call_of, failure, prepare, returned, run, run_in, sandbox};

async fn check(bodies: &[&str], expected: Expect) {
    let sandbox = sandbox();
    let mut all = String::new();
    for body in bodies {
        all += &failure(&run(&sandbox, prepare(body)).await);
    }
    expected.assert_eq(&all);
}

#[tokio::test]
async fn a_call_that_is_open_when_the_handler_returns_fails_it() {
    check(
        &[
            "Files.readSlowly({}); return 1;",
            "[1, 2, 3].forEach(async (n) => {\n  await Files.readSlowly({ n });\n}); return 1;",
            "const load = async () => { await null; await Files.readSlowly({}); };\nload(); return 1;",
            "Files.read({}).then(() => Files.readSlowly({}));",
            "await Promise.race([Files.read({}), Files.readSlowly({})]); return 1;",
            "Files.failSlowly({}); return 1;",
        ],
        expect![[r#"
            logic: the handler returned while its call of `Files.readSlowly` was still open: what follows the call was not done. Write `await` before it and before every async function on the way to it; several at once are awaited with `await Promise.all(items.map(async (item) => …))`, never with `forEach`
              at receipts.js:2:7
              Files.readSlowly({}); return 1;
            logic: the handler returned while its call of `Files.readSlowly` was still open (and 2 more calls): what follows the call was not done. Write `await` before it and before every async function on the way to it; several at once are awaited with `await Promise.all(items.map(async (item) => …))`, never with `forEach`
              at receipts.js:3:15
                await Files.readSlowly({ n });
            logic: the handler returned while its call of `Files.readSlowly` was still open: what follows the call was not done. Write `await` before it and before every async function on the way to it; several at once are awaited with `await Promise.all(items.map(async (item) => …))`, never with `forEach`
              at receipts.js:2:52
              const load = async () => { await null; await Files.readSlowly({}); };
            logic: the handler returned while its call of `Files.readSlowly` was still open: what follows the call was not done. Write `await` before it and before every async function on the way to it; several at once are awaited with `await Promise.all(items.map(async (item) => …))`, never with `forEach`
              at receipts.js:2:33
              Files.read({}).then(() => Files.readSlowly({}));
            logic: the handler returned while its call of `Files.readSlowly` was still open: what follows the call was not done. Write `await` before it and before every async function on the way to it; several at once are awaited with `await Promise.all(items.map(async (item) => …))`, never with `forEach`
              at receipts.js:2:43
              await Promise.race([Files.read({}), Files.readSlowly({})]); return 1;
            logic: the handler returned while its call of `Files.failSlowly` was still open: what follows the call was not done. Write `await` before it and before every async function on the way to it; several at once are awaited with `await Promise.all(items.map(async (item) => …))`, never with `forEach`
              at receipts.js:2:7
              Files.failSlowly({}); return 1;
        "#]],
    )
    .await;
}

#[tokio::test]
async fn a_publication_that_nobody_awaits_is_waited_for() {
    let world = Arc::new(World::default());
    let handler = "async () => { Topics.publishSlowly({ n: 1 }).then(() => Topics.publish({ n: 2 })); return 'done'; }";
    let sandbox = sandbox();
    let call = run_in(&sandbox, call_of(ScriptPhase::Producer, handler), &world);

    let (report, ()) = tokio::join!(call, async {
        world.waiting.taken().await;
        world.gate.give();
    });

    assert_eq!(returned(&report), json!("done"));
    assert_eq!(world.asked(), ["Topics.publishSlowly", "Topics.publish"]);
}

#[tokio::test]
async fn what_follows_a_publication_is_not_dropped_either() {
    let world = Arc::new(World::default());
    world.gate.give();
    let handler = "async () => {\n  Topics.publishSlowly({}).then(() => Files.readSlowly({}));\n}";

    let report = run_in(&sandbox(), call_of(ScriptPhase::Producer, handler), &world).await;

    let failure = failure(&report);
    assert!(failure.contains("its call of `Files.readSlowly` was still open"), "{failure}");
    assert!(failure.contains("at receipts.js:2:45"), "{failure}");
}

#[tokio::test]
async fn a_publication_that_fails_unawaited_fails_the_handler() {
    let handler = "async () => { Topics.publishSlowly({ bad: true }); return 1; }";
    let world = Arc::new(World::default());
    world.gate.give();

    let report = run_in(&sandbox(), call_of(ScriptPhase::Producer, handler), &world).await;

    assert!(failure(&report).contains("there is no such input"), "{:?}", report.ending);
}
