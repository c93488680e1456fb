//! Every class of failure: what stops, who is told, and how it goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use windlass_core::{
    Action, Backoff, Clock, Failure, FailureClass, MutationStatus, Outcome, Phase, Policy, Sent,
    Service, SessionResult, Status, Text, WorkflowId, WorkflowStatus,
};
use windlass_store::{Bump, NotificationKind};
use windlass_store_conformance::failing::{CONSEQUENCES, WaitsFor};

use crate::scenarios::env::TestEnv;
use crate::scenarios::failures::{PUBLISH, row};
use crate::scenarios::fake_tool::Behavior;
use crate::scenarios::scenarios;

/// The call that fails: a read in `prepare`, or the mutation before it is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum FailedCall {
    Read,
    Mutation,
}

/// A workflow in which one call fails.
#[derive(Debug)]
struct Case {
    workflow: WorkflowId,
    name: String,
    source: String,
    failed_call: FailedCall,
    class: FailureClass,
    status: Status,
    waits_for: WaitsFor,
}

impl Case {
    async fn deploy(
        env: &TestEnv,
        failed_call: FailedCall,
        (class, status, waits_for): (FailureClass, Status, WaitsFor),
    ) -> Self {
        let name = format!("{failed_call:?}-{class}");
        let read = format!(r#"await FakeTool.read({{ name: "Read in {name}" }});"#);
        let change = format!(r#"await FakeTool.change({{ name: "Mutation in {name}" }});"#);
        // A failure about an event would only park the event.
        let source = row(&read, &change, PUBLISH)
            .replace("subscribe: [\"mails\"],", "subscribe: [\"mails\"], onFailure: \"stop\",");
        let service = Service { name: "fake_tool".to_owned(), account: Some("ada".to_owned()) };
        let failure = Failure {
            service: Some(Box::new(service)),
            ..Failure::new(class, format!("{failed_call:?} failed by {class}"))
        };
        env.fake_tool
            .set_behavior(&format!("{failed_call:?} in {name}"), Behavior::Fail(failure, Sent::No));
        let workflow = env.deploy(&name, &source).await;
        Self { workflow, name, source, failed_call, class, status, waits_for }
    }

    fn error(&self) -> String {
        format!("{:?} failed by {}", self.failed_call, self.class)
    }

    fn n_calls(&self, env: &TestEnv, failed_call: FailedCall) -> usize {
        env.fake_tool.n_calls(&format!("{failed_call:?} in {}", self.name))
    }

    async fn has_stopped(&self, env: &TestEnv) {
        let runs = env.runs(self.workflow).await;
        let run = runs.iter().find(|run| run.status == self.status).unwrap();
        let (phase, outcome, attempt) = match self.failed_call {
            FailedCall::Read => (Phase::Preparing, None, 1),
            FailedCall::Mutation => (Phase::Mutated, Some(Outcome::Failure), 2),
        };
        assert_eq!((run.phase, run.mutation_outcome), (phase, outcome), "{self:?}");
        assert_eq!((run.error.clone(), run.error_class), (Some(self.error()), Some(self.class)));
        let event = env.events(self.workflow, "mails").await.remove(0);
        assert_eq!((event.status.to_text().as_str(), event.attempt_number), ("pending", attempt));
        let ledger: Vec<_> = env.outputs(self.workflow).await.iter().map(|it| it.status).collect();
        let failed = usize::from(self.failed_call == FailedCall::Mutation);
        assert_eq!(ledger, vec![MutationStatus::Failed; failed], "nobody is asked: {self:?}");
        let session = env.store.session(env.workspace, run.session_id).await.unwrap();
        assert_eq!(
            (session.result, session.error_class),
            (Some(SessionResult::Failed), Some(self.class))
        );
        assert_eq!(self.n_calls(env, self.failed_call), 1, "nothing goes on by itself: {self:?}");
    }

    async fn holds_its_workflow(&self, env: &TestEnv) {
        let seen = env.workflow(self.workflow).await;
        assert_eq!((seen.status, seen.pending_retry_run_id), (WorkflowStatus::Active, None));
        let asks = (self.waits_for == WaitsFor::Person).then(|| self.error());
        assert_eq!((seen.error_class, seen.error), (asks.as_ref().map(|_| self.class), asks));
        assert_eq!(seen.maintenance, self.waits_for == WaitsFor::Repair, "{self:?}");
        let pause = seen.backoff_until.map(|until| until.since(env.clock.now()).as_secs());
        assert_eq!(pause, (self.waits_for == WaitsFor::Time).then_some(10), "{self:?}");

        let notices = env.notices(self.workflow).await;
        let kinds: Vec<_> = notices.iter().map(|notice| notice.kind).collect();
        match self.waits_for {
            WaitsFor::Time => assert_eq!(kinds, []),
            WaitsFor::Repair => assert_eq!(kinds, [NotificationKind::ScriptFailed]),
            WaitsFor::Person => assert_eq!(kinds, [NotificationKind::Error]),
        }
        let told = format!("{} (`fake_tool` as `ada`)", self.error());
        assert!(notices.iter().all(|notice| notice.body.contains(&told)), "{notices:?}");
    }

    async fn mend(&self, env: &TestEnv) {
        env.fake_tool
            .set_behavior(&format!("{:?} in {}", self.failed_call, self.name), Behavior::Succeed);
        match self.waits_for {
            WaitsFor::Time => {}
            WaitsFor::Person => env.control(self.workflow, Action::Resume).await,
            WaitsFor::Repair => {
                let repaired = format!("{}// repaired", self.source);
                env.deploy_as(&self.name, &repaired, Bump::Minor).await.unwrap();
            }
        }
    }

    async fn went_on(&self, env: &TestEnv) {
        assert_eq!(env.statuses(self.workflow, "mails").await, ["consumed"], "{self:?}");
        let outputs = env.outputs(self.workflow).await;
        let applied = outputs.iter().filter(|it| it.status == MutationStatus::Applied).count();
        let refused = usize::from(self.failed_call == FailedCall::Mutation);
        assert_eq!((applied, outputs.len()), (1, 1 + refused), "{self:?}");
        assert_eq!(self.n_calls(env, FailedCall::Mutation), 1 + refused, "{self:?}");
        let runs = env.runs(self.workflow).await;
        assert_eq!(
            runs.iter().filter(|run| run.status == self.status).count(),
            1,
            "it stays stopped"
        );
        assert!(runs.iter().all(|run| run.retry_of.is_none()), "it begins from scratch: {self:?}");
        let seen = env.workflow(self.workflow).await;
        assert_eq!((seen.error, seen.maintenance, seen.backoff_until), (None, false, None));
        assert_eq!(seen.transient_failures, 0);
        assert_eq!(env.notices(self.workflow).await, []);
    }
}

scenarios! {
    async fn every_class_of_failure_stops_visibly_and_goes_on_without_a_second_effect(env: TestEnv) {
        let classes: Vec<_> = CONSEQUENCES.iter().map(|(class, ..)| *class).collect();
        assert_eq!(classes, FailureClass::ALL);
        let mut cases = Vec::new();
        for consequence in CONSEQUENCES {
            for failed_call in [FailedCall::Read, FailedCall::Mutation] {
                cases.push(Case::deploy(&env, failed_call, consequence).await);
            }
        }

        env.run_until_idle().await;
        env.run_until_idle().await;

        for case in &cases {
            case.has_stopped(&env).await;
            case.holds_its_workflow(&env).await;
            case.mend(&env).await;
        }
        env.run_after(Duration::from_secs(10)).await;
        for case in &cases {
            case.went_on(&env).await;
        }
    }

    async fn a_back_off_with_its_jitter_outlives_the_worker(env: TestEnv) {
        let transient = Backoff { jitter_percent: 50, ..Backoff::default() };
        let policy = Policy { transient, ..Policy::default() };
        let env = env.restarted(policy.clone()).await;
        env.fake_tool.set_behavior("feed", Behavior::Fail(Failure::network("the line is down"), Sent::No));
        let mut workflows = Vec::new();
        for name in ["a", "b", "c", "d"] {
            let source = row(r#"await FakeTool.read({ name: "feed" });"#, "", PUBLISH);
            workflows.push(env.deploy(name, &source).await);
        }
        env.run_until_idle().await;
        let mut ends = Vec::new();
        for workflow in &workflows {
            ends.push(env.workflow(*workflow).await.backoff_until.unwrap());
        }
        let now = env.clock.now();
        let pauses: Vec<_> = ends.iter().map(|end| end.since(now)).collect();
        let allowed = Duration::from_secs(10)..=Duration::from_secs(15);
        assert!(pauses.iter().all(|pause| allowed.contains(pause)), "{pauses:?}");
        assert!(pauses.iter().collect::<BTreeSet<_>>().len() > 1, "what failed together does not come back together: {pauses:?}");

        let env = env.restarted(policy).await;
        let first = *pauses.iter().min().unwrap();
        let n_first = pauses.iter().filter(|pause| **pause == first).count();
        env.run_after(first - Duration::from_millis(1)).await;
        assert_eq!(env.fake_tool.n_calls("feed"), 4, "nobody begins before its time");
        env.run_after(Duration::from_millis(1)).await;
        assert_eq!(env.fake_tool.n_calls("feed"), 4 + n_first);
        env.run_after(*pauses.iter().max().unwrap() - first).await;

        assert_eq!(env.fake_tool.n_calls("feed"), 8);
        for workflow in workflows {
            let seen = env.workflow(workflow).await;
            assert_eq!((seen.transient_failures, seen.error), (2, None), "the row of failures is remembered");
        }
    }
}
