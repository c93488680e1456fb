//! That no call sees another: not what it leaves behind, not its failure, not its waiting.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use windlass_core::{Id as _, ScriptLimits, ScriptPhase, Timestamp, WorkspaceId};
use windlass_sandbox::{Call, Ending};

use crate::support::{
    World, call_in, call_of, limits, prepare, returned, run, run_in, sandbox, sandbox_with,
};

/// Long enough for anything that happens at all.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn no_state_survives_a_call() {
    let source = r#"
        const seen = [];
        let count = 0;
        const workflow = { producers: { record: { handler() {
            const before = [seen.length, ++count, globalThis.left, [].left, "".left, Array.left, JSON.left,
                Object.prototype.left, Files.left, console.left, workflow.left, Symbol.for("x").left,
                RegExp.$1, Error.stackTraceLimit];
            seen.push(1);
            "kept".match(/(kept)/);
            Error.stackTraceLimit = 1;
            for (const place of [globalThis, Array.prototype, String.prototype, Array, JSON, Object.prototype,
                Symbol.prototype, workflow]) place.left = 1;
            try { Files.left = 1; } catch {}
            return before;
        } } } };
    "#;
    let sandbox = sandbox();

    let first = run(&sandbox, call_in(ScriptPhase::Producer, source)).await;
    let second = run(&sandbox, call_in(ScriptPhase::Producer, source)).await;

    assert_eq!(returned(&first), returned(&second));
    assert_eq!(returned(&first)[1], json!(1));
}

#[tokio::test]
async fn what_a_script_leaves_in_memory_fails_no_later_call() {
    let sandbox = sandbox();
    let greedy = "globalThis.all = Array.from({ length: 24 }, () => new Array(1 << 17).fill(1)); return 'much';";

    for _ in 0..20 {
        let much = run(&sandbox, prepare(greedy)).await;
        let little = run(&sandbox, prepare("return 'little';")).await;

        assert_eq!(returned(&much), json!("much"), "24 of 32 MiB");
        assert_eq!(returned(&little), json!("little"));
    }
}

#[tokio::test]
async fn what_a_script_leaves_in_the_queue_never_runs() {
    let sandbox = sandbox_with(limits(), 1);
    let leaving =
        "Promise.resolve().then(() => Files.append({ line: 'stolen' })); throw new Error('over');";
    let ending = "const again = () => Promise.resolve().then(again).then(() => Files.append({})); again(); Files.fail({});";
    for body in [leaving, ending] {
        let first = run(&sandbox, prepare(body)).await;
        let world = Arc::new(World::default());
        let second = run_in(
            &sandbox,
            call_of(ScriptPhase::Mutate, "async () => { await null; return 1; }"),
            &world,
        )
        .await;

        assert!(matches!(first.ending, Ending::Failed(_)), "{:?}", first.ending);
        assert_eq!(second.ending, Ending::Returned(Some(json!(1))));
    }
}

#[tokio::test]
async fn tampering_with_what_is_built_in_harms_only_the_tamperer() {
    let tampering = [
        "Object.prototype.then = (resolve) => resolve('hijacked');",
        "Object.prototype.toJSON = () => 'hijacked';",
        "Array.prototype.map = Array.prototype.push = () => { throw 1; };",
        "Object.defineProperty(Array.prototype, '0', { set() { throw 1; } });",
        "JSON.stringify = JSON.parse = () => 'hijacked';",
        "Promise.prototype.then = () => { throw 1; };",
        "globalThis.Promise = null; globalThis.JSON = null; globalThis.Object = null;",
        "Map[Symbol.hasInstance] = Set[Symbol.hasInstance] = () => true;",
        "Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1; };",
        "Function.prototype.call = Function.prototype.apply = () => { throw 1; };",
        "Symbol.prototype[Symbol.toPrimitive] = () => { throw 1; };",
        "Error.prepareStackTrace = () => { for (;;) {} }; Error.stackTraceLimit = 1e9;",
        "console.log = () => { for (;;) {} };",
        "Object.setPrototypeOf(globalThis, new Proxy({}, { has() { throw 1; }, get() { throw 1; } }));",
    ];
    let sandbox = sandbox_with(ScriptLimits { wall_time_ms: 500, ..limits() }, 1);
    for tampering in tampering {
        let body = format!("{tampering}\nreturn await Files.read({{ list: [1] }});");

        let tampered = timeout(SOON, run(&sandbox, prepare(&body))).await.unwrap();
        let healthy = run(&sandbox, prepare("return await Files.read({ list: [1] });")).await;

        let is_over = matches!(tampered.ending, Ending::Returned(_) | Ending::Failed(_));
        assert!(is_over, "{tampering}: {:?}", tampered.ending);
        assert_eq!(returned(&healthy), json!({"echo": {"list": [1]}}), "{tampering}");
    }
}

#[tokio::test]
async fn the_tools_cannot_be_replaced() {
    let body = "Files = 1; delete globalThis.Files; Files.read = () => 'replaced'; globalThis.Files.read = null;
        try { Object.defineProperty(Files, 'read', { value: 1 }); } catch {}
        try { Object.defineProperty(globalThis, 'Files', { value: 1 }); } catch {}
        return [await Files.read({}), Object.isFrozen(Files), Object.isFrozen(console)];";

    let report = run(&sandbox(), prepare(body)).await;

    assert_eq!(returned(&report), json!([{"echo": {}}, true, true]));
}

#[tokio::test]
async fn a_slow_read_holds_up_nobody() {
    let sandbox = sandbox_with(limits(), 1);
    let world = Arc::new(World::default());
    let slow = run_in(&sandbox, prepare("return await Files.readSlowly({});"), &world);

    let (slow, ()) = tokio::join!(slow, async {
        world.waiting.taken().await;
        let other = timeout(SOON, run(&sandbox, prepare("return 'meanwhile';"))).await.unwrap();
        assert_eq!(returned(&other), json!("meanwhile"));
        world.gate.give();
    });

    assert_eq!(returned(&slow), json!({"slow": {}}));
}

#[tokio::test]
async fn waiting_for_a_read_counts_as_wall_time() {
    let sandbox = sandbox_with(ScriptLimits { wall_time_ms: 200, ..limits() }, 1);

    let report = run(&sandbox, prepare("return await Files.readSlowly({});")).await;

    let Ending::Failed(failure) = &report.ending else { panic!("{:?}", report.ending) };
    assert_eq!(
        failure.message,
        "the script takes too long: the limit is `limits.script.wall_time_ms` = 200"
    );
}

#[tokio::test]
async fn waiting_for_a_core_does_not_count_as_wall_time() {
    let sandbox = sandbox_with(ScriptLimits { wall_time_ms: 400, ..limits() }, 1);
    let hog = "const end = Date.now() + 300; while (Date.now() < end) {} return 'done';";

    let reports = futures::future::join_all((0..4).map(|_| run(&sandbox, prepare(hog)))).await;

    for report in reports {
        assert_eq!(returned(&report), json!("done"));
    }
}

#[tokio::test]
async fn neighbours_are_not_harmed() {
    let harmful = [
        "for (;;) {}",
        "const all = []; for (;;) { all.push(new Array(1000).fill(1)); }",
        "return 'x'.repeat(1 << 28).split('').length;",
        "return Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);",
    ];
    let sandbox = sandbox_with(ScriptLimits { wall_time_ms: 300, ..limits() }, 1);
    for harmful in harmful {
        let harm = run(&sandbox, prepare(harmful));
        let calls = (0..20).map(|i| run(&sandbox, prepare(&format!("await null; return {i};"))));

        let (harm, neighbours) = tokio::join!(harm, futures::future::join_all(calls));

        assert!(matches!(harm.ending, Ending::Failed(_)), "{harmful}: {:?}", harm.ending);
        for (i, neighbour) in neighbours.iter().enumerate() {
            assert_eq!(returned(neighbour), json!(i), "{harmful}");
        }
    }
}

#[tokio::test]
async fn a_call_whose_future_is_dropped_is_stopped() {
    let sandbox = sandbox_with(ScriptLimits { wall_time_ms: 60_000, ..limits() }, 1);
    for body in ["await Files.readSlowly({});", "Files.read({}); await null; for (;;) {}"] {
        let world = Arc::new(World::default());
        let call = run_in(&sandbox, prepare(body), &world);

        tokio::select! {
            report = call => panic!("{report:?}"),
            () = world.called.taken() => {}
        }

        let next = timeout(SOON, run(&sandbox, prepare("return 'next';"))).await.unwrap();
        assert_eq!(returned(&next), json!("next"), "{body}");
    }
}

#[tokio::test]
async fn a_call_that_waits_for_a_core_is_given_up_at_once() {
    let sandbox = sandbox_with(limits(), 1);
    let world = Arc::new(World::default());
    let busy = run_in(&sandbox, prepare("Files.read({}); await null; for (;;) {}"), &world);
    let waiting = async {
        world.called.taken().await;
        let other = run(&sandbox, prepare("return 'other';"));
        assert!(timeout(Duration::from_millis(50), other).await.is_err());
    };

    tokio::select! {
        report = busy => panic!("{report:?}"),
        () = waiting => {}
    }

    let next = timeout(SOON, run(&sandbox, prepare("return 'next';"))).await.unwrap();
    assert_eq!(returned(&next), json!("next"));
}

#[tokio::test]
async fn more_calls_than_threads_wait_for_their_turn() {
    let sandbox = sandbox();

    let calls = (0..50).map(|i| {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { run(&sandbox, prepare(&format!("return {i};"))).await })
    });
    let reports = timeout(SOON, futures::future::join_all(calls)).await.unwrap();

    for (i, report) in reports.into_iter().enumerate() {
        assert_eq!(returned(&report.unwrap()), json!(i));
    }
}

#[tokio::test]
async fn a_shutdown_cancels_what_is_under_way_and_what_comes_later() {
    let sandbox = sandbox();
    let world = Arc::new(World::default());
    let waiting = run_in(&sandbox, prepare("await Files.readSlowly({});"), &world);

    let (waiting, ()) = tokio::join!(waiting, async {
        world.waiting.taken().await;
        timeout(SOON, sandbox.shutdown()).await.unwrap();
    });
    let later = run(&sandbox, prepare("return 1;")).await;

    assert_eq!(waiting.ending, Ending::Cancelled);
    assert_eq!(later.ending, Ending::Cancelled);
}

#[tokio::test]
async fn threads_share_what_one_has_compiled() {
    let sandbox = sandbox();
    let body = "const { slow } = await Files.readSlowly({ n: 2 }); return slow.n * state.n;";
    let world = Arc::new(World::default());
    world.gate.give();
    let first = run_in(&sandbox, prepare(body), &world).await;

    // Each of them waits on a thread of its own until all have begun.
    let others = futures::future::join_all((0..5).map(|_| run_in(&sandbox, prepare(body), &world)));
    let (others, ()) = tokio::join!(others, async {
        for _ in 0..6 {
            world.waiting.taken().await;
        }
        for _ in 0..5 {
            world.gate.give();
        }
    });

    for report in others.iter().chain([&first]) {
        assert_eq!(returned(report), json!(2));
    }
}

#[tokio::test]
async fn what_no_collection_removes_takes_no_memory_from_a_later_call() {
    let sandbox = sandbox_with(limits(), 1);
    let hoarding =
        "for (let i = 0; i < 20; i++) Symbol.for('a'.repeat(1 << 20) + i); return 'hoarded';";
    let honest =
        "const all = []; for (let i = 0; i < 400_000; i++) all.push({ i }); return all.length;";

    for _ in 0..3 {
        let hoarded = run(&sandbox, prepare(hoarding)).await;
        let counted = run(&sandbox, prepare(honest)).await;

        assert_eq!(returned(&hoarded), json!("hoarded"), "20 of 32 MiB");
        assert_eq!(returned(&counted), json!(400_000));
    }
}

#[tokio::test]
async fn a_call_without_memory_is_worth_repeating_only_if_its_isolate_was_used() {
    let sandbox = sandbox_with(limits(), 1);
    let greedy = prepare("const all = []; for (;;) all.push(new Array(1000).fill(1));");
    let fresh = Call { in_fresh_isolate: true, ..greedy.clone() };

    let _first = run(&sandbox, prepare("return 1;")).await;
    let in_used = run(&sandbox, greedy).await;
    let in_fresh = run(&sandbox, fresh).await;

    assert!(matches!(in_used.ending, Ending::Failed(_)) && in_used.is_worth_repeating);
    assert!(matches!(in_fresh.ending, Ending::Failed(_)) && !in_fresh.is_worth_repeating);
}

#[tokio::test]
async fn no_more_reads_than_allowed_are_on_their_way_at_once() {
    let sandbox = sandbox_with(ScriptLimits { open_calls: 2, ..limits() }, 1);
    let world = Arc::new(World::default());
    let body =
        "return (await Promise.all([1, 2, 3, 4, 5].map((n) => Files.readSlowly({ n })))).length;";
    let call = run_in(&sandbox, prepare(body), &world);

    let (report, most) = tokio::join!(call, async {
        let mut most = 0;
        for _ in 0..5 {
            world.waiting.taken().await;
            // Whatever else can begin has begun when nothing else is ready.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            most = most.max(world.waiting.count() + 1);
            world.gate.give();
        }
        most
    });

    assert_eq!(returned(&report), json!(5));
    assert!(most <= 2, "{most}");
}

#[tokio::test]
async fn a_script_that_computes_shares_its_core_with_another_workspace() {
    let sandbox = sandbox_with(ScriptLimits { wall_time_ms: 60_000, ..limits() }, 1);
    let world = Arc::new(World::default());
    let [busy, other] = [1, 2].map(|it| Some(WorkspaceId::mint(Timestamp::from_micros(it))));
    let endless = prepare("Files.read({}); await null; for (;;) {}");
    let endless = run_in(&sandbox, Call { workspace: busy, ..endless }, &world);
    let short = async {
        world.called.taken().await;
        let call = Call { workspace: other, ..prepare("await null; return 'short';") };
        timeout(SOON, run(&sandbox, call)).await.unwrap()
    };

    tokio::select! {
        report = endless => panic!("{report:?}"),
        report = short => assert_eq!(returned(&report), json!("short")),
    }
}
