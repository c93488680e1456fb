//! Several workers on one database.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use windlass_core::{LimitKey, MutationStatus, Phase, Status, WorkflowId, WorkspaceId};
use windlass_scheduler::{Engine, EngineParts, Observer, ProgressStep};
use windlass_store::{
    ClaimFilter, ClaimRuns, ClaimScope, EndedLeases, Page, RecoverRuns, RunFilter, SetLimit,
};

use crate::scenarios::env::TestEnv;
use crate::scenarios::scenarios;

const EVENTS: usize = 20;

/// Publishes its events once and sends each to the server.
const SENDER: &str = r#"
const workflow = {
  topics: { orders: {} },
  producers: {
    poll: {
      publishes: ["orders"], schedule: { interval: "1h" },
      handler: async () => {
        for (let n = 0; n < $EVENTS; n++) {
          const inputId = await Topics.registerInput({ source: "System", type: "random", id: `${n}`, title: `order ${n}` });
          await Topics.publish({ topic: "orders", event: { messageId: `${n}`, payload: {}, inputId } });
        }
      },
    },
  },
  consumers: {
    send: {
      subscribe: ["orders"],
      prepare: async () => {
        const events = await Topics.peek({ topic: "orders", limit: 1 });
        return { reservations: [{ topic: "orders", ids: events.map((event) => event.messageId) }], data: events[0]?.messageId };
      },
      mutate: async (prepared) => { await Http.post({ url: `$URL/$NAME/${prepared.data}` }); },
    },
  },
};
"#;

/// Does nothing once an hour.
const TICK: &str = r#"
const workflow = {
  topics: { ticks: {} },
  producers: { tick: { publishes: ["ticks"], schedule: { interval: "1h" }, handler: async () => {} } },
  consumers: { none: { subscribe: ["ticks"], prepare: async () => ({ reservations: [] }) } },
};
"#;

const fn all_of(workspace: WorkspaceId, workflow: WorkflowId) -> RunFilter {
    RunFilter { workspace, workflow, session: None, page: Page::first(100) }
}

async fn deploy_sender(env: &TestEnv, name: &str) -> WorkflowId {
    let script = SENDER.replace("$EVENTS", &EVENTS.to_string()).replace("$NAME", name);
    env.deploy(name, &script).await
}

/// Waits until every event of the workflows is consumed.
async fn all_consumed(env: &TestEnv, workflows: &[WorkflowId]) {
    let mut changes = env.store.wake_ups();
    loop {
        let mut consumed = 0;
        for workflow in workflows {
            consumed +=
                env.statuses(*workflow, "orders").await.iter().filter(|s| *s == "consumed").count();
        }
        if consumed == workflows.len() * EVENTS {
            return;
        }
        // The last commit brings no work and so rings nobody.
        let _rung_or_not = tokio::time::timeout(Duration::from_millis(50), changes.wait()).await;
    }
}

scenarios! {
    async fn two_workers_share_the_work_and_nothing_happens_twice(env: TestEnv) {
        let names = ["a", "b", "c", "d", "e", "f"];
        let mut workflows = Vec::new();
        for name in names {
            workflows.push(deploy_sender(&env, name).await);
        }
        let shutdown = CancellationToken::new();
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let engine = env.engine_in_other_process();
                let shutdown = shutdown.clone();
                tokio::spawn(async move { engine.await.serve(shutdown).await })
            })
            .collect();

        tokio::time::timeout(Duration::from_secs(60), all_consumed(&env, &workflows)).await.unwrap();
        shutdown.cancel();
        for worker in workers {
            worker.await.unwrap().unwrap();
        }

        for (name, workflow) in names.iter().zip(&workflows) {
            for n in 0..EVENTS {
                assert_eq!(env.server.requests(&format!("{name}/{n}")), 1, "{name} {n}");
            }
            let runs = env.runs(*workflow).await;
            assert!(runs.iter().all(|run| run.status == Status::Committed), "{runs:#?}");
        }
    }

    async fn a_worker_that_was_taken_for_dead_can_no_longer_write(env: TestEnv) {
        let workflow = deploy_sender(&env, "a").await;
        env.server.answer("a/0", 200, "done");
        // The lease ends while the request is out; another worker takes over, and the answer comes too late.
        let (store, clock) = (Arc::clone(&env.store), Arc::clone(&env.clock));
        env.server.before_answering("a/0", move || {
            let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
            Box::pin(async move {
                clock.advance(Duration::from_secs(3_600));
                let recovered = store.recover_runs(RecoverRuns { lost_workers: Vec::new(), ended_leases: EndedLeases::by_the_store(), limit: 10 }).await.unwrap();
                assert_eq!(recovered.len(), 1);
            })
        });

        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let observer: Observer = Arc::new(move |progress| tell.lock().unwrap().push((progress.run, progress.step)));
        let parts = EngineParts { observer: Some(observer), ..env.engine_parts(Arc::clone(&env.store)) };
        Engine::new(parts).unwrap().run_until_idle().await.unwrap();

        let doubtful = env.outputs(workflow).await.remove(0);
        let told = told.lock().unwrap().clone();
        let last = told.iter().rfind(|(run, _)| *run == doubtful.handler_run_id).map(|(_, step)| step);
        assert_eq!(last, Some(&ProgressStep::Dropped), "whoever counts runs under way is told: {told:#?}");
        assert_eq!(doubtful.status, MutationStatus::Indeterminate, "the late answer changes nothing by itself");
        assert!(doubtful.late_evidence.is_some(), "and is kept for the person who is asked");
        let run = env.store.run(env.workspace, doubtful.handler_run_id).await.unwrap();
        assert_eq!((run.phase, run.status), (Phase::Mutating, Status::PausedReconciliation));
        assert_eq!(env.server.requests("a/0"), 1);
    }

    async fn a_worker_takes_no_run_from_itself_when_the_clock_steps(env: TestEnv) {
        let ticking = env.deploy("tick", TICK).await;
        let sender = deploy_sender(&env, "a").await;
        env.server.answer("a/0", 200, "done");
        // While the request is out, somebody sets the clock, and the worker looks for work.
        let (store, clock, workspace) = (Arc::clone(&env.store), Arc::clone(&env.clock), env.workspace);
        env.server.before_answering("a/0", move || {
            let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
            Box::pin(async move {
                let before = store.all_runs(all_of(workspace, ticking)).await.unwrap().len();
                clock.advance(Duration::from_secs(3_600));
                let mut changes = store.wake_ups();
                // Changing a limit wakes the worker.
                let key = LimitKey::Connector("mail".to_owned());
                let actor = "ann".to_owned();
                store.set_limit(SetLimit { workspace, key, limit: None, actor }).await.unwrap();
                while store.all_runs(all_of(workspace, ticking)).await.unwrap().len() == before {
                    changes.wait().await;
                }
            })
        });
        let (shutdown, engine) = (CancellationToken::new(), env.engine());
        let work = async {
            tokio::time::timeout(Duration::from_secs(60), all_consumed(&env, &[sender])).await.unwrap();
            shutdown.cancel();
        };

        let (served, ()) = tokio::join!(engine.serve(shutdown.clone()), work);

        served.unwrap();
        let outputs = env.outputs(sender).await;
        assert!(outputs.iter().all(|it| it.status == MutationStatus::Applied && it.resolved_by.is_none()), "{outputs:#?}");
        assert_eq!((outputs.len(), env.server.requests("a/0")), (EVENTS, 1));
    }

    async fn a_run_that_a_worker_abandons_goes_on_as_soon_as_another_starts(env: TestEnv) {
        let workflow = deploy_sender(&env, "a").await;
        // Claimed by a worker that goes in good order before it has done anything: on a full disk, for example.
        let worker = env.new_worker();
        let leaving = env.engine_of(worker);
        let lease = Duration::from_secs(60);
        let claim = ClaimRuns { worker, limit: 1, lease, scope: ClaimScope::Workflow(env.workspace, workflow) };
        env.store.enqueue_due(1).await.unwrap();
        assert_eq!(env.store.claim_runs(claim).await.unwrap().len(), 1);
        env.run_until_idle().await;
        assert_eq!(env.statuses(workflow, "orders").await.len(), 0, "it is in other hands while they live");
        drop(leaving);

        env.run_until_idle().await;

        assert_eq!(env.statuses(workflow, "orders").await, ["consumed"; EVENTS]);
    }

    async fn a_claimed_run_is_nobody_elses(env: TestEnv) {
        deploy_sender(&env, "a").await;
        let claim = || {
            let worker = env.new_worker();
            let lease = Duration::from_secs(60);
            env.store.claim_runs(ClaimRuns { worker, limit: 10, lease, scope: ClaimScope::Matching(ClaimFilter::default()) })
        };

        assert_eq!(claim().await.unwrap().len(), 1);
        assert_eq!(claim().await.unwrap().len(), 0);
    }
    async fn a_slow_workflow_holds_up_no_other(env: TestEnv) {
        let slow = deploy_sender(&env, "slow").await;
        let fast = deploy_sender(&env, "fast").await;
        // The first order of the one is answered when the last order of the other has come.
        let done = Arc::new(Notify::new());
        let waits = Arc::clone(&done);
        env.server.before_answering("slow/0", move || {
            let waits = Arc::clone(&waits);
            Box::pin(async move { waits.notified().await })
        });
        env.server.before_answering(&format!("fast/{}", EVENTS - 1), move || {
            done.notify_one();
            Box::pin(async {})
        });

        env.run_until_idle().await;

        for workflow in [slow, fast] {
            assert_eq!(env.statuses(workflow, "orders").await, ["consumed"; EVENTS]);
        }
    }
}
