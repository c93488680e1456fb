//! A mutation in doubt: what was attempted, why nobody knows whether it happened, where to look, and what each answer does.

use windlass_core::{MutationId, MutationStatus, ResolutionKind, WorkflowStatus};

use super::{Badge, HealthInputs, MutationInDoubt, WorkflowHealth, mutation_title};
use crate::service::advice::NextStep;
use crate::text::crop_line;

impl HealthInputs<'_> {
    /// Mutations of which nobody knows whether they happened.
    pub(super) fn in_doubt(&self) -> Option<WorkflowHealth> {
        let needs_person =
            |doubt: &&MutationInDoubt| doubt.mutation.status != MutationStatus::NeedsReconcile;
        let mut unsettled = self.doubts.iter().filter(needs_person);
        let Some(first) = unsettled.next() else { return self.being_looked_up() };
        let mut health = WorkflowHealth::new(
            Badge::NeedsAttention,
            format!(
                "nobody knows whether `{}` happened; until that is settled nothing else runs",
                mutation_title(&first.mutation)
            ),
        );
        for doubt in std::iter::once(first).chain(unsettled) {
            health = self.ask_person(health, doubt);
        }
        let status = self.overview.workflow.status;
        if status != WorkflowStatus::Active {
            health = health.fact(
                "control",
                format!("the workflow is {status} and stays so when this is settled"),
            );
        }
        Some(health)
    }

    /// A mutation that its tool looks up without a person.
    fn being_looked_up(&self) -> Option<WorkflowHealth> {
        let doubt = self.doubts.first()?;
        let mutation = &doubt.mutation;
        let next = mutation.next_reconcile_at?;
        let why = format!(
            "it is not known yet whether `{}` happened; its tool looks it up",
            mutation_title(mutation)
        );
        let tried = match mutation.reconcile_attempts {
            0 => "not yet".to_owned(),
            n => format!("{n} time(s), without an answer"),
        };
        let health = WorkflowHealth::new(Badge::Running, why)
            .fact("output", mutation.id.to_string())
            .fact("tool", format!("{}.{}", mutation.tool_namespace, mutation.tool_method))
            .fact("target", &mutation.target)
            .fact_if("why unknown", mutation.error.clone())
            .fact("looked up", tried)
            .fact("next look-up", self.when(next));
        let health = health.advise_step(
            NextStep::StartWorker { label: None },
            "keeps a worker running, which looks it up",
        );
        Some(health.advise_step(
            NextStep::Resolve { mutation: mutation.id, resolution: None },
            "settles it at once, where you know",
        ))
    }

    /// Adds what a person has to know of one mutation, and the answers that can be given.
    fn ask_person(&self, health: WorkflowHealth, doubt: &MutationInDoubt) -> WorkflowHealth {
        let mutation = &doubt.mutation;
        let causes: Vec<_> =
            doubt.inputs.iter().map(|input| format!("{} ({})", input.title, input.id)).collect();
        let can_look_up = if mutation.reconcilable {
            "its tool can look it up, but has not found an answer"
        } else {
            "its tool cannot look it up: only you can"
        };
        let health = health
            .fact("output", mutation.id.to_string())
            .fact("tool", format!("{}.{}", mutation.tool_namespace, mutation.tool_method))
            .fact("target", &mutation.target)
            .fact("attempted", crop_line(&mutation.params.to_string(), 400))
            .fact("at", self.when(mutation.created_at))
            .fact_if("because of", (!causes.is_empty()).then(|| causes.join("\n")))
            .fact(
                "why unknown",
                mutation.error.clone().unwrap_or_else(|| {
                    "its worker was lost while the request was under way".to_owned()
                }),
            )
            .fact_if("evidence", mutation.late_evidence.clone())
            .fact("to find out", can_look_up);
        let health = advise_resolutions(health, mutation.id);
        if !mutation.reconcilable {
            return health;
        }
        health.advise_step(
            resolve(mutation.id, ResolutionKind::TryAgain),
            "lets its tool look it up again",
        )
    }
}

/// Says what each answer of a person does.
fn advise_resolutions(health: WorkflowHealth, mutation: MutationId) -> WorkflowHealth {
    health
        .advise("find out at the target whether it happened, then say so:")
        .advise_step(
            resolve(mutation, ResolutionKind::DidNotHappen),
            "its events are pending again and a new run prepares afresh; if it did happen after all, this does it twice",
        )
        .advise_step(
            resolve(mutation, ResolutionKind::Skip),
            "leaves it as it is, whatever happened: its events are skipped for good, and `next` runs once",
        )
        .advise_step(
            resolve(mutation, ResolutionKind::Happened),
            "it happened, and RESULT (JSON) is what the tool answered: `next` continues with it",
        )
}

const fn resolve(mutation: MutationId, kind: ResolutionKind) -> NextStep {
    NextStep::Resolve { mutation, resolution: Some(kind) }
}
