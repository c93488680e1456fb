//! What a call takes and gives.

use std::sync::Arc;

use expect_test::expect;
use serde_json::json;
use windlass_core::ScriptPhase;
use windlass_sandbox::Ending;

use crate::support::{World, call_of, failure, prepare, returned, run, run_in, sandbox};

#[tokio::test]
async fn a_handler_gets_its_arguments_and_gives_its_result() {
    let report = run(&sandbox(), prepare("return { got: state, text: 'ä' };")).await;

    assert_eq!(returned(&report), json!({"got": {"n": 1}, "text": "ä"}));
}

#[tokio::test]
async fn a_read_is_answered() {
    let world = Arc::new(World::default());

    let report =
        run_in(&sandbox(), prepare("return await Files.read({ path: 'a' });"), &world).await;

    assert_eq!(returned(&report), json!({"echo": {"path": "a"}}));
    assert_eq!(world.asked(), ["Files.read"]);
}

#[tokio::test]
async fn a_mutation_ends_the_script() {
    let body = "async () => { try { await Files.append({ line: 'x' }); } catch { console.log('caught'); }
        finally { console.log('finally'); } console.log('after'); await Files.append({ line: 'y' }); }";

    let report = run(&sandbox(), call_of(ScriptPhase::Mutate, body)).await;

    let Ending::Mutation(call) = &report.ending else { panic!("{report:?}") };
    assert_eq!(call.input, json!({"line": "x"}));
    assert!(report.logs.is_empty(), "{:?}", report.logs);
}

#[tokio::test]
async fn a_thrown_error_fails_with_its_place() {
    let report = run(&sandbox(), prepare("const rows = undefined;\nreturn rows.length;")).await;

    expect![[r#"
        logic: TypeError: Cannot read properties of undefined (reading 'length')
          at receipts.js:3:13
          return rows.length;
    "#]]
    .assert_eq(&failure(&report));
}
