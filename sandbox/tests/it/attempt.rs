//! `attempt`: a script expects a failure that is about the data, and no other.

use std::sync::Arc;

use serde_json::json;
use windlass_core::{Capability, Grant, ScriptPhase};
use windlass_sandbox::Ending;

use crate::support::{World, call_of, failure, prepare, returned, run, run_in, sandbox, script};

#[tokio::test]
async fn a_failure_about_the_data_is_handed_over() {
    let body = "
        const missing = await attempt(Files.read, { missing: true });
        const [slow, good] = await Promise.all([attempt(Files.failSlowly, { missing: true }), attempt(Files.read, { path: 'a' })]);
        const huge = await attempt(Files.read, { huge: true });
        return { missing, slow, good, huge: huge.error };
    ";

    let value = returned(&run(&sandbox(), prepare(body)).await);

    let missing =
        json!({ "ok": false, "error": { "code": "not_found", "message": "`a` does not exist" } });
    assert_eq!((&value["missing"], &value["slow"]), (&missing, &missing));
    assert_eq!(value["good"], json!({ "ok": true, "value": { "echo": { "path": "a" } } }));
    assert_eq!(value["huge"]["code"], "too_big", "{value}");
}

#[tokio::test]
async fn a_producer_may_attempt_too() {
    let handler = "async () => (await attempt(Files.read, { missing: true })).error.code";

    let report = run(&sandbox(), call_of(ScriptPhase::Producer, handler)).await;

    assert_eq!(returned(&report), "not_found");
}

#[tokio::test]
async fn any_other_failure_ends_the_script() {
    for call in [
        "Files.fail, {}",
        "Files.failSlowly, {}",
        "Files.panic, {}",
        "Files.read, { malformed: 1 }",
    ] {
        let body = format!("try {{ await attempt({call}); }} catch {{}} return 'on';");
        let report = run(&sandbox(), prepare(&body)).await;
        assert!(matches!(report.ending, Ending::Failed(_)), "{call}: {:?}", report.ending);
    }
    let without =
        run(&sandbox(), prepare("await Files.read({ missing: true }); return 'on';")).await;
    assert!(failure(&without).contains("logic: `a` does not exist"), "{without:?}");
}

#[tokio::test]
async fn only_what_reads_is_attempted() {
    let world = Arc::new(World::default());
    for call in ["Topics.peek, {}", "async () => 1", "'Files.read', {}", "Files.read, {}, {}", ""] {
        let report =
            run_in(&sandbox(), prepare(&format!("return await attempt({call});")), &world).await;
        assert!(failure(&report).starts_with("logic: "), "{call}");
    }
    let mutate = "async () => { await attempt(Files.append, { line: 1 }); }";
    let report = run_in(&sandbox(), call_of(ScriptPhase::Mutate, mutate), &world).await;

    assert!(failure(&report).contains("`Files.append` is none"), "{report:?}");
    assert_eq!(world.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_script_may_have_a_function_of_that_name() {
    let body = "const attempt = (n) => n + 1; return attempt(1);";
    assert_eq!(returned(&run(&sandbox(), prepare(body)).await), 2);

    let file = "function attempt(n) { return n + 2; }
        const workflow = { consumers: { record: { prepare: () => attempt(1) } } };";
    let report = run(&sandbox(), crate::support::call_in(ScriptPhase::Prepare, file)).await;
    assert_eq!(returned(&report), 3);
}

#[tokio::test]
async fn a_check_finds_what_is_attempted() {
    let source = "const workflow = { consumers: { record: { prepare: async () => attempt(Files.read, {}) } } };";

    let tools = sandbox().tools_of(&script(source)).await;

    assert_eq!(tools, Grant::from_iter([Capability::tool("Files", "read")]));
    let problems = sandbox().check(script(source), "UTC").await.unwrap_err();
    assert!(problems.iter().all(|it| it.code != "unknown_name"), "{problems:?}");
}
