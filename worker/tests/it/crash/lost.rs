//! Answers that are lost for real: a server that obeys and says nothing, and workers that are killed in between.

use std::time::Duration;

use serde_json::json;
use windlass_core::{MutationStatus, ResolvedBy};
use windlass_store::{Resolution, ResolveMutation, SharedStore, Workflow, WorkflowOverview};

use crate::crash::deployment::{Database, Deployment, workflows};
use crate::crash::unreliable_server::{Random, UnreliableServer};

/// The workflows, each with its share of a hundred orders, by what can be known of their requests: sent again under the same key,
/// asked for, or nothing at all. Those that ask have to wait until an absence counts, and so get less to do.
const WORKFLOWS: [(&str, usize); 8] = [
    ("keyed-1", 18),
    ("keyed-2", 18),
    ("asked-1", 8),
    ("asked-2", 8),
    ("asked-3", 8),
    ("asked-4", 8),
    ("plain-1", 16),
    ("plain-2", 16),
];

/// Far from those of a deployment: so much goes wrong here, and all of it within seconds. What can be found out is looked for until
/// it is; a person is asked about the rest alone.
const LIMITS: &str = "
[limits.transient]
base_ms = 10
cap_ms = 50
tries = 1000000
[limits.lookup]
attempts = 1000000
base_ms = 20
cap_ms = 200
timeout_ms = 500
[limits.effects]
mutations_per_hour = 0
doubts_per_hour = 0
[limits.events]
park_after = 0
";

const ORDERS: &str = r#"
const workflow = {
  topics: { orders: {} },
  producers: {
    fill: {
      publishes: ["orders"], schedule: { interval: "1d" },
      handler: async () => {
        const inputId = await Topics.registerInput({ source: "System", type: "random", id: "1", title: "all orders" });
        for (let n = 0; n < $ORDERS; n += 1) {
          await Topics.publish({ topic: "orders", event: { messageId: `${n}`, payload: {}, inputId } });
        }
      },
    },
  },
  consumers: {
    send: {
      subscribe: ["orders"],
      prepare: async () => {
        const [event] = await Topics.peek({ topic: "orders", limit: 1 });
        if (!event) return { reservations: [] };
        return { reservations: [{ topic: "orders", ids: [event.messageId] }], data: event.messageId };
      },
      mutate: async ({ data }) => { await Http.post({ url: `$URL/${data}`, body: { order: data } }); },
      next: async (prepared, result) => ({ status: result.status }),
    },
  },
};
"#;

#[test]
fn crash_and_lost_answers_leave_every_effect_once_on_sqlite() {
    lost_answers(Database::Sqlite);
}

#[test]
fn crash_and_lost_answers_leave_every_effect_once_on_postgres() {
    lost_answers(Database::Postgres);
}

fn lost_answers(database: Database) {
    let seed = number("WINDLASS_SEED").unwrap_or(0x5EED);
    let is_soak = number("WINDLASS_SOAK").is_some_and(|it| it > 0);
    let n_hundreds = if is_soak { 100 } else { 2 };
    let n_orders = n_hundreds * 100;
    eprintln!("seed {seed}, {n_orders} orders");
    let shop = UnreliableServer::start(seed);
    let Some(deployment) = deployment(database, &shop, n_hundreds) else { return };
    let mut kills = 0;
    let mut person = Person { shop: &shop, n_answers: 0 };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(deployment.open());
    let workflows = runtime.block_on(workflows(&store));

    let mut random = Random(seed);
    let mut worker = deployment.up();
    while !runtime.block_on(all_done(&store, &workflows, n_orders)) {
        let n_looks = 10 + random.below(50);
        runtime.block_on(person.answer_all(n_looks, &store, &workflows));
        drop(worker);
        kills += 1;
        assert!(kills < 20 + n_orders, "does not come to an end");
        shop.settle();
        worker = deployment.up();
    }
    drop(worker);

    for (workflow, share) in WORKFLOWS {
        for order in 0..share * n_hundreds {
            assert_eq!(shop.effects(&format!("/{workflow}/{order}")), 1, "{workflow} {order}");
        }
    }
    assert_eq!(shop.n_effects(), n_orders);
    let n_found = runtime.block_on(check_ledger(&store, &workflows, &shop));
    let fates = shop.fates();
    eprintln!("{fates:?}, {kills} kills, {n_found} found out, {} asked", person.n_answers);
    assert!(fates.len() == 6 && kills > 0 && n_found > 0 && person.n_answers > 0);
}

/// A folder with all workflows.
fn deployment(
    database: Database,
    shop: &UnreliableServer,
    n_hundreds: usize,
) -> Option<Deployment> {
    let url = format!("http://{}", shop.address());
    let mut config = format!("{LIMITS}[tools.http]\nallow = [\"{}\"]\n", shop.address());
    for (workflow, _) in WORKFLOWS {
        let way = match workflow.split_once('-').unwrap().0 {
            "keyed" => "idempotent = true".to_owned(),
            "asked" => format!(
                "absence_after_s = 1\nlook_up = {{ url = \"{url}/{workflow}?key={{key}}\" }}"
            ),
            _ => continue,
        };
        config += &format!("[[tools.http.endpoints]]\nurl = \"{url}/{workflow}\"\n{way}\n");
    }
    let deployment = Deployment::empty(database, "")?;
    deployment.write("windlass.toml", &config);
    for (workflow, share) in WORKFLOWS {
        let script = ORDERS.replace("$ORDERS", &(share * n_hundreds).to_string());
        deployment.write("workflow.js", &script.replace("$URL", &format!("{url}/{workflow}")));
        deployment.must(&["deploy", "workflow.js", "--name", workflow, "--activate", "--yes"]);
    }
    Some(deployment)
}

async fn all_done(store: &SharedStore, workflows: &[Workflow], n_orders: usize) -> bool {
    let mut n_done = 0;
    for workflow in workflows {
        let WorkflowOverview { events, .. } =
            store.overview(workflow.workspace_id, workflow.id).await.unwrap();
        n_done += events.values().map(|it| it.consumed + it.skipped).sum::<u32>();
    }
    usize::try_from(n_done).unwrap() >= n_orders
}

/// Who is asked, and can see what really happened.
struct Person<'a> {
    shop: &'a UnreliableServer,
    n_answers: usize,
}

impl Person<'_> {
    /// Answers what is asked, and looks so often whether something is.
    async fn answer_all(&mut self, n_looks: u64, store: &SharedStore, workflows: &[Workflow]) {
        for _ in 0..n_looks {
            for workflow in workflows {
                self.answer(store, workflow).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn answer(&mut self, store: &SharedStore, workflow: &Workflow) {
        let overview = store.overview(workflow.workspace_id, workflow.id).await.unwrap();
        let is_question = |status| status == MutationStatus::Indeterminate;
        for question in overview.in_doubt.into_iter().filter(|it| is_question(it.status)) {
            assert!(!question.reconcilable, "asked what can be found out: {question:#?}");
            let resolution = match (self.shop.knows(&question.idempotency_key), self.n_answers % 2)
            {
                (false, _) => Resolution::DidNotHappen,
                (true, 0) => Resolution::Skip,
                (true, _) => {
                    Resolution::Happened(json!({"status": 201, "headers": {}, "body": null}))
                }
            };
            let (mutation, actor) = (question.id, "shop".to_owned());
            let workspace = workflow.workspace_id;
            let answer = ResolveMutation { workspace, mutation, resolution, actor, reason: None };
            store.resolve_mutation(answer).await.unwrap();
            self.n_answers += 1;
        }
    }
}

/// No row is open, and none says that an effect happened which did not. Returns how many doubts were settled without a person.
async fn check_ledger(
    store: &SharedStore,
    workflows: &[Workflow],
    shop: &UnreliableServer,
) -> usize {
    let mut n_found = 0;
    for workflow in workflows {
        for row in store.all_mutations(workflow.workspace_id, workflow.id).await.unwrap() {
            assert!(!row.status.is_uncertain(), "{row:#?}");
            let says_applied = row.status == MutationStatus::Applied;
            assert!(!says_applied || shop.knows(&row.idempotency_key), "{row:#?}");
            n_found += usize::from(row.resolved_by == Some(ResolvedBy::Reconciliation));
        }
    }
    n_found
}

#[expect(clippy::disallowed_methods, reason = "how long it takes is chosen from outside")]
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
