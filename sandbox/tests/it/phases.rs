//! What a script may do in which phase, and how a mutation ends it.

use std::sync::Arc;

use serde_json::json;
use windlass_core::{FailureClass, ScriptPhase};
use windlass_sandbox::{Ending, HostCall, Report};

use crate::support::{World, call_of, prepare, run, run_in, sandbox};

const OPERATIONS: [(&str, &str); 5] = [
    ("read", "Files.read"),
    ("mutation", "Files.append"),
    ("topic_peek", "Topics.peek"),
    ("topic_publish", "Topics.publish"),
    ("register_input", "Topics.registerInput"),
];

async fn mutate(body: &str, world: &Arc<World>) -> Report {
    let function = format!("async (prepared) => {{ {body} }}");
    run_in(&sandbox(), call_of(ScriptPhase::Mutate, &function), world).await
}

fn mutation(report: &Report) -> &HostCall {
    let Ending::Mutation(call) = &report.ending else { panic!("{:?}", report.ending) };
    call
}

#[tokio::test]
async fn a_phase_permits_its_operations_and_ends_the_script_at_any_other() {
    let sandbox = sandbox();
    for phase in ScriptPhase::ALL {
        for (operation, name) in OPERATIONS {
            let operation: windlass_core::Operation = operation.parse().unwrap();
            let world = Arc::new(World::default());
            let function = format!(
                "async () => {{ try {{ await {name}({{}}); }} catch {{ console.log('caught'); }} return 'on'; }}"
            );

            let report = run_in(&sandbox, call_of(*phase, &function), &world).await;

            let is_asked = world.asked() == [name];
            match &report.ending {
                Ending::Returned(result) => {
                    assert!(phase.permits(operation) && is_asked, "{phase} {name}");
                    assert_eq!(*result, Some(json!("on")));
                }
                Ending::Mutation(_) => {
                    assert!(phase.permits(operation) && !is_asked, "{phase} {name}");
                }
                Ending::Failed(failure) => {
                    assert!(!phase.permits(operation) && !is_asked, "{phase} {name}");
                    assert_eq!(failure.class, FailureClass::Logic);
                    assert_eq!(failure.message, phase.violation(name, operation));
                    assert_eq!(failure.at.as_ref().unwrap().line, 1);
                }
                Ending::Cancelled => panic!("{phase} {name}"),
            }
            assert!(report.logs.is_empty(), "{phase} {name}");
        }
    }
}

#[tokio::test]
async fn nothing_runs_after_a_mutation() {
    let bodies = [
        "await Files.append({ line: 1 }); console.log('after');",
        "try { await Files.append({ line: 1 }); } catch { console.log('caught'); } finally { console.log('finally'); }",
        "Files.append({ line: 1 }); console.log('after');",
        "Files.append({ line: 1 }); await Files.append({ line: 2 });",
        "await Promise.all([1, 2, 3].map((line) => Files.append({ line })));",
        "Files.append({ line: 1 }).finally(() => console.log('finally'));",
        "queue = Promise.resolve().then(() => console.log('later')); await Files.append({ line: 1 });",
        "await null; return { toJSON() { Files.append({ line: 1 }); console.log('after'); } };",
        "console.log('before'); return [1, 2].map((line) => Files.append({ line }));",
    ];
    for body in bodies {
        let world = Arc::new(World::default());

        let report = mutate(body, &world).await;

        assert_eq!(mutation(&report).input["line"], json!(1), "{body}");
        assert!(
            report.logs.iter().all(|line| line.message == "before"),
            "{body}: {:?}",
            report.logs
        );
        assert!(world.asked().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_mutation_knows_where_it_was_asked_for() {
    let report =
        mutate("const a = 1;\n  await Files.append({ line: a });\n", &Arc::default()).await;

    let call = mutation(&report);
    assert_eq!((call.namespace.as_str(), call.method.as_str()), ("Files", "append"));
    let at = call.at.as_ref().unwrap();
    assert_eq!((at.line, at.column), (2, 15));
    assert_eq!(at.source_line.as_deref(), Some("  await Files.append({ line: a });"));
}

#[tokio::test]
async fn a_mutate_need_not_mutate() {
    let report = mutate("if (prepared.n > 1) await Files.append({});", &Arc::default()).await;

    assert_eq!(report.ending, Ending::Returned(None));
}

#[tokio::test]
async fn an_error_of_a_tool_cannot_be_caught() {
    let attempts = [
        "try { await Files.fail({}); } catch { console.log('caught'); } finally { console.log('finally'); }",
        "await Files.fail({}).catch(() => console.log('caught'));",
        "Files.fail({}); console.log('after');",
        "try { await Files.failSlowly({}); } catch { console.log('caught'); } finally { console.log('finally'); }",
        "await Promise.allSettled([Files.failSlowly({}), Files.read({})]); console.log('after');",
    ];
    for attempt in attempts {
        let report = run(&sandbox(), prepare(attempt)).await;

        let Ending::Failed(failure) = &report.ending else { panic!("{:?}", report.ending) };
        assert_eq!(failure.class, FailureClass::Network, "{attempt}");
        assert_eq!(failure.at.as_ref().unwrap().line, 2, "{attempt}");
        assert!(report.logs.is_empty(), "{attempt}: {:?}", report.logs);
    }
}

#[tokio::test]
async fn a_host_that_cannot_tell_the_operation_ends_the_script() {
    let report =
        run(&sandbox(), prepare("try { await Files.read({ malformed: 1 }); } catch {}")).await;

    let Ending::Failed(failure) = &report.ending else { panic!("{:?}", report.ending) };
    assert_eq!(failure.message, "`malformed` is no property of the input");
}

#[tokio::test]
async fn a_panic_of_the_host_is_a_failure_of_ours() {
    let report = run(&sandbox(), prepare("try { await Files.panic({}); } catch {}")).await;

    let Ending::Failed(failure) = &report.ending else { panic!("{:?}", report.ending) };
    assert_eq!(failure.class, FailureClass::Internal);
    assert_eq!(failure.message, "the host panicked: the host is broken");
}

#[tokio::test]
async fn a_tool_cannot_be_called_while_the_file_is_evaluated() {
    let world = Arc::new(World::default());
    let sources = [
        "Files.read({});",
        "(async () => { await null; await Files.read({}); })();",
        "Promise.resolve({}).then(Files.read);",
    ];
    for source in sources {
        let workflow = "const workflow = { consumers: { record: { prepare() {} } } };";
        let call = crate::support::call_in(ScriptPhase::Prepare, &format!("{source}\n{workflow}"));

        let report = run_in(&sandbox(), call, &world).await;

        let Ending::Failed(failure) = &report.ending else {
            panic!("{source}: {:?}", report.ending)
        };
        let expected =
            "`Files.read` is called while the file is evaluated: call tools in handlers only";
        assert_eq!(failure.message, expected);
        assert!(world.asked().is_empty());
    }
}
