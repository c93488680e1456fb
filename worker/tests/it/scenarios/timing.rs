//! Schedules, wake times and a person's pause.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde_json::json;
use windlass_core::{Action, Status, Timestamp, WorkflowStatus};
use windlass_store::StartSession;

use crate::scenarios::scenarios;

/// The script cannot see the test's clock: it asks a file for the time.
const DIGEST: &str = r#"
const nineToday = (now) => { const at = new Date(now); at.setUTCHours(9, 0, 0, 0); return at; };
const workflow = {
  topics: { notes: {} },
  producers: {
    poll: {
      publishes: ["notes"], schedule: { interval: "10m" },
      handler: async () => {
        for (const file of await Files.list({ dir: "in" })) {
          const inputId = await Topics.registerInput({ source: "Files", type: "file", id: file.path, title: file.name });
          await Topics.publish({ topic: "notes", event: { messageId: file.path, payload: {}, inputId } });
        }
      },
    },
  },
  consumers: {
    digest: {
      subscribe: ["notes"],
      prepare: async (state) => {
        const { text } = await Files.read({ path: "out/now.txt" });
        const now = new Date(text.trim());
        const nine = nineToday(now);
        const tomorrow = new Date(nine.getTime() + 24 * 3600_000);
        const sent = state?.day === now.toISOString().slice(0, 10);
        if (now < nine) return { reservations: [], wakeAt: nine.toISOString() };
        const events = sent ? [] : await Topics.peek({ topic: "notes" });
        const ids = events.map((event) => event.messageId);
        return { reservations: [{ topic: "notes", ids }], data: { ids, day: now.toISOString().slice(0, 10) }, wakeAt: tomorrow.toISOString() };
      },
      mutate: async (prepared) => { await User.notify({ title: `${prepared.data.ids.length} notes`, text: prepared.data.ids.join() }); },
      next: async (prepared, result) => (result.status === "applied" ? { day: prepared.data.day } : undefined),
    },
  },
};
"#;

const TWO_PRODUCERS: &str = r#"
const tick = (name, schedule) => ({
  publishes: ["ticks"], schedule,
  handler: async (state) => {
    const n = (state?.n ?? 0) + 1;
    const inputId = await Topics.registerInput({ source: "System", type: "time", id: `${name}:${n}`, title: `${name} ${n}` });
    await Topics.publish({ topic: name === "often" ? "ticks" : "days", event: { messageId: `${name}:${n}`, payload: {}, inputId } });
    return { n };
  },
});
const workflow = {
  topics: { ticks: {}, days: {} },
  producers: {
    often: { ...tick("often", { interval: "5m" }), publishes: ["ticks"] },
    daily: { ...tick("daily", { cron: "0 9 * * *", timezone: "UTC" }), publishes: ["days"] },
  },
  consumers: {
    slow: {
      subscribe: ["ticks", "days"],
      prepare: async () => {
        const ticks = await Topics.peek({ topic: "ticks" });
        const days = await Topics.peek({ topic: "days" });
        if (ticks.length + days.length > 0) await Http.get({ url: "$URL/slow" });
        return { reservations: [
          { topic: "ticks", ids: ticks.map((event) => event.messageId) },
          { topic: "days", ids: days.map((event) => event.messageId) },
        ] };
      },
    },
  },
};
"#;

const PAUSED: &str = r#"
const workflow = {
  topics: { work: {} },
  producers: {
    poll: {
      publishes: ["work"], schedule: { interval: "5m" },
      handler: async (state) => {
        if (state?.done) return;
        for (const id of ["one", "two"]) {
          const inputId = await Topics.registerInput({ source: "System", type: "random", id, title: id });
          await Topics.publish({ topic: "work", event: { messageId: id, payload: {}, inputId } });
        }
        return { done: true };
      },
    },
  },
  consumers: {
    handle: {
      subscribe: ["work"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "work", limit: 1 });
        if (!event) return { reservations: [] };
        await Http.get({ url: "$URL/prepare" });
        return { reservations: [{ topic: "work", ids: [event.messageId] }], data: { id: event.messageId } };
      },
      mutate: async (prepared) => { await Files.append({ path: "out/handled.txt", line: prepared.data.id }); },
    },
  },
};
"#;

const QUIET: &str = r#"
const workflow = {
  topics: { none: {} },
  producers: { poll: { publishes: ["none"], schedule: { interval: "5m" }, handler: () => {} } },
  consumers: { look: { subscribe: ["none"], prepare: () => ({ reservations: [] }) } },
};
"#;

scenarios! {
    async fn the_daily_digest_goes_at_nine_with_everything_and_arms_itself_again(env: TestEnv) {
        env.write("out/now.txt", "2026-03-02T07:00:00Z");
        env.write("in/early", "");
        let workflow = env.deploy("digest", DIGEST).await;
        env.run_until_idle().await;
        env.write("in/later", "");
        env.write("out/now.txt", "2026-03-02T08:00:00Z");
        env.run_after(Duration::from_secs(3_600)).await;
        assert!(env.messages.titles().is_empty(), "new notes wake it, and it sends nothing before nine");

        // Nothing but the wake time is left to wake it; another process finds it.
        env.write("out/now.txt", "2026-03-02T09:00:01Z");
        env.run_after(Duration::from_secs(3_601)).await;

        assert_eq!(env.messages.titles(), ["2 notes"]);
        let outputs = env.outputs(workflow).await;
        assert_eq!((outputs.len(), outputs[0].inputs.len()), (1, 2));
        let wake_at = env.store.handlers(env.workspace, workflow).await.unwrap().into_iter().find_map(|handler| handler.wake_at);
        assert_eq!(wake_at, Timestamp::parse("2026-03-03T09:00:00Z"));

        env.write("out/now.txt", "2026-03-03T09:00:01Z");
        env.run_after(Duration::from_secs(24 * 3_600)).await;

        assert_eq!(env.messages.titles().len(), 1, "no notes, no message");
        let wake_at = env.store.handlers(env.workspace, workflow).await.unwrap().into_iter().find_map(|handler| handler.wake_at);
        assert_eq!(wake_at, Timestamp::parse("2026-03-04T09:00:00Z"));
    }

    async fn a_wake_time_that_is_not_given_again_is_gone(env: TestEnv) {
        env.write("out/now.txt", "2026-03-02T07:00:00Z");
        let forgetful = DIGEST.replace("wakeAt: tomorrow.toISOString()", "");
        let workflow = env.deploy("digest", &forgetful).await;
        env.run_until_idle().await;
        env.write("out/now.txt", "2026-03-02T09:00:01Z");
        env.run_after(Duration::from_secs(7_201)).await;

        let handlers = env.store.handlers(env.workspace, workflow).await.unwrap();

        assert!(handlers.iter().all(|handler| handler.wake_at.is_none()), "{handlers:#?}");
    }

    async fn a_slow_consumer_delays_two_schedules_and_each_catches_up_once(env: TestEnv) {
        let workflow = env.deploy("ticks", TWO_PRODUCERS).await;
        let clock = std::sync::Arc::clone(&env.clock);
        let slow_runs = std::sync::atomic::AtomicUsize::new(3);
        env.server.before_answering("slow", move || {
            let left = slow_runs.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
            if left.is_ok() {
                clock.advance(Duration::from_secs(12 * 60));
            }
            Box::pin(async {})
        });

        // Both producers run at once; the consumer then takes twelve minutes, three times over.
        let params = StartSession { workspace: env.workspace, workflow, actor: "me".to_owned() };
        env.store.start_session(params).await.unwrap();
        env.run_until_idle().await;

        let count = |runs: &[windlass_store::Run], name: &str| runs.iter().filter(|run| run.handler == name).count();
        let runs = env.runs(workflow).await;
        let statuses: Vec<_> = runs.iter().map(|run| run.status).collect();
        assert!(statuses.iter().all(|status| *status == Status::Committed), "{statuses:?}");
        assert_eq!(count(&runs, "daily"), 1);
        let often = count(&runs, "often");
        let slow = env.server.requests("slow");
        assert!(often.abs_diff(slow) <= 1, "one catch-up for each slow run, not one for each missed tick: {often} and {slow}");
        assert_eq!(env.state(workflow, "often").await, json!({"n": often}));
    }

    async fn run_now_runs_every_producer_once(env: TestEnv) {
        let workflow = env.deploy("ticks", TWO_PRODUCERS).await;
        env.run_until_idle().await;
        env.clock.advance(Duration::from_secs(60));

        let session = env.engine().run_session(env.workspace, workflow, "test").await.unwrap();

        assert_eq!(session.trigger.to_string(), "manual");
        let runs = env.runs(workflow).await;
        let of_session: Vec<_> =
            runs.iter().filter(|run| run.session_id == session.id).map(|run| run.handler.as_str()).collect();
        assert_eq!(of_session.iter().filter(|name| **name == "often").count(), 1);
        assert_eq!(of_session.iter().filter(|name| **name == "daily").count(), 1);
    }

    async fn a_pause_in_the_middle_lets_the_handler_finish_and_nothing_happens_twice(env: TestEnv) {
        let workflow = env.deploy("paused", PAUSED).await;
        let store = std::sync::Arc::clone(&env.store);
        env.server.before_answering("prepare", move || {
            let store = std::sync::Arc::clone(&store);
            Box::pin(async move {
                let params = windlass_store::ControlWorkflow { workspace: env.workspace, workflow, action: Action::Pause, actor: "me".to_owned() };
                store.control_workflow(params).await.unwrap();
            })
        });

        env.run_until_idle().await;

        assert_eq!(env.lines("out/handled.txt"), ["one"], "the handler under way finished, and no other began");
        let paused = env.workflow(workflow).await;
        assert_eq!((paused.status, paused.maintenance, paused.error), (WorkflowStatus::Paused, false, None));
        let refused = env.store.start_session(StartSession { workspace: env.workspace, workflow, actor: "me".to_owned() }).await;
        assert!(refused.is_err(), "a paused workflow does not run now either");

        env.server.before_answering("prepare", || Box::pin(async {}));
        env.control(workflow, Action::Resume).await;
        env.run_until_idle().await;

        assert_eq!(env.lines("out/handled.txt"), ["one", "two"]);
        assert_eq!(env.statuses(workflow, "work").await, ["consumed"; 2]);
    }

    async fn an_idle_workflow_makes_no_sessions(env: TestEnv) {
        let workflow = env.deploy("paused", PAUSED).await;
        env.run_until_idle().await;
        let before = env.last_session(workflow).await;

        env.run_after(Duration::from_secs(10)).await;
        env.run_after(Duration::from_secs(10)).await;

        assert_eq!(env.last_session(workflow).await, before);
    }
    async fn more_workflows_than_one_look_takes_all_get_their_turn(env: TestEnv) {
        let mut workflows = Vec::new();
        for nth in 0..=100 {
            workflows.push(env.deploy(&format!("w{nth}"), QUIET).await);
        }
        env.run_until_idle().await;

        env.run_after(Duration::from_secs(300)).await;

        for workflow in workflows {
            let polls = env.runs(workflow).await.into_iter().filter(|run| run.handler == "poll");
            assert_eq!(polls.filter(|run| run.status == Status::Committed).count(), 2);
        }
    }
}
