//! The effects of a test's workflow: begun, settled, looked up, and resolved by a person.

use std::time::Duration;

use serde_json::json;
use windlass_core::{
    Failure, FailureClass, LookupResult, MutationId, MutationStatus, NoEffect, ResolutionKind,
};
use windlass_store::{
    ApplyMutation, BeginMutation, BegunMutation, Claim, ClaimLookups, ClaimedRun, DoubtMutation,
    DueLookup, FailMutation, Mutation, ReplayEvents, ReplaySelection, ResolveMutation, Result,
    SettleLookup, SettledEvents,
};

use super::World;
use crate::builders::{failure, resolution, seconds};

impl World {
    pub async fn begin(&self, run: &ClaimedRun) -> Result<MutationId> {
        self.begin_as(run, false).await
    }

    /// The same, where the tool can look the effect up or not.
    pub async fn begin_as(&self, run: &ClaimedRun, reconcilable: bool) -> Result<MutationId> {
        Ok(self.try_begin(run, reconcilable).await?.id)
    }

    /// The same; the whole answer.
    pub async fn begun_as(&self, run: &ClaimedRun, reconcilable: bool) -> BegunMutation {
        self.try_begin(run, reconcilable).await.unwrap()
    }

    async fn try_begin(&self, run: &ClaimedRun, reconcilable: bool) -> Result<BegunMutation> {
        let params = BeginMutation {
            claim: run.claim,
            tool_namespace: "Files".to_owned(),
            tool_method: "append".to_owned(),
            params: json!({ "path": "ledger.csv", "line": "a;b" }),
            target: "ledger.csv".to_owned(),
            place: Some("the place".to_owned()),
            ui_title: "add a row".to_owned(),
            reconcilable,
            price: 0,
            logs: Vec::new(),
        };
        self.store.begin_mutation(params).await
    }

    /// A run of `record` whose request is under way.
    pub async fn mutating(&self, mails: &[&str]) -> (ClaimedRun, MutationId) {
        let run = self.reserve(mails).await;
        let mutation = self.begin(&run).await.unwrap();
        (run, mutation)
    }

    /// A run of `record` whose effect happened.
    pub async fn mutated(&self, mails: &[&str]) -> (ClaimedRun, MutationId) {
        let (run, mutation) = self.mutating(mails).await;
        self.apply(run.claim, mutation).await.unwrap();
        (run, mutation)
    }

    /// A run of `record` of whose effect nobody knows, and its mutation.
    pub async fn doubtful(&self, mails: &[&str]) -> (ClaimedRun, MutationId) {
        let (run, mutation) = self.mutating(mails).await;
        self.doubt(run.claim, mutation).await.unwrap();
        (run, mutation)
    }

    pub async fn apply(&self, claim: Claim, mutation: MutationId) -> Result<()> {
        let result = json!({ "row": 7 });
        let params = ApplyMutation { claim, mutation, result, resolved_by: None };
        self.store.apply_mutation(params).await
    }

    pub async fn fail(
        &self,
        claim: Claim,
        mutation: MutationId,
        class: FailureClass,
    ) -> Result<()> {
        self.refused(claim, mutation, class, false).await
    }

    /// The request is refused, and the run stops or goes on with that.
    pub async fn refused(
        &self,
        claim: Claim,
        mutation: MutationId,
        class: FailureClass,
        goes_on: bool,
    ) -> Result<()> {
        let (failure, no_effect) = (failure(class), NoEffect::Refused);
        let params = FailMutation { claim, mutation, failure, no_effect, goes_on };
        self.store.fail_mutation(params).await
    }

    /// The run stops because of the network, and its worker knows why nothing happened.
    pub async fn fail_because(
        &self,
        claim: Claim,
        mutation: MutationId,
        no_effect: NoEffect,
    ) -> Result<()> {
        let failure = failure(FailureClass::Network);
        let params = FailMutation { claim, mutation, failure, no_effect, goes_on: false };
        self.store.fail_mutation(params).await
    }

    pub async fn doubt(&self, claim: Claim, mutation: MutationId) -> Result<()> {
        let failure = Failure::network("the answer was lost");
        let params = DoubtMutation { claim, mutation, failure, looked_up: None };
        self.store.doubt_mutation(params).await
    }

    /// A run of `record` whose effect is in doubt and can be looked up; its worker has looked in vain.
    pub async fn looked_up(&self, mails: &[&str]) -> (ClaimedRun, MutationId) {
        let run = self.reserve(mails).await;
        let mutation = self.begin_as(&run, true).await.unwrap();
        let failure = Failure::network("the answer was lost");
        let looked_up = Some(Duration::ZERO);
        let params = DoubtMutation { claim: run.claim, mutation, failure, looked_up };
        self.store.doubt_mutation(params).await.unwrap();
        (run, mutation)
    }

    /// A person who knows of these effects has events processed once more.
    pub async fn replay(
        &self,
        selection: ReplaySelection,
        known_effects: &[MutationId],
    ) -> Result<SettledEvents> {
        let params = ReplayEvents {
            workspace: self.workspace,
            selection,
            known_effects: known_effects.to_vec(),
            actor: "ada".to_owned(),
            reason: "the filter is mended".to_owned(),
        };
        self.store.replay_events(params).await
    }

    /// Takes what is due to be looked up.
    pub async fn due_lookups(&self) -> Vec<DueLookup> {
        let params = ClaimLookups { of: None, limit: 10, time: seconds(60) };
        self.store.claim_lookups(params).await.unwrap()
    }

    /// Lets the tool find this at its next attempt, or at once where none is due.
    pub async fn find(
        &self,
        mutation: MutationId,
        finding: LookupResult,
    ) -> Result<MutationStatus> {
        let attempt = self.mutation(mutation).await.reconcile_attempts;
        self.store
            .settle_lookup(SettleLookup { workspace: self.workspace, mutation, attempt, finding })
            .await
    }

    pub async fn resolve(&self, mutation: MutationId, verdict: ResolutionKind) -> Result<Mutation> {
        let params = ResolveMutation {
            workspace: self.workspace,
            mutation,
            resolution: resolution(verdict),
            actor: "ada".to_owned(),
            reason: Some("I looked".to_owned()),
        };
        self.store.resolve_mutation(params).await
    }
}
