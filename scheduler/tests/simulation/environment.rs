//! What many histories share: the sandbox, the database, the clock and the services outside.

use std::sync::Arc;

use windlass_core::{
    Grant, Manifest, ManualClock, Timestamp, WorkflowId, WorkspaceId, digest_text,
};
use windlass_sandbox::{Sandbox, Script};
use windlass_scheduler::Registry;
use windlass_store::{ActivateScript, Bump, SaveScript, SharedStore, Store};

use crate::database::{Database, FreshDatabase, WORKERS, policy};
use crate::gate::{Gate, Gates};
use crate::plans::{WORKSTREAMS, plan};
use crate::rng::Rng;
use crate::services::{ServiceKind, Services};
use crate::shop::{SCRIPT, Shop, WORKFLOWS};
use crate::tools::registry;

/// The time at which every history begins.
const START: &str = "2026-03-02T07:00:00Z";

/// What happens in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Workers are lost, clocks step, services lose answers.
    Faults,
    /// The same, and older backups of the database are restored. Then only services that recognise keys can prevent that what came
    /// after the backup is done again, so there are no others.
    RestoredBackups,
    /// The same faults, and the workflows are plans with people in them.
    Plans,
    /// Plans, and older backups of the database are restored. A run that began after the backup is lost with all its keys, so no run
    /// replaces another one.
    RestoredPlans,
}

impl Scenario {
    /// The services that the shop's messages are for.
    pub(crate) const fn services(self) -> &'static [ServiceKind] {
        match self {
            Self::Faults | Self::Plans => &ServiceKind::ALL,
            Self::RestoredBackups | Self::RestoredPlans => &[ServiceKind::Idempotent],
        }
    }

    /// Whether the workflows are plans.
    pub(crate) const fn has_plans(self) -> bool {
        matches!(self, Self::Plans | Self::RestoredPlans)
    }

    /// Whether backups of the database are restored.
    pub(crate) const fn has_backups(self) -> bool {
        matches!(self, Self::RestoredBackups | Self::RestoredPlans)
    }
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Faults => "faults",
            Self::RestoredBackups => "restored backups",
            Self::Plans => "plans",
            Self::RestoredPlans => "plans and restored backups",
        })
    }
}

/// The environment of histories, one after the other.
pub(crate) struct Environment {
    /// The true time, which also moves while the database's clock steps.
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database_clock: Arc<ManualClock>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) services: Arc<Services>,
    pub(crate) shop: Arc<Shop>,
    pub(crate) sandbox: Sandbox,
    /// The tools of each worker.
    pub(crate) registries: Vec<Arc<Registry>>,
    pub(crate) database: FreshDatabase,
    pub(crate) scenario: Scenario,
    manifest: Manifest,
    grant: Grant,
}

impl Environment {
    /// None where the environment names no PostgreSQL.
    pub(crate) async fn make(database: Database, scenario: Scenario) -> Option<Self> {
        let clock = Arc::new(ManualClock::new(start()));
        let database_clock = Arc::new(ManualClock::new(start()));
        let database = FreshDatabase::make(database, &database_clock).await?;
        let gates = Arc::new(Gates::default());
        let services = Arc::new(Services::new(Arc::clone(&clock)));
        let shop = Arc::new(Shop::new(Arc::clone(&clock)));
        let registry_of = |worker| {
            let gate = Gate { gates: Arc::clone(&gates), worker };
            Arc::new(registry(&gate, &services, &shop))
        };
        let registries: Vec<_> = (0..WORKERS).map(registry_of).collect();
        let sandbox = Sandbox::start(windlass_sandbox::Options {
            limits: policy().script,
            functions: registries[0].functions(),
            max_threads: WORKERS,
            cores: WORKERS,
        });
        let manifest = sandbox.check(script(), "UTC").await.unwrap();
        let grant = sandbox.tools_of(&script()).await;
        Some(Self {
            clock,
            database_clock,
            gates,
            services,
            shop,
            sandbox,
            registries,
            database,
            scenario,
            manifest,
            grant,
        })
    }

    /// Begins a history in a new state.
    pub(crate) async fn reset(&mut self, rng: &mut Rng) -> Vec<SharedStore> {
        self.clock.set(start());
        self.database_clock.set(start());
        self.gates.reset();
        self.services.reset(Rng::new(rng.next()), self.scenario);
        self.shop.reset(rng, self.scenario.services());
        self.database.stores(&self.database_clock).await
    }

    /// Deploys and activates the script under each of its names, or starts the plans.
    pub(crate) async fn deploy(
        &self,
        store: &dyn Store,
        rng: &mut Rng,
    ) -> (WorkspaceId, Vec<WorkflowId>) {
        let workspace = store.ensure_workspace("default").await.unwrap();
        let mut workflows = Vec::new();
        if self.scenario.has_plans() {
            for name in WORKSTREAMS {
                let plan = plan(workspace, name, self.scenario.services(), rng);
                store.start_plan(plan).await.unwrap();
                workflows.push(store.find_workflow(workspace, name).await.unwrap().id);
            }
            return (workspace, workflows);
        }
        for name in WORKFLOWS {
            let params = SaveScript {
                workspace,
                name: name.to_owned(),
                file_name: script().name.to_string(),
                source: SCRIPT.to_owned(),
                manifest: self.manifest.clone(),
                grant: self.grant.clone(),
                comment: String::new(),
                bump: Bump::Major,
                actor: "test".to_owned(),
            };
            let saved = store.save_script(params).await.unwrap().script;
            let (workflow, script) = (saved.workflow_id, saved.id);
            let params = ActivateScript { workspace, workflow, script, actor: "test".to_owned() };
            store.activate_script(params).await.unwrap();
            workflows.push(workflow);
        }
        (workspace, workflows)
    }
}

fn start() -> Timestamp {
    Timestamp::parse(START).unwrap()
}

fn script() -> Script {
    Script { name: "shop.js".into(), source: SCRIPT.into(), digest: digest_text(SCRIPT).into() }
}
