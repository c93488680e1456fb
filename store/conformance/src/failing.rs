//! Every class of failure, before the effect, during it and after it: what is written together, and what follows.

use windlass_core::{
    Action, EventStatus, Failure, FailureClass, MutationStatus, NoEffect, Outcome, Phase, Service,
    SessionResult, Status, WorkflowStatus,
};
use windlass_store::{Bump, ClaimedRun, FailMutation, NotificationKind, StopRun};

use crate::world::{TestStore, World, pipeline, seconds};

/// What a workflow waits for after a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WaitsFor {
    Time,
    Repair,
    Person,
}

/// What follows a failure of each class that is not about one event alone: the status of its run, and what its workflow waits for.
pub const CONSEQUENCES: [(FailureClass, Status, WaitsFor); 7] = [
    (FailureClass::Auth, Status::PausedApproval, WaitsFor::Person),
    (FailureClass::Permission, Status::PausedApproval, WaitsFor::Person),
    (FailureClass::Network, Status::PausedTransient, WaitsFor::Time),
    (FailureClass::Logic, Status::FailedLogic, WaitsFor::Repair),
    (FailureClass::Internal, Status::FailedInternal, WaitsFor::Person),
    (FailureClass::ApiKey, Status::FailedInternal, WaitsFor::Person),
    (FailureClass::Balance, Status::FailedInternal, WaitsFor::Person),
];

/// Where a run fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum FailurePoint {
    Before,
    During,
    After,
}

/// A workflow whose run failed.
struct Case {
    world: World,
    name: String,
    point: FailurePoint,
    run: ClaimedRun,
    failure: Failure,
    status: Status,
    waits_for: WaitsFor,
}

impl Case {
    async fn new(
        test_store: &TestStore,
        point: FailurePoint,
        (class, status, waits_for): (FailureClass, Status, WaitsFor),
    ) -> Self {
        let name = format!("{point:?} {class}");
        let world = World::empty(test_store.clone()).await.polled(&name, &["m1"]).await;
        let service = Service { name: "mail".to_owned(), account: Some("ada".to_owned()) };
        let failure = Failure {
            service: Some(Box::new(service)),
            ..Failure::new(class, format!("{name} went wrong"))
        };
        let run = fail(&world, point, failure.clone()).await;
        Self { world, name, point, run, failure, status, waits_for }
    }

    fn is_past_effect(&self) -> bool {
        self.point == FailurePoint::After
    }

    async fn run_has_stopped(&self) {
        let seen = self.world.run(self.run.claim.run).await;
        let (phase, outcome) = match self.point {
            FailurePoint::Before => (Phase::Mutating, None),
            FailurePoint::During => (Phase::Mutated, Some(Outcome::Failure)),
            FailurePoint::After => (Phase::Emitting, Some(Outcome::Success)),
        };
        assert_eq!((seen.status, seen.phase), (self.status, phase), "{}", self.name);
        assert_eq!(seen.mutation_outcome, outcome, "{}", self.name);
        assert_eq!(seen.error.as_ref(), Some(&self.failure.message));
        assert_eq!((seen.error_class, seen.ended_at.is_some()), (Some(self.failure.class), true));
        let session = self.world.session_of(seen.id).await;
        assert_eq!(session.result, Some(SessionResult::Failed), "{}", self.name);
        assert_eq!(session.error.as_ref(), Some(&self.failure.message));
        assert_eq!(session.error_class, Some(self.failure.class));
        let event = self.world.event("mail", "m1").await;
        let (status, owner, attempt) = if self.is_past_effect() {
            (EventStatus::Reserved, Some(seen.id), 1)
        } else {
            (EventStatus::Pending, None, 2)
        };
        assert_eq!((event.status, event.reserved_by_run_id), (status, owner), "{}", self.name);
        assert_eq!(event.attempt_number, attempt, "{}", self.name);
    }

    async fn workflow_is_held(&self) {
        let seen = self.world.current().await;
        let asks = (self.waits_for == WaitsFor::Person).then(|| self.failure.message.clone());
        assert_eq!(seen.status, WorkflowStatus::Active, "the person's control is the person's");
        let marked = self.is_past_effect().then_some(self.run.claim.run);
        assert_eq!(seen.pending_retry_run_id, marked, "{}", self.name);
        assert_eq!(seen.error_class, asks.as_ref().map(|_| self.failure.class), "{}", self.name);
        assert_eq!(seen.error, asks, "{}", self.name);
        assert_eq!(seen.maintenance, self.waits_for == WaitsFor::Repair, "{}", self.name);
        let wait = (self.waits_for == WaitsFor::Time).then_some(seconds(10));
        let now = self.world.store.now().await.unwrap();
        assert_eq!(seen.backoff_until.map(|until| until.since(now)), wait, "{}", self.name);
        assert_eq!(self.world.claim().await, None, "{}", self.name);

        let notices = self.world.open_notifications().await;
        let notices: Vec<_> =
            notices.iter().filter(|it| it.workflow_id == self.world.workflow).collect();
        let kinds: Vec<_> = notices.iter().map(|notice| notice.kind).collect();
        match self.waits_for {
            WaitsFor::Time => assert_eq!(kinds, [], "{}", self.name),
            WaitsFor::Repair => assert_eq!(kinds, [NotificationKind::ScriptFailed]),
            WaitsFor::Person => assert_eq!(kinds, [NotificationKind::Error], "{}", self.name),
        }
        let told = format!("{} (`mail` as `ada`)", self.failure.message);
        assert!(notices.iter().all(|notice| notice.body.contains(&told)), "{notices:?}");
    }

    /// What it waits for comes, and it goes on from scratch or from its `next`.
    async fn goes_on(&self) {
        let world = &self.world;
        match self.waits_for {
            WaitsFor::Time => world.advance(seconds(10)),
            WaitsFor::Repair => {
                let saved = world.save(&self.name, "// repaired", pipeline(), Bump::Minor).await;
                world.activate(saved.script.id).await.unwrap();
            }
            WaitsFor::Person => {
                world.control(Action::Resume).await.unwrap();
            }
        }
        let next = world.take("record").await;
        let (phase, retry_of) = if self.is_past_effect() {
            (Phase::Emitting, Some(self.run.claim.run))
        } else {
            (Phase::Preparing, None)
        };
        assert_eq!((next.state.phase, next.state.status), (phase, Status::Active), "{}", self.name);
        assert_eq!(world.run(next.claim.run).await.retry_of, retry_of, "{}", self.name);
        if !self.is_past_effect() {
            world.prepare(&next, vec![crate::world::reservation("mail", &["m1"])]).await.unwrap();
            let mutation = world.begin(&next).await.unwrap();
            world.apply(next.claim, mutation).await.unwrap();
        }
        world.commit(&next, Vec::new()).await.unwrap();
        assert_eq!(world.event("mail", "m1").await.status, EventStatus::Consumed, "{}", self.name);
        let ledger = world.store.all_mutations(world.workspace, world.workflow).await.unwrap();
        let applied = ledger.iter().filter(|row| row.status == MutationStatus::Applied);
        assert_eq!(applied.count(), 1, "{}", self.name);
        let seen = world.current().await;
        assert_eq!((seen.error, seen.maintenance, seen.pending_retry_run_id), (None, false, None));
        let open = world.open_notifications().await;
        assert!(open.iter().all(|it| it.workflow_id != world.workflow), "{open:?}");
    }
}

/// Lets a run of `record` fail there.
async fn fail(world: &World, point: FailurePoint, failure: Failure) -> ClaimedRun {
    let stop = |run: &ClaimedRun, entered, failure| StopRun {
        claim: run.claim,
        entered: Some(entered),
        failure,
        seen: Vec::new(),
        logs: Vec::new(),
    };
    match point {
        FailurePoint::Before => {
            let run = world.reserve(&["m1"]).await;
            world.store.stop_run(stop(&run, Phase::Mutating, failure)).await.unwrap();
            run
        }
        FailurePoint::During => {
            let (run, mutation) = world.mutating(&["m1"]).await;
            let claim = run.claim;
            let params = FailMutation {
                claim,
                mutation,
                failure,
                no_effect: NoEffect::Refused,
                goes_on: false,
            };
            world.store.fail_mutation(params).await.unwrap();
            run
        }
        FailurePoint::After => {
            let (run, _) = world.mutated(&["m1"]).await;
            world.store.stop_run(stop(&run, Phase::Emitting, failure)).await.unwrap();
            run
        }
    }
}

pub async fn every_class_of_failure_has_its_consequences_and_its_way_on(test_store: TestStore) {
    assert_eq!(CONSEQUENCES.map(|(class, ..)| class), FailureClass::ALL);
    for consequence in CONSEQUENCES {
        for point in [FailurePoint::Before, FailurePoint::During, FailurePoint::After] {
            // Then the event is parked, and the workflow continues: `blaming` tests it.
            if consequence.0 == FailureClass::Logic && point != FailurePoint::After {
                continue;
            }
            let case = Case::new(&test_store, point, consequence).await;
            case.run_has_stopped().await;
            case.workflow_is_held().await;
            case.goes_on().await;
        }
    }
}

pub async fn who_asks_to_wait_is_not_tried_before(test_store: TestStore) {
    for point in [FailurePoint::Before, FailurePoint::During, FailurePoint::After] {
        let name = format!("{point:?}");
        let world = World::empty(test_store.clone()).await.polled(&name, &["m1"]).await;
        let now = world.store.now().await.unwrap();

        fail(&world, point, Failure::network("busy").asked_to_wait(seconds(3_600), now)).await;

        let seen = world.current().await;
        assert_eq!(seen.backoff_until, Some(now.after(seconds(3_600))), "{name}");
        world.advance(seconds(3_599));
        assert_eq!(world.claim().await, None, "{name}");
        world.advance(seconds(1));
        world.take("record").await;
    }
}
