//! Calls that take long: what they log is seen meanwhile, and a person who cancels ends them.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use windlass_api::service::{PlanChecker, PlanIncludes, PlanStart};
use windlass_core::SessionId;
use windlass_store::{LogFilter, LogSource, Page, RunFilter};

use crate::scenarios::env::TestEnv;
use crate::scenarios::fake_tool::Behavior;
use crate::scenarios::scenarios;

/// How often a test reads again what it waits for.
const AGAIN: Duration = Duration::from_millis(20);

/// Logs, and waits for an answer that does not come.
const WAITING: &str = r#"
const workflow = {
  topics: { ticks: {} },
  producers: {
    tick: {
      publishes: ["ticks"], schedule: { interval: "1h" },
      handler: async () => {
        console.log("one");
        console.warn("two");
        await FakeTool.read({ name: "slow" });
        console.log("three");
      },
    },
  },
  consumers: { none: { subscribe: ["ticks"], prepare: async () => ({ reservations: [] }) } },
};
"#;

/// The lines of a session, with their numbers.
async fn lines(env: &TestEnv, session: SessionId) -> Vec<(u32, String)> {
    let (workspace, of) = (env.workspace, LogSource::Session(session));
    let filter = LogFilter { workspace, of, page: Page::first(u32::MAX) };
    let lines = env.store.all_logs(filter).await.unwrap();
    lines.into_iter().map(|line| (line.seq, line.message)).collect()
}

/// Starts a plan of one node that reads what never answers.
async fn start_waiting_plan(env: &TestEnv) -> SessionId {
    let node = json!({
        "id": "ask", "type": "tool", "label": "Ask", "objective": "An answer", "instructions": "Ask once.",
        "owner": { "executorType": "system", "ref": "FakeTool.read" }, "input": { "name": "slow" },
    });
    let draft = json!({ "title": "Ask", "objective": "An answer", "nodes": [node], "edges": [] });
    let checker = PlanChecker::new(env.registry());
    let text = checker
        .check("plan.json", draft.to_string(), None)
        .unwrap_or_else(|found| panic!("{found:#?}"));
    let start = PlanStart {
        workstream: "site".to_owned(),
        text,
        grant: env.every_tool(),
        idempotency_key: None,
    };
    env.service().create_plan(start).await.unwrap();
    env.service().active_run("site").await.unwrap()
}

scenarios! {
    async fn what_a_long_call_logs_is_there_while_it_runs(env: TestEnv) {
        env.fake_tool.set_behavior("slow", Behavior::Hang);
        let workflow = env.deploy("waiting", WAITING).await;
        let (engine, shutdown) = (env.engine(), CancellationToken::new());

        let watch = async {
            loop {
                let all = RunFilter { workspace: env.workspace, workflow, session: None, page: Page::first(1) };
                if let Some(run) = env.store.runs(all).await.unwrap().items.pop() {
                    let so_far = lines(&env, run.session_id).await;
                    if so_far.len() >= 2 {
                        return (run, so_far);
                    }
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        let (run, so_far) = tokio::select! {
            seen = watch => seen,
            ended = engine.serve(shutdown) => panic!("{ended:?}"),
        };

        assert!(run.ended_at.is_none(), "{run:#?}");
        assert_eq!(so_far, [(1, "one".to_owned()), (2, "two".to_owned())]);
    }

    async fn cancelling_a_plan_ends_the_call_that_its_node_waits_for(env: TestEnv) {
        env.fake_tool.set_behavior("slow", Behavior::Hang);
        let run = start_waiting_plan(&env).await;
        let engine = env.engine();
        let cancel = async {
            while env.fake_tool.n_calls("slow") == 0 {
                tokio::time::sleep(AGAIN).await;
            }
            env.service().cancel_plan(run, "not needed any more").await.unwrap();
        };

        // It is idle once the call has ended, which would otherwise wait as long as a call may take.
        let (idle, ()) = tokio::join!(engine.run_until_idle(), cancel);

        idle.unwrap();
        let plan = env.service().plan_of_run(run, PlanIncludes::default()).await.unwrap();
        let nodes: Vec<_> = plan.nodes.iter().map(|node| node.status.to_string()).collect();
        assert_eq!(nodes, ["cancelled"]);
        assert_eq!(env.fake_tool.n_calls("slow"), 1);
    }
}
