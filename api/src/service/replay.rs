//! A person has consumed events processed once more.

use windlass_core::{EventStatus, MutationId, MutationStatus};
use windlass_store::{Mutation, ReplayEvents, ReplaySelection, SettledEvents, StoreError};

use super::error::Result;
use super::handle::Service;
use super::settle::SettleReport;

/// Events that a person wants to have processed once more, and what was done for them before.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    targets: Vec<ReplaySelection>,
    /// The effects that earlier rounds of these events have had. The new round makes them again, as far as the script asks for it.
    pub effects: Vec<Mutation>,
}

impl Service {
    /// What a replay of these events would repeat: each id is that of an event, or of an input for all events that it caused, or
    /// the beginning of one.
    ///
    /// # Errors
    /// [`ServiceError::WrongKind`](super::ServiceError::WrongKind) where it is the id of something else, and those of the store.
    pub async fn replay_of(&self, ids: &[String]) -> Result<Replay> {
        let mut targets = Vec::new();
        for id in ids {
            targets.push(self.find_replayed(id).await?);
        }
        let mut effects: Vec<Mutation> = Vec::new();
        for target in &targets {
            for mutation in self.mutations_before(*target).await? {
                if effects.iter().all(|known| known.id != mutation) {
                    effects.push(self.store.mutation(self.workspace, mutation).await?);
                }
            }
        }
        effects.retain(|mutation| mutation.status == MutationStatus::Applied);
        Ok(Replay { targets, effects })
    }

    /// The mutations of all rounds of what is consumed of a selection.
    async fn mutations_before(&self, selection: ReplaySelection) -> Result<Vec<MutationId>> {
        let found = self.store.event_rounds(self.workspace, selection).await?;
        let consumed = found.iter().filter(|it| it.event.status == EventStatus::Consumed);
        Ok(consumed.flat_map(|it| &it.rounds).filter_map(|round| round.mutation_id).collect())
    }

    /// Makes the events pending in their next round, each target by itself. The person knows of the effects that `replay` names.
    ///
    /// # Errors
    /// Those of the store. That nothing of a target is consumed is an error only if it is the only target; otherwise the others
    /// are replayed, and the report says why this one was left.
    pub async fn replay(&self, replay: &Replay, reason: &str) -> Result<SettleReport> {
        let known_effects: Vec<_> = replay.effects.iter().map(|mutation| mutation.id).collect();
        let mut report = SettleReport::default();
        for selection in &replay.targets {
            let params = ReplayEvents {
                workspace: self.workspace,
                selection: *selection,
                known_effects: known_effects.clone(),
                actor: self.actor.clone(),
                reason: reason.to_owned(),
            };
            match self.store.replay_events(params).await {
                Ok(SettledEvents { settled, left }) => {
                    report.settled += settled;
                    report.left += left;
                }
                Err(refused @ StoreError::NotNow { .. }) if replay.targets.len() > 1 => {
                    report.refused.push(refused.to_string());
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(report)
    }
}
